"""The models of tests that are about everything around the models: ten times as fast as the default ones."""

SMALL_MODELS = {
    "DETECTOR_MODEL": "touchline-detect-rendered",
    "PITCH_MODEL": "touchline-pitch-rendered",
    "IMG_SIZE": "384",
    "ACTION_IMG_SIZE": "384",
}
"""Settings, as variables of the environment."""
