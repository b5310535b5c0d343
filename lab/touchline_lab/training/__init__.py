"""How the bundled models are made and measured; not part of the product at run time."""
