"""The files of the two networks that find balls, as workers load them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch

from services.inference.ball_modules import SmallModule

EXAMPLE: Final = (1, 1, 64, 96)
"""Shape of the input that a network is traced with; it runs at other sizes, too."""


def write(network: SmallModule, name: Path) -> None:
    """Write the weights for torch and the network for OpenVINO, both in half precision.

    Args:
        network: Is in training again afterwards.
        name: The files to write, without suffix.
    """
    import openvino

    network.eval()
    network.save(name.with_suffix(".npz"))
    model = openvino.convert_model(network, example_input=torch.zeros(EXAMPLE), input=[-1, 1, -1, -1])
    openvino.save_model(model, name.with_suffix(".xml"))
    network.train()
