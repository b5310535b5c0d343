"""How good answers are: measures of plain data, and the runs that they are taken on."""
