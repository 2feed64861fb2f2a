"""What a user tells of the own shop: brands, products, synonyms and aspects, in one workbook."""
