"""The two networks that find balls in luma, in torch: a few convolutions each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch
from torch import nn

__all__ = ["BallModule", "FineBallModule", "SmallModule"]

RARE: Final = -4.0
"""Logit that a cell starts from: balls are rare."""
BLACK, CONTRAST = 96.0, 64.0
"""Luma that is 0 for the fine ball detector, and the difference of luma that is 1."""
DILATIONS: Final = (1, 2, 4, 1)
"""Of the fine ball detector's layers: together they see some 150 pixels of the picture around a ball."""


class SmallModule(nn.Module, ABC):
    """A network whose widths follow from its weights, which are kept in half precision."""

    def save(self, path: Path) -> None:
        """Write its weights, in half precision, as a .npz."""
        kept = {name: value for name, value in self.state_dict().items() if value.is_floating_point()}
        np.savez(path, **{name: value.half().numpy() for name, value in kept.items()})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            OSError, ValueError, KeyError, RuntimeError: It is no such file.
        """
        with np.load(path, allow_pickle=False) as file:
            kept = {name: torch.from_numpy(file[name]).float() for name in file.files}
        module = cls._as_wide_as(kept)
        # the counters of the batch normalisation are of no use here
        module.load_state_dict(kept, strict=False)
        return module.eval()

    @classmethod
    @abstractmethod
    def _as_wide_as(cls, weights: dict[str, torch.Tensor]) -> Self:
        """A network with the widths of these weights."""


class BallModule(SmallModule):
    """The ball network: luma of a crop to a map of where the middle of a ball may be.

    The output has four channels at a quarter of the input's size: how sure (a logit), how far right of and
    below the cell's middle, in cells, and the logarithm of the ball's width in cells.

    Args:
        first: Channels of the first layer.
        width: Channels of all others.
    """

    def __init__(self, first: int = 16, width: int = 24) -> None:
        super().__init__()
        self.stem = nn.Sequential(_layer(1, first, 5, stride=2), _layer(first, width, 3, stride=2))
        self.body = nn.ModuleList([_layer(width, width, 3, dilation=dilation) for dilation in (1, 2, 1)])
        self.head = _head(width, 4)

    def forward(self, luma: torch.Tensor) -> torch.Tensor:
        """(N, 1, H, W), 0 to 255, H and W multiples of 4, to (N, 4, H / 4, W / 4)."""
        middle = luma.mean((1, 2, 3), keepdim=True)
        apart = luma - middle
        spread = (apart * apart).mean((1, 2, 3), keepdim=True).sqrt()
        return _through(self.body, self.head, self.stem(apart / (spread + 8.0)))

    @classmethod
    def _as_wide_as(cls, weights: dict[str, torch.Tensor]) -> Self:
        width, first = weights["stem.1.0.weight"].shape[:2]
        return cls(first, width)


class FineBallModule(SmallModule):
    """The fine ball detector: luma of a whole frame to a map of where the middle of a ball may be.

    The output has five channels at an eighth of the input's size: how sure (a logit), how far right of and
    below the cell's middle, in cells, and the logarithms of the ball's width and height in cells.

    Args:
        half, quarter, eighth: Channels at a half, a quarter and an eighth of the input's size.
    """

    def __init__(self, half: int = 12, quarter: int = 24, eighth: int = 48) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _layer(1, half, 5, stride=2),
            _layer(half, quarter, 3, stride=2),
            _layer(quarter, eighth, 3, stride=2),
        )
        self.body = nn.ModuleList([_layer(eighth, eighth, 3, dilation=dilation) for dilation in DILATIONS])
        self.head = _head(eighth, 5)

    def forward(self, luma: torch.Tensor) -> torch.Tensor:
        """(N, 1, H, W), 0 to 255, H and W multiples of 8, to (N, 5, H / 8, W / 8)."""
        return _through(self.body, self.head, self.stem((luma - BLACK) / CONTRAST))

    @classmethod
    def _as_wide_as(cls, weights: dict[str, torch.Tensor]) -> Self:
        return cls(*(len(weights[f"stem.{step}.0.weight"]) for step in range(3)))


def _layer(before: int, after: int, size: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    pad = dilation * (size // 2)
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, pad, dilation, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


def _head(width: int, channels: int) -> nn.Conv2d:
    head = nn.Conv2d(width, channels, 1)
    assert head.bias is not None
    nn.init.constant_(head.bias[:1], RARE)
    return head


def _through(body: nn.ModuleList, head: nn.Conv2d, features: torch.Tensor) -> torch.Tensor:
    for layer in body:
        features = features + layer(features)
    found: torch.Tensor = head(features)
    return found
