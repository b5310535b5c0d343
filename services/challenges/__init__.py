"""One module per challenge kind: what to look at, and how the answer is put together."""
