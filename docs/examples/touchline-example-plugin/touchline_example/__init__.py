"""A challenge kind and a predictor of a distribution of its own."""
