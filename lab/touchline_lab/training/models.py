"""What training and evaluation of the models share: input, raw output, and the checkpoint format."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torchvision.ops import batched_nms  # type: ignore[import-untyped]
from ultralytics.cfg import get_cfg
from ultralytics.nn.tasks import DetectionModel

from services.files import complete_or_absent
from services.pitch import CLASS_NAMES, KEYPOINT_COUNT

__all__ = [
    "INPUT_SIZE",
    "KEYPOINT_BOX",
    "PICTURE_SIZE",
    "Objects",
    "build",
    "decode_keypoints",
    "decode_objects",
    "letterbox",
    "load",
    "save",
    "to_tensor",
    "use_relu",
]

INPUT_SIZE: Final = (384, 224)
"""Width and height of the networks' input in pixels."""

PICTURE_SIZE: Final = (384, 216)
"""Width and height of the picture within the input; the rows above and below it are grey."""

KEYPOINT_BOX: Final = 24
"""Side in input pixels of the box that stands for a keypoint."""

_GREY: Final = 114
"""Grey level of the bars, as ultralytics has it."""
_PADDING: Final = (INPUT_SIZE[1] - PICTURE_SIZE[1]) // 2
"""Grey rows above the picture, and below it."""
_ARCHITECTURES: Final = Path(__file__).parent / "architectures"
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "detect": CLASS_NAMES,
    "pitch": tuple(f"kp{index + 1:02d}" for index in range(KEYPOINT_COUNT)),
}
"""Class names of each task."""

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one picture.

    Attributes:
        boxes: Corners in fractions of the picture, shape (N, 4).
        scores: Confidences, shape (N,).
        class_ids: Classes, shape (N,).
    """

    boxes: Float32
    scores: Float32
    class_ids: npt.NDArray[np.int64]


def build(task: str) -> DetectionModel:
    """Build a model with random weights; ``task`` is ``detect`` or ``pitch``."""
    model = DetectionModel(str(_ARCHITECTURES / f"touchline-{task}.yaml"), ch=3, verbose=False)
    model.names = dict(enumerate(_NAMES[task]))
    model.args = get_cfg()
    return model


def save(model: DetectionModel, path: Path, task: str, notes: dict[str, Any]) -> None:
    """Write a checkpoint that ``ultralytics.YOLO(path)`` loads, atomically and in half precision.

    Args:
        model: The model; it is not changed.
        path: The file.
        task: ``detect`` or ``pitch``.
        notes: Facts about the training, kept in the file.
    """
    weights = deepcopy(model).half().eval()
    for parameter in weights.parameters():
        parameter.requires_grad = False
    weights.yaml["yaml_file"] = f"touchline-{task}.yaml"  # not its path on the machine that trained it
    arguments = {"task": "detect", "imgsz": INPUT_SIZE[0], "data": None, "model": f"touchline-{task}.yaml"}
    checkpoint = {
        "epoch": -1,
        "model": weights,
        "ema": None,
        "train_args": arguments,
        "license": "AGPL-3.0",
        "notes": notes,
    }
    with complete_or_absent(path) as unfinished:
        torch.save(checkpoint, unfinished)


def load(path: Path) -> DetectionModel:
    """Read a checkpoint written by `save`, in single precision."""
    model: DetectionModel = torch.load(path, map_location="cpu", weights_only=False)["model"].float()
    model.args = get_cfg()
    for parameter in model.parameters():
        parameter.requires_grad = True
    return model


def use_relu(model: torch.nn.Module) -> None:
    """Replace every SiLU by a ReLU, which takes no time in a quantised model."""
    for module in model.modules():
        if isinstance(getattr(module, "act", None), torch.nn.SiLU):
            module.act = torch.nn.ReLU(inplace=True)


def letterbox(image: npt.NDArray[np.uint8], size: tuple[int, int] = INPUT_SIZE) -> npt.NDArray[np.uint8]:
    """Letterbox a 16:9 picture, shape (H, W, 3), to an input size; the order of the channels is kept."""
    width, height = size
    inner = width * 9 // 16
    bar = (height - inner) // 2
    canvas = np.full((height, width, 3), _GREY, np.uint8)
    canvas[bar : bar + inner] = cv2.resize(image, (width, inner), interpolation=cv2.INTER_AREA)
    return canvas


def to_tensor(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    """RGB pictures, shape (N, H, W, 3), as the networks' input, shape (N, 3, H, W), 0 to 1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def _to_picture(xy: torch.Tensor) -> torch.Tensor:
    """Input pixels, shape (..., 2), to fractions of the picture."""
    return (xy - torch.tensor([0.0, _PADDING])) / torch.tensor(PICTURE_SIZE, dtype=torch.float32)


def decode_objects(output: torch.Tensor, confidence: float, overlap: float = 0.6) -> list[Objects]:
    """Read the objects from a detector's raw output.

    Args:
        output: Shape (N, 4 + 4, A): box and classes of each anchor.
        confidence: Minimum confidence of an object.
        overlap: IoU from which non-maximum suppression drops a box.
    """
    found = []
    for prediction in output:
        scores, class_ids = prediction[4:].max(dim=0)
        kept = scores >= confidence
        centre, size = prediction[:2, kept].T, prediction[2:4, kept].T
        corners = torch.cat([centre - size / 2, centre + size / 2], dim=1)
        scores, class_ids = scores[kept], class_ids[kept]
        # a person has one class, so all classes of people suppress each other; the ball is separate
        order = batched_nms(corners, scores, (class_ids == 0).long(), overlap)
        boxes = _to_picture(corners[order].reshape(-1, 2, 2)).reshape(-1, 4).clamp(0, 1)
        found.append(Objects(boxes.numpy(), scores[order].numpy(), class_ids[order].numpy()))
    return found


def decode_keypoints(output: torch.Tensor) -> tuple[Float32, Float32]:
    """Read the keypoints from the pitch model's raw output, shape (N, 4 + 32, A).

    Returns:
        The best position of every keypoint in fractions of the picture, shape (N, 32, 2), and its confidence,
        shape (N, 32).
    """
    scores, best = output[:, 4:].max(dim=2)
    centres = output[:, :2].gather(2, best[:, None, :].expand(-1, 2, -1)).transpose(1, 2)
    return _to_picture(centres).numpy(), scores.numpy()
