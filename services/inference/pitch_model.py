"""The 32 keypoints of the pitch, from either of two kinds of model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from services.errors import ModelNotReady
from services.inference.backend import AnyBackend, mapped_errors
from services.inference.class_map import listed
from services.inference.detector import NMS_TIME_S, check_output
from services.results import Keypoints
from services.video.letterbox import Image, Letterbox
from services.wire.gsr import KEYPOINTS_PER_FRAME

if TYPE_CHECKING:
    import torch

COUNT = KEYPOINTS_PER_FRAME
Rows = npt.NDArray[np.float32]


class PitchModel:
    """A keypoint model with its threshold.

    Two kinds are understood: a pose model with 32 keypoints, whose best instance is taken, and a detector
    with the classes kp01 to kp32, whose best box per class is taken and its centre used. The second kind
    learns each keypoint where it is, instead of from one box around all of them.

    Args:
        backend: The loaded model.
        confidence: Minimum confidence of a keypoint; those below come back with score 0.

    Raises:
        ModelNotReady: The model is neither.
    """

    def __init__(self, backend: AnyBackend, confidence: float) -> None:
        self._backend = backend
        self._confidence = confidence
        shape = backend.keypoint_shape
        wanted = [f"kp{i:02d}" for i in range(1, COUNT + 1)]
        if shape is not None:
            if shape[0] != COUNT or shape[1] not in (2, 3):
                raise ModelNotReady(
                    f"the pitch model has {shape[0]} keypoints of {shape[1]} values each, "
                    f"{COUNT} of 2 or 3 are needed"
                )
            self._is_pose = True
        elif backend.task in (None, "detect") and sorted(backend.names.values()) == wanted:
            self._is_pose = False
            self._columns = np.argsort([backend.names[i] for i in range(COUNT)], kind="stable")
        else:
            raise ModelNotReady(
                f"the pitch model is neither a pose model with {COUNT} keypoints "
                f"nor a detector with the classes {wanted[0]} to {wanted[-1]}: it is one for "
                f"{backend.task or 'an unknown task'} with the classes {listed(backend.names)}"
            )

        self._values = 4 + len(backend.names) + (COUNT * shape[1] if shape else 0)

    def predict(self, images: list[Image], box: Letterbox) -> list[Keypoints]:
        """Find the keypoints in one batch; they come back in source pixels.

        Args:
            images: Pictures of one size, each (height, width, 3) uint8 RGB.
            box: How the source lies in them.

        Raises:
            InferenceError: The device or the model failed.
        """
        with mapped_errors():
            raw = self._backend.forward(images)
            check_output(raw.shape, self._values, self._backend.end2end)
            rows = self._from_pose(raw) if self._is_pose else self._from_classes(raw)
        return [self._keypoints(found, box) for found in rows]

    def _from_pose(self, raw: torch.Tensor | Rows) -> list[Rows]:
        import torch
        from ultralytics.utils.nms import non_max_suppression

        assert self._backend.keypoint_shape is not None
        values = self._backend.keypoint_shape[1]
        kept = non_max_suppression(
            torch.as_tensor(raw),
            conf_thres=0.1,
            max_det=1,
            max_time_img=NMS_TIME_S,
            nc=len(self._backend.names),
            end2end=self._backend.end2end,
        )
        out = []
        for found in kept:
            table = found.float().cpu().numpy()
            rows = np.zeros((COUNT, 3), np.float32)
            if len(table):
                points = table[0, 6:].reshape(COUNT, values)
                rows[:, :2] = points[:, :2]
                rows[:, 2] = points[:, 2] if values == 3 else table[0, 4]
            out.append(rows)
        return out

    def _from_classes(self, raw: torch.Tensor | Rows) -> list[Rows]:
        if self._backend.end2end or raw.shape[-1] == 6:
            listed = raw if isinstance(raw, np.ndarray) else raw.float().cpu().numpy()
            return [self._best_of_listed(found) for found in listed]
        if isinstance(raw, np.ndarray):
            return [self._best_of_anchors(found) for found in raw]
        scores, best = raw[:, 4 : 4 + COUNT].float().max(dim=2)
        centres = raw[:, :2].float().gather(2, best[:, None, :].expand(-1, 2, -1))
        table = np.concatenate(
            [centres.permute(0, 2, 1).cpu().numpy(), scores[:, :, None].cpu().numpy()],
            axis=2,
            dtype=np.float32,
        )
        return [np.asarray(rows[self._columns], np.float32) for rows in table]

    def _best_of_anchors(self, found: Rows) -> Rows:
        """From (4 + 32, anchors), the raw output of one picture."""
        scores = found[4 : 4 + COUNT]
        best = scores.argmax(axis=1)
        rows = np.stack([found[0, best], found[1, best], scores[np.arange(COUNT), best]], axis=1)
        return np.asarray(rows[self._columns], np.float32)

    def _best_of_listed(self, found: Rows) -> Rows:
        """From rows of x1, y1, x2, y2, score, class, as exports with built-in suppression give them."""
        rows = np.zeros((COUNT, 3), np.float32)
        for x1, y1, x2, y2, score, own in found:
            if score > rows[int(own), 2]:
                rows[int(own)] = (x1 + x2) / 2, (y1 + y2) / 2, score
        return np.asarray(rows[self._columns], np.float32)

    def _keypoints(self, rows: Rows, box: Letterbox) -> Keypoints:
        scores = np.where(rows[:, 2] >= self._confidence, rows[:, 2], 0).astype(np.float32)
        return Keypoints(box.to_source(rows[:, :2]), scores)
