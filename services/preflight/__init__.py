"""What makes a private miner fail silently, checked in the order in which a validator would meet it."""
