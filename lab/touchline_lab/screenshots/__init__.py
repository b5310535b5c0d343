"""Pictures of what operators see in a browser, of a system under mixed load."""
