"""Rendered football clips with exact ground truth: for demonstrations, tests and touchline_lab.training."""
