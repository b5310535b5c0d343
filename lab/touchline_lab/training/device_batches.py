"""Batches of augmented training samples, made on the device that trains: nothing waits for the CPU.

A sample is a window of a picture, from all of it (the wide tactical camera) to a fifth of it (a close view),
slightly turned and stretched, letterboxed as a worker does it, with other light, blur, noise, blocks of
compression, and overlays as television draws them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch.nn import functional

from services.pitch import BALL, FLIP_INDEX, GOALKEEPER, KEYPOINT_COUNT, REFEREE
from touchline_lab.training.overlays import overlay_bank
from touchline_lab.training.picture_sets import PictureSet

__all__ = ["DeviceBatches"]

WHOLE_SHARE: Final = 0.35
"""Share of the samples that show the whole picture."""
CLOSEST: Final = 0.2
"""Smallest window, as a share of the picture's width."""
SHARPEST: Final = 0.4
"""Pixels of a picture for each input pixel in the smallest window; below it the sample is only a blur."""
TURNED_SHARE: Final = 0.3
"""Share of the samples that are turned, by two degrees in the standard deviation."""
STRETCH: Final = 0.05
"""Standard deviation of the logarithm of the ratio between the scales of height and width."""
BARS_SHARE: Final = 0.8
"""Share of the samples with the grey bars of a 16:9 picture; the others fill the input."""
OVERLAY_SHARE: Final = 0.4
"""Share of the samples with an overlay."""
RECOLOURED_SHARE: Final = 0.35
"""Share of the samples whose referees get other kits, and of those whose goalkeepers do."""
MINIMUM_VISIBLE: Final = 0.35
"""Share of a box that has to remain in the sample."""
MINIMUM_SIDE: Final = 1.5
"""Side in input pixels below which an object cannot be found, except a ball's."""
KEYPOINT_SIDE: Final = 32.0
"""Side in input pixels of the box that stands for a keypoint."""
GREY: Final = 114 / 255
"""Level of the bars of a letterbox, as workers have it."""
BLOCK: Final = 8
"""Side of the blocks of JPEG and of the older video codecs, pixels."""


class DeviceBatches:
    """Draws batches in the form that the losses of ultralytics take.

    Args:
        sets: Pictures with the share of the samples that each set gets.
        task: `detect` or `pitch`.
        size: Width and height of the networks' input in pixels.
        seed: Determines all samples, on one kind of device.
    """

    def __init__(
        self, sets: Sequence[tuple[PictureSet, float]], task: str, size: tuple[int, int], seed: int
    ) -> None:
        self._sets = sets
        self._task = task
        self._size = size
        self._device = sets[0][0].images.device
        self._random = torch.Generator(self._device).manual_seed(seed)
        self._overlays = overlay_bank(size, seed).to(self._device)
        self._dct = _dct_matrix(self._device)
        self._flip = torch.tensor(FLIP_INDEX, device=self._device)

    def batch(self, count: int) -> dict[str, torch.Tensor]:
        """Draw a batch of `count` samples.

        Returns:
            `img` (count, 3, height, width) RGB from 0 to 1; of all objects `batch_idx` (n,), `cls` (n, 1) and
            `bboxes` (n, 4): centre, width and height in shares of the input.
        """
        shares = torch.tensor([share for _, share in self._sets])
        counts = (shares / shares.sum() * count).floor().int().tolist()
        counts[0] += count - sum(counts)
        parts = [
            self._from_set(own, number) for (own, _), number in zip(self._sets, counts, strict=True) if number
        ]
        images = torch.cat([images for images, _, _ in parts])
        classes = torch.cat([classes for _, classes, _ in parts])
        boxes = torch.cat([boxes for _, _, boxes in parts])
        if self._task == "detect":
            images = self._recoloured(images, classes, boxes)
        images, alpha = self._light(images)
        present = self._present(classes, boxes, alpha)
        index = torch.nonzero(present)[:, 0]
        corners = boxes[present]
        scale = torch.tensor(self._size, device=self._device)
        centre, sides = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
        return {
            "img": images,
            "batch_idx": index.float(),
            "cls": classes[present][:, None].float(),
            "bboxes": torch.cat([centre / scale, sides / scale], dim=1),
        }

    def _uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=self._random, device=self._device) * (high - low) + low

    def _normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=self._random, device=self._device)

    def _chosen(self, own: PictureSet, count: int) -> torch.Tensor:
        """Numbers of pictures; for the detector a third of them have a goalkeeper or a ball."""
        chosen = (self._uniform(0, 1, count) * len(own)).long().clamp(max=len(own) - 1)
        rare = [numbers for numbers in own.classes[:2] if len(numbers)] if self._task == "detect" else []
        for part, numbers in enumerate(rare):
            at = slice(part * (count // 6), (part + 1) * (count // 6))
            picks = (self._uniform(0, 1, count) * len(numbers)).long().clamp(max=len(numbers) - 1)
            chosen[at] = numbers[picks[at]]
        return chosen

    def _from_set(self, own: PictureSet, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Samples with classes (count, m), -1 for none, and corners (count, m, 4) in input pixels."""
        chosen = self._chosen(own, count)
        height, width = own.images.shape[2:]
        to_source = self._windows(own, chosen)
        flipped = to_source[:, 0, 0] < 0
        images = self._warped(own.images[chosen], to_source)
        to_input = torch.linalg.inv(to_source)
        if self._task == "pitch":
            points = own.keypoints[chosen]
            inside = (points >= 0) & (points < torch.tensor([width, height], device=self._device))
            points = torch.where(inside.all(2, keepdim=True), points, torch.nan)
            points = torch.where(flipped[:, None, None], points[:, self._flip], points)
            mapped = points @ to_input[:, :2, :2].transpose(1, 2) + to_input[:, None, :2, 2]
            classes = torch.arange(KEYPOINT_COUNT, device=self._device).expand(count, -1)
            classes = torch.where(mapped.isnan().any(2), -1, classes)
            half = KEYPOINT_SIDE / 2
            return images, classes, torch.cat([mapped - half, mapped + half], dim=2).nan_to_num(-1e6)
        rows = own.boxes[chosen]
        corners = rows[..., [1, 2, 3, 2, 3, 4, 1, 4]].view(count, -1, 4, 2)
        mapped = corners @ to_input[:, None, :2, :2].transpose(2, 3) + to_input[:, None, None, :2, 2]
        # of a box that is turned by a few degrees, the mean of its sides: its corners reach too far
        xs, ys = mapped[..., 0].sort(2).values, mapped[..., 1].sort(2).values
        boxes = torch.stack(
            [xs[..., :2].mean(2), ys[..., :2].mean(2), xs[..., 2:].mean(2), ys[..., 2:].mean(2)], dim=2
        )
        return images, rows[..., 0].long(), boxes

    def _windows(self, own: PictureSet, chosen: torch.Tensor) -> torch.Tensor:
        """(count, 3, 3) maps from input pixels to pixels of the set's pictures."""
        count = len(chosen)
        height, width = own.images.shape[2:]
        closest = min(1.0, max(CLOSEST, SHARPEST * self._size[0] / width))
        share = torch.exp(self._uniform(math.log(closest), 0.0, count))
        share = torch.where(self._uniform(0, 1, count) < WHOLE_SHARE, 1.0, share)
        scale_x = share * width / self._size[0]
        scale_y = scale_x * torch.exp(STRETCH * self._normal(count) * (share < 1))
        turn = 0.035 * self._normal(count) * (self._uniform(0, 1, count) < TURNED_SHARE)
        shown = torch.stack([scale_x * self._size[0], scale_y * self._size[0] * 9 / 16], 1) / 2
        limit = torch.tensor([width, height], device=self._device)
        aim = self._aims(own, chosen, limit)
        centre = torch.minimum(torch.maximum(aim, shown), limit - shown)
        centre = torch.where(shown * 2 >= limit, limit / 2, centre)
        mirror = torch.where(self._uniform(0, 1, count) < 0.5, -1.0, 1.0)
        cos, sin = turn.cos(), turn.sin()
        linear = torch.stack(
            [
                torch.stack([cos * scale_x * mirror, -sin * scale_y], 1),
                torch.stack([sin * scale_x * mirror, cos * scale_y], 1),
            ],
            1,
        )
        middle = torch.tensor(self._size, device=self._device) / 2
        matrix = torch.eye(3, device=self._device).repeat(count, 1, 1)
        matrix[:, :2, :2] = linear
        matrix[:, :2, 2] = centre - linear @ middle
        return matrix

    def _aims(self, own: PictureSet, chosen: torch.Tensor, limit: torch.Tensor) -> torch.Tensor:
        """Where windows are centred: half of them anywhere, half near an object or keypoint."""
        count = len(chosen)
        anywhere = self._uniform(0, 1, count, 2) * limit
        if self._task == "pitch":
            there, places = ~own.keypoints[chosen].isnan().any(2), own.keypoints[chosen].nan_to_num(0.0)
        else:
            rows = own.boxes[chosen]
            there, places = rows[..., 0] >= 0, (rows[..., 1:3] + rows[..., 3:]) / 2
        worth = self._uniform(0, 1, *there.shape) * there
        if self._task == "detect":  # the rare classes more often
            worth = worth * torch.where(own.boxes[chosen][..., 0] == 2, 1.0, 1.15)
        best = worth.argmax(1)
        near = places[torch.arange(count, device=self._device), best] + 0.08 * self._normal(count, 2) * limit
        use = (self._uniform(0, 1, count) < 0.5) & there.any(1)
        return torch.where(use[:, None], near, anywhere)

    def _warped(self, images: torch.Tensor, to_source: torch.Tensor) -> torch.Tensor:
        """Sample the windows; pictures that shrink by more than a half are halved before."""
        width, height = self._size
        ys, xs = torch.meshgrid(
            torch.arange(height, device=self._device) + 0.5,
            torch.arange(width, device=self._device) + 0.5,
            indexing="ij",
        )
        pixels = torch.stack([xs, ys, torch.ones_like(xs)], 2).view(1, -1, 3)
        source = (pixels @ to_source.transpose(1, 2))[..., :2].view(len(images), height, width, 2)
        limit = torch.tensor([images.shape[3], images.shape[2]], device=self._device)
        grid = source / limit * 2 - 1
        shrinks = to_source[:, 0, 0].abs() > 1.5
        result = torch.empty(len(images), 3, height, width, device=self._device)
        for halved in (False, True):
            own = torch.nonzero(shrinks == halved).flatten()
            for part in torch.split(own, 16):
                pictures = images[part].float() / 255
                if halved:
                    pictures = functional.avg_pool2d(pictures, 2)
                result[part] = functional.grid_sample(
                    pictures, grid[part], mode="bilinear", padding_mode="border", align_corners=False
                )
        return result

    def _light(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Vary colours, sharpness and noise, draw overlays and bars; also how opaque these are, 0 to 1."""
        count = len(images)
        images = self._sharpness(self._colours(images))
        noise = self._uniform(0, 0.03, count, 1, 1, 1) * (self._uniform(0, 1, count, 1, 1, 1) < 0.4)
        images = images + noise * self._normal(*images.shape)
        overlay = self._overlays[(self._uniform(0, 1, count) * len(self._overlays)).long()]
        alpha = overlay[:, 3:].float() / 255 * (self._uniform(0, 1, count, 1, 1, 1) < OVERLAY_SHARE)
        images = images * (1 - alpha) + overlay[:, :3].float() / 255 * alpha
        images = self._compressed(images.clamp(0, 1))
        bar = (self._size[1] - self._size[0] * 9 // 16) // 2
        bars = torch.zeros(count, 1, self._size[1], 1, dtype=torch.bool, device=self._device)
        bars[:, :, :bar], bars[:, :, self._size[1] - bar :] = True, True
        bars = bars & (self._uniform(0, 1, count, 1, 1, 1) < BARS_SHARE)
        images = torch.where(bars, GREY, images.clamp(0, 1))
        return images, torch.where(bars, 1.0, alpha)

    def _recoloured(self, images: torch.Tensor, classes: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Give all referees or all goalkeepers of some samples kits of another colour.

        There are few matches to learn from, and so few kits: what has to be learned is that these wear a
        colour that nobody else wears.
        """
        for class_id in (GOALKEEPER, REFEREE):
            use = self._uniform(0, 1, len(images), 1) < RECOLOURED_SHARE
            mask = _inside_any(boxes, (classes == class_id) & use, self._size)
            red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
            mask = mask[:, None] & ~((green > 1.08 * red) & (green > 1.08 * blue))
            colour = self._uniform(0, 1, len(images), 3, 1, 1)
            kit = colour * (0.4 + images.mean(1, keepdim=True))
            images = torch.where(mask, 0.2 * images + 0.8 * kit, images)
        return images

    def _colours(self, images: torch.Tensor) -> torch.Tensor:
        count = len(images)
        grey = (images * torch.tensor([0.299, 0.587, 0.114], device=self._device).view(1, 3, 1, 1)).sum(
            1, keepdim=True
        )
        saturation = self._uniform(0.55, 1.45, count, 1, 1, 1)
        saturation = torch.where(self._uniform(0, 1, count, 1, 1, 1) < 0.03, 0.0, saturation)
        images = grey + (images - grey) * saturation
        images = _turned_hue(images, self._uniform(-0.25, 0.25, count))
        gains = torch.exp(0.06 * self._normal(count, 3, 1, 1) + 0.15 * self._normal(count, 1, 1, 1))
        contrast = self._uniform(0.7, 1.3, count, 1, 1, 1)
        middle = images.mean((2, 3), keepdim=True)
        images = ((images - middle) * contrast + middle) * gains
        gamma = torch.exp(self._uniform(-0.4, 0.4, count, 1, 1, 1))
        return images.clamp(1e-4, 1).pow(gamma)

    def _sharpness(self, images: torch.Tensor) -> torch.Tensor:
        """A quarter of the samples are blurred as by a smaller transmission, a tenth sharpened."""
        count = len(images)
        factor = float(self._uniform(0.45, 0.9, 1))
        small = functional.interpolate(images, scale_factor=factor, mode="bilinear", antialias=True)
        blurred = functional.interpolate(small, images.shape[2:], mode="bilinear")
        kind = self._uniform(0, 1, count, 1, 1, 1)
        images = torch.where(kind < 0.25, blurred, images)
        return torch.where(kind > 0.9, images + 0.7 * (images - blurred), images)

    def _compressed(self, images: torch.Tensor) -> torch.Tensor:
        """Quantise half of the samples in the discrete cosine domain, coarser for higher frequencies."""
        count, channels, height, width = images.shape
        step = self._uniform(0.005, 0.05, count, 1, 1, 1) * (self._uniform(0, 1, count, 1, 1, 1) < 0.5)
        blocks = images.view(count, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
        blocks = blocks.permute(0, 1, 2, 4, 3, 5).reshape(count, -1, BLOCK, BLOCK)
        coefficients = self._dct @ blocks @ self._dct.T
        order = torch.arange(BLOCK, device=self._device, dtype=torch.float32)
        steps = (step * (1 + 0.7 * (order[:, None] + order[None]))).clamp(min=1e-6)
        blocks = self._dct.T @ ((coefficients / steps).round() * steps) @ self._dct
        blocks = blocks.view(count, channels, height // BLOCK, width // BLOCK, BLOCK, BLOCK)
        coded = blocks.permute(0, 1, 2, 4, 3, 5).reshape(images.shape)
        return torch.where(step > 0, coded, images)

    def _present(self, classes: torch.Tensor, boxes: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
        """Which objects remain, (count, m): enough of them inside, and not behind an overlay; clips them."""
        width, height = self._size
        whole = (boxes[..., 2:] - boxes[..., :2]).prod(2)
        limit = torch.tensor([width, height, width, height], device=self._device)
        if self._task == "pitch":
            centre = (boxes[..., :2] + boxes[..., 2:]) / 2
            inside = ((centre >= 0) & (centre < limit[:2])).all(2)
        else:
            boxes.copy_(torch.minimum(boxes.clamp(min=0), limit))
            sides = boxes[..., 2:] - boxes[..., :2]
            ball = classes == BALL
            large = (sides >= torch.where(ball, 0.8, MINIMUM_SIDE)[..., None]).all(2)
            inside = large & (sides.prod(2) >= MINIMUM_VISIBLE * whole)
        covered = _mean_inside(alpha[:, 0], boxes) > 0.6
        return (classes >= 0) & inside & ~covered


def _inside_any(boxes: torch.Tensor, chosen: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Which pixels, (count, height, width), lie in one of the chosen (count, m) boxes (count, m, 4)."""
    width, height = size
    limit = torch.tensor([width, height, width, height], device=boxes.device)
    edges = torch.minimum(boxes.round().clamp(min=0), limit).long()
    marks = torch.zeros(len(boxes), height + 1, width + 1, device=boxes.device)
    row = torch.arange(len(boxes), device=boxes.device)[:, None].expand_as(chosen)
    weight = chosen.float()
    for y, x, sign in ((1, 0, 1.0), (1, 2, -1.0), (3, 0, -1.0), (3, 2, 1.0)):
        marks.index_put_((row, edges[..., y], edges[..., x]), sign * weight, accumulate=True)
    return marks.cumsum(1).cumsum(2)[:, :height, :width] > 0.5


def _mean_inside(alpha: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """The mean of (count, height, width) inside each box (count, m, 4), by a table of sums."""
    count, height, width = alpha.shape
    sums = torch.zeros(count, height + 1, width + 1, device=alpha.device)
    sums[:, 1:, 1:] = alpha.cumsum(1).cumsum(2)
    low = boxes[..., :2].floor().long()
    high = torch.maximum(boxes[..., 2:].ceil().long(), low + 1)
    x1, x2 = low[..., 0].clamp(0, width), high[..., 0].clamp(0, width)
    y1, y2 = low[..., 1].clamp(0, height), high[..., 1].clamp(0, height)
    row = torch.arange(count, device=alpha.device)[:, None]
    total = sums[row, y2, x2] - sums[row, y1, x2] - sums[row, y2, x1] + sums[row, y1, x1]
    return total / ((x2 - x1) * (y2 - y1)).clamp(min=1)


def _turned_hue(images: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """Turn the hue of each picture by an angle in radians, in the plane of I and Q of the NTSC colours."""
    to_yiq = torch.tensor(
        [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]], device=images.device
    )
    cos, sin = turn.cos(), turn.sin()
    rotation = torch.eye(3, device=images.device).repeat(len(images), 1, 1)
    rotation[:, 1, 1], rotation[:, 1, 2], rotation[:, 2, 1], rotation[:, 2, 2] = cos, -sin, sin, cos
    matrix = torch.linalg.inv(to_yiq) @ rotation @ to_yiq
    return torch.einsum("nij,njhw->nihw", matrix, images)


def _dct_matrix(device: torch.device) -> torch.Tensor:
    """The orthonormal discrete cosine transform of `BLOCK` values."""
    k = torch.arange(BLOCK, dtype=torch.float32)
    matrix = torch.cos(math.pi * (2 * k[None] + 1) * k[:, None] / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix.to(device)
