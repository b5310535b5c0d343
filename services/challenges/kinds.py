"""From the name of a challenge kind to the kind, and the kinds that a process serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.challenges.kind import Kind, Predictor
from services.errors import BrokenPlugin
from services.inference.predictors import LoadedPredictor, load_predictor
from services.plugin_discovery import CHALLENGES, Plugin, find
from services.settings import Settings
from services.wire.challenge import check_kind

BUILT_IN = {
    "gsr": "services.challenges.gsr_kind:GsrKind",
    "soccer_action": "services.challenges.soccer_action:SoccerActionKind",
    "cricket_delivery": "services.challenges.cricket_delivery:CricketDeliveryKind",
    "tv_predict": "services.challenges.tv_predict:TvPredictKind",
}
METHODS = ("plan", "predictor", "assemble")


@dataclass(frozen=True, slots=True)
class ServedKind:
    """A challenge kind with its predictor.

    Attributes:
        kind: The kind.
        predictor: What infers the frames, as the kind uses it.
        slots: Batches that it accepts at the same time.
        loaded: The predictor as it was loaded, which may say when its models ran.
    """

    kind: Kind[Any]
    predictor: Predictor[Any]
    slots: int
    loaded: object = None


@dataclass(frozen=True, slots=True)
class ServedKinds:
    """What a process answers.

    Attributes:
        kinds: By name.
        predictors: The loaded predictors, by name; several kinds may share one.
    """

    kinds: Mapping[str, ServedKind]
    predictors: Mapping[str, LoadedPredictor]

    def get(self, name: str) -> ServedKind:
        """The kind of that name.

        Raises:
            UnsupportedKind: It is not served here.
        """
        check_kind(name, self.kinds)
        return self.kinds[name]

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that predictors run on, each once."""
        return tuple(sorted({predictor.device for predictor in self.predictors.values()}))

    def touch(self, settings: Settings) -> None:
        """Keep every device awake."""
        for predictor in self.predictors.values():
            predictor.touch(settings)


def find_kinds() -> dict[str, Plugin]:
    """All kinds that are installed, by name; nothing is imported.

    Raises:
        BrokenPlugin: A name is taken twice.
    """
    return find(CHALLENGES, BUILT_IN)


def get_kind(name: str) -> Kind[Any]:
    """The kind of that name, loaded.

    Raises:
        BrokenPlugin: There is none, or it is not a kind; the text names its distribution.
    """
    found = find_kinds()
    if name not in found:
        raise BrokenPlugin(f"there is no challenge kind {name!r}; installed: {', '.join(sorted(found))}")
    plugin = found[name]
    loaded = plugin.load()
    try:
        kind = loaded() if isinstance(loaded, type) else loaded
    except Exception as error:  # noqa: BLE001 - a plug-in may raise whatever it likes
        raise BrokenPlugin(f"kind {name!r} ({plugin.source}) cannot be made: {error}") from error
    missing = [method for method in METHODS if not callable(getattr(kind, method, None))]
    if missing or getattr(kind, "name", None) != name:
        raise BrokenPlugin(
            f"{plugin.target} ({plugin.source}) is not a kind {name!r}: it lacks "
            + ", ".join(missing or [f"the attribute name = {name!r}"])
        )
    made: Kind[Any] = kind
    return made


def serve(
    settings: Settings, load: Callable[[str, Settings], LoadedPredictor] = load_predictor
) -> ServedKinds:
    """Load the kinds of SERVED_KINDS, each with its predictor; a predictor is loaded once.

    Args:
        settings: SERVED_KINDS, PREDICTOR and what predictors read.
        load: Makes the predictor of a name.

    Raises:
        BrokenPlugin: A kind or predictor cannot be found, loaded or used.
        ModelNotReady: A model does not fit.
    """
    predictors: dict[str, LoadedPredictor] = {}
    kinds: dict[str, ServedKind] = {}
    for name in settings.served_kinds:
        kind = get_kind(name)
        wanted = settings.predictor_for(name)
        if wanted not in predictors:
            predictors[wanted] = load(wanted, settings)
        loaded = predictors[wanted]
        kinds[name] = ServedKind(kind, kind.predictor(loaded), loaded.slots, loaded)
    return ServedKinds(kinds, predictors)
