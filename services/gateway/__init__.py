"""The HTTP gateway: the official contracts, who may use them, and answers that are passed on untouched."""
