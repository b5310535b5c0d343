"""From bytes to pictures at the size that the models see."""
