"""A simulation of how many workers a rate of challenges needs; the command is `touchline plan`."""
