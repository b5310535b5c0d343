"""How many workers a rate of challenges needs: a simulation. Pure; the command is `touchline plan`."""
