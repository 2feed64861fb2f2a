"""Statistics that decide: scores of predictions, tests of campaigns, what drives an outcome."""
