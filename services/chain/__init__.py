"""What the chain says about the subnet: neurons, commitments, inactive miners."""
