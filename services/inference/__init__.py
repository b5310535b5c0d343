"""From pictures to boxes and keypoints: models that are loaded once per process and warmed."""
