"""Makes one TensorRT engine with ultralytics and ends. Not run on a GPU yet.

python -m services.inference.tensorrt_export MODEL TARGET DEVICE HEIGHT WIDTH BATCH fp16|fp32
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any


def export(model: Path, target: Path, device: str, picture: tuple[int, int], batch: int, half: bool) -> None:
    """Write an engine.

    Args:
        model: A `.pt` file.
        target: Where the engine goes.
        device: `cuda:N`.
        picture: Height and width that it is tuned for, in pixels.
        batch: Maximum number of pictures of a batch.
        half: Half precision.
    """
    # it forbids ultralytics to download and to install packages, before that is imported
    import services.inference.torch_backend  # noqa: F401

    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        # the export writes beside its source, which may lie on a volume that is read only
        copy = Path(shutil.copy(model, Path(folder) / "model.pt"))
        written = _yolo(copy).export(
            format="engine",
            imgsz=list(picture),
            batch=batch,
            dynamic=True,
            device=device.removeprefix("cuda:"),
            verbose=False,
            **_precision(half),
        )
        shutil.move(str(written), target)


def _yolo(path: Path) -> Any:
    from ultralytics import YOLO

    return YOLO(str(path))


def _precision(half: bool) -> dict[str, Any]:
    """Half precision by the name that this version of ultralytics has for it."""
    from ultralytics.utils import DEFAULT_CFG_DICT

    if not half:
        return {}
    return {"quantize": 16} if "quantize" in DEFAULT_CFG_DICT else {"half": True}


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Read the command line and export."""
    model, target, device, height, width, batch, precision = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    export(Path(model), Path(target), device, (int(height), int(width)), int(batch), precision == "fp16")


if __name__ == "__main__":
    main()
