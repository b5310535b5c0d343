"""The ball network in torch: a few convolutions over a crop of a look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

__all__ = ["BallModule"]


class BallModule(nn.Module):
    """Luma, as it is, to a map of where the middle of a ball may be.

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
        self.head = nn.Conv2d(width, 4, 1)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias[:1], -4.0)  # balls are rare

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

    def save(self, path: Path) -> None:
        """Write its weights, in half precision, as a .npz."""
        kept = {name: value for name, value in self.state_dict().items() if value.is_floating_point()}
        np.savez(path, **{name: value.half().numpy() for name, value in kept.items()})

    @classmethod
    def load(cls, path: Path) -> BallModule:
        """Read what `save` wrote.

        Raises:
            OSError, ValueError, KeyError, RuntimeError: It is no such file.
        """
        with np.load(path, allow_pickle=False) as file:
            kept = {name: torch.from_numpy(file[name]).float() for name in file.files}
        width, first = kept["stem.1.0.weight"].shape[:2]
        module = cls(first, width)
        # the counters of the batch normalisation are of no use here
        module.load_state_dict(kept, strict=False)
        return module.eval()


def _layer(before: int, after: int, size: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    pad = dilation * (size // 2)
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, pad, dilation, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )
