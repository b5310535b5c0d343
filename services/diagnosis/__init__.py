"""Measuring one URL as a worker would, and saying in words where the time goes."""
