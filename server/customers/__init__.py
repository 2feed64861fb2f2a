"""What orders tell about customers: clean histories, RFM scores, lifetime value."""
