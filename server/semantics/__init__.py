"""What can be done with vectors of meaning: own labels, nearest texts, summaries by quotation."""
