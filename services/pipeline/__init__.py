"""The stages of a challenge, run at the same time: download, decode, infer; then fill and encode."""
