"""All settings together, checks of their values, and values that follow from several of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import ValidationInfo, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.settings.constants import BUNDLED, DEFAULT_REDIS_URL, DETECTED_CLASSES
from services.settings.download import DownloadSettings
from services.settings.gateway import GatewaySettings
from services.settings.kinds import KindSettings
from services.settings.models import ModelSettings
from services.settings.monitoring import MonitoringSettings
from services.settings.operators import OperatorSettings
from services.settings.queue import QueueSettings
from services.settings.video import VideoSettings


# pydantic takes fields from the last base first: from the bottom up, this is the order of the reference
class Settings(
    MonitoringSettings,
    GatewaySettings,
    ModelSettings,
    VideoSettings,
    DownloadSettings,
    KindSettings,
    QueueSettings,
    OperatorSettings,
):
    """The settings; each field's description is its documentation (docs/reference/settings.md)."""

    model_config = SettingsConfigDict(
        defer_build=False,  # only this class is validated, so the groups leave that work to it
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    @field_validator(
        "origins", "allowed_hosts", "no_proxy", "served_kinds", "predictor", "class_map", mode="before"
    )
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _gpus_fit_device(self) -> Self:
        if self.gpus is not None and self.device not in ("auto", "cuda", "cpu"):
            raise ValueError(
                f"GPUS={self.gpus} names the devices already: DEVICE={self.device} contradicts it"
            )
        if self.gpus is not None and self.spare_children:
            raise ValueError(
                f"GPUS={self.gpus} gives each child a device of its own: SPARE_CHILDREN must be 0"
            )
        if len(set(self.listed_gpus)) != len(self.listed_gpus):
            raise ValueError(f"GPUS={self.gpus} names a device twice")
        return self

    @model_validator(mode="after")
    def _deadline_leaves_time(self) -> Self:
        if self.gateway_deadline_s <= self.gateway_reserve_s:
            raise ValueError(
                f"GATEWAY_DEADLINE_S={self.gateway_deadline_s:g} has to be more than "
                f"GATEWAY_RESERVE_S={self.gateway_reserve_s:g}"
            )
        return self

    @property
    def second_ball_pass(self) -> bool:
        """Whether BALL_SEARCH is on, or auto and the detector is a bundled one."""
        bundled = str(type(self).model_fields["detector_model"].default)
        own = self.detector_model in (bundled, f"{bundled}-rendered") and self.ball_model is None
        return self.ball_search == "on" or (self.ball_search == "auto" and own)

    @property
    def fine_ball_detector(self) -> bool:
        """Whether the fine ball detector runs: BALL_SEARCH is on, or auto and the detector the default one.

        Beside the small detector that knows rendered pictures only it would take twice as long as that.
        """
        default = self.detector_model == type(self).model_fields["detector_model"].default
        return self.second_ball_pass and (self.ball_search == "on" or default)

    @property
    def listed_gpus(self) -> tuple[int, ...]:
        """The numbers in GPUS; none for `all` and when it is unset."""
        return () if self.gpus in (None, "all") else tuple(int(part) for part in self.gpus.split(","))

    def child_count(self, gpus: int) -> int:
        """Child processes of a worker, spare ones included; `gpus` is the number of devices of GPUS."""
        return (gpus or self.worker_concurrency) + self.spare_children

    @field_validator("served_kinds")
    @classmethod
    def _kinds_are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("name at least one kind, and none twice")
        return value

    @field_validator("predictor")
    @classmethod
    def _one_predictor_for_each(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        kinds = [part.partition("=")[0].strip() if "=" in part else "" for part in value]
        if not value or len(set(kinds)) < len(kinds) or any(part.endswith("=") for part in value):
            raise ValueError(
                "one name for all kinds, or kind=name for some and at most one name for the rest"
            )
        unserved = sorted(set(kinds) - {"", *info.data.get("served_kinds", kinds)})
        if unserved:
            raise ValueError(f"SERVED_KINDS does not name {', '.join(unserved)}")
        return value

    def predictor_for(self, kind: str) -> str:
        """The name in PREDICTOR that goes with a kind; `bundled` where none does."""
        named = {head.strip(): name.strip() for head, sign, name in map(_halves, self.predictor) if sign}
        rest = next((part for part in self.predictor if "=" not in part), BUNDLED)
        return named.get(kind, rest)

    def img_size_for(self, kind: str) -> int:
        """Longer side of the models' input for a challenge kind, pixels."""
        larger = kind == "soccer_action" and self.predictor_for(kind) == BUNDLED
        return max(self.img_size, self.action_img_size) if larger else self.img_size

    @property
    def bundled_img_sizes(self) -> tuple[int, ...]:
        """The sizes, rising, of `img_size_for` that the bundled models get from the served kinds.

        IMG_SIZE where no served kind takes them.
        """
        kinds = [kind for kind in self.served_kinds if self.predictor_for(kind) == BUNDLED]
        return tuple(sorted({self.img_size_for(kind) for kind in kinds})) or (self.img_size,)

    @property
    def uses_bundled(self) -> bool:
        """Whether a served kind takes the bundled predictor, and with it DETECTOR_MODEL and PITCH_MODEL."""
        return any(self.predictor_for(kind) == BUNDLED for kind in self.served_kinds)

    @property
    def model_cache_folder(self) -> Path:
        """MODEL_CACHE_DIR, with the home directory filled in."""
        return Path(self.model_cache_dir).expanduser()

    @property
    def broker_url(self) -> str:
        """`redis_url`, or the default when it is unset."""
        return self.redis_url or DEFAULT_REDIS_URL

    @field_validator("class_map")
    @classmethod
    def _classes_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            name, separator, wanted = item.rpartition("=")
            if not separator or not name.strip() or wanted.strip() not in DETECTED_CLASSES:
                raise ValueError(f"{item!r} is not `name=class`, class being {', '.join(DETECTED_CLASSES)}")
        return value

    @field_validator("origins")
    @classmethod
    def _origins_are_urls(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not url.startswith(("https://", "http://")):
                raise ValueError(f"{url!r} is not an http(s) URL")
        return value


def _halves(text: str) -> tuple[str, str, str]:
    return text.partition("=")
