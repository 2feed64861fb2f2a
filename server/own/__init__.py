"""Models that users fit to labelled rows of their own: kept, measured, taken back."""
