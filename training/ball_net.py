"""The ball network: a few convolutions over a crop of a look, and what its output means."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["BallNet"]


class BallNet(nn.Module):
    """Luma, as it is, to a map of where the middle of a ball may be.

    The output has four channels at a quarter of the input's size: how sure (a logit), how far right of and
    below the cell's middle, in cells, and the logarithm of the ball's width in cells.
    """

    def __init__(self, first: int = 16, width: int = 24) -> None:
        super().__init__()
        self.stem = nn.Sequential(_layer(1, first, 5, stride=2), _layer(first, width, 3, stride=2))
        self.body = nn.ModuleList([_layer(width, width, 3, dilation=dilation) for dilation in (1, 2, 1)])
        self.head = nn.Conv2d(width, 4, 1)
        nn.init.constant_(self.head.bias[:1], -4.0)

    def forward(self, luma: torch.Tensor) -> torch.Tensor:
        """(N, 1, H, W), 0 to 255, H and W multiples of 4, to (N, 4, H / 4, W / 4)."""
        middle = luma.mean((1, 2, 3), keepdim=True)
        apart = luma - middle
        spread = (apart * apart).mean((1, 2, 3), keepdim=True).sqrt()
        features: torch.Tensor = self.stem(apart / (spread + 8.0))
        for layer in self.body:
            features = features + layer(features)
        found: torch.Tensor = self.head(features)
        return found


def _layer(before: int, after: int, size: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    pad = dilation * (size // 2)
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, pad, dilation, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )
