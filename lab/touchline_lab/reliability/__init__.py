"""What shows that nothing kills a deployment: faults, hostile input, long runs."""
