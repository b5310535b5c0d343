"""From boxes and keypoints of sampled frames to tracks and keypoints of every frame."""
