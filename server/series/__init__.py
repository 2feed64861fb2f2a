"""Series over time: reading them, forecasting, unusual values, the effect of a campaign."""
