"""Targets and loss of the networks that find balls as peaks of a map.

Source: Zhou et al., Objects as Points, 2019.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

MIN_PEAK = 0.2
"""Height of a peak from which on a cell learns where the ball is."""
POSITION_WEIGHT = 2.0
"""Weight of the errors of positions in the loss, beside that of the peaks."""

Map = npt.NDArray[np.float32]


def peak_targets(balls: npt.NDArray[np.float64], shape: tuple[int, int], width: float) -> tuple[Map, Map]:
    """What a network should say of some balls.

    Args:
        balls: (n, 2 + k) in cells: middle, and k sizes.
        shape: Rows and columns of the map.
        width: Standard deviation of the peak of a ball, in cells.

    Returns:
        Peaks (rows, columns), 1 where a ball is; and (3 + k, rows, columns): offset of the ball to the right
        and down in cells, logarithms of its sizes, and the weight of these in the loss.
    """
    cells = np.mgrid[: shape[0], : shape[1]][::-1].transpose(1, 2, 0) + 0.5
    peaks = np.zeros(shape, np.float32)
    positions = np.zeros((balls.shape[1] + 1, *shape), np.float32)
    for x, y, *sizes in balls:
        if not (0 <= x < shape[1] and 0 <= y < shape[0]):
            continue
        apart = np.array([x, y]) - cells
        peak = np.exp(-(apart**2).sum(2) / (2 * width**2))
        peak[int(y), int(x)] = 1.0
        near = peak > np.maximum(peaks, MIN_PEAK)
        peaks = np.maximum(peaks, peak).astype(np.float32)
        for channel in range(2):
            positions[channel][near] = apart[..., channel][near]
        for channel, size in enumerate(sizes, 2):
            positions[channel][near] = np.log(size)
        positions[-1][near] = peak[near]
    return peaks, positions


def peak_loss(found: torch.Tensor, peaks: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Focal loss of the peaks and absolute errors of the positions.

    Args:
        found: Output of the network, (N, 1 + k, rows, columns).
        peaks: (N, rows, columns); see `peak_targets`.
        positions: (N, k + 1, rows, columns); see `peak_targets`.
    """
    logit = found[:, 0]
    log_yes, log_no = torch.nn.functional.logsigmoid(logit), torch.nn.functional.logsigmoid(-logit)
    chance = logit.sigmoid()
    top = (peaks >= 1).float()
    focal = -(top * (1 - chance) ** 2 * log_yes + (1 - top) * (1 - peaks) ** 4 * chance**2 * log_no)
    weight = positions[:, -1:]
    off = (found[:, 1:] - positions[:, :-1]).abs() * weight
    at_balls = top.sum().clamp(min=1)
    return focal.sum() / at_balls + POSITION_WEIGHT * off.sum() / weight.sum().clamp(min=1)
