"""From a URL to bytes: the warmed pool, the guard in front of it, and the byte stream that grows."""
