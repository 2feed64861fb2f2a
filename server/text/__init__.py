"""Text as people write it, made ready for reading: cleaned, cut into words, checked for spam."""
