"""What makes a private miner fail silently: each cause is checked here before a validator meets it."""
