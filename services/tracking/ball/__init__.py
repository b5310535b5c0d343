"""The ball of a clip, from detections to a position in every frame.

1. The detector finds balls and ball candidates in sampled frames (`services/inference/detector.py`).
2. The second ball pass (`second_pass.py`) searches again, with the ball network
   (`services/inference/ball_network.py`), in luma pictures of sampled frames and of frames between them
   (`services/video/luma.py`).
3. Selection (`selection.py`) chooses, over a whole shot, the sequence of boxes that is most likely one ball.
4. The trajectory (`trajectory.py`) turns the selected positions into a position at any time.
"""
