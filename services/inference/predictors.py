"""Predictors by name: the bundled models, or what another distribution plugs in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, runtime_checkable

from services.errors import BrokenPlugin, InferenceError, TouchlineError
from services.plugin_discovery import PREDICTORS, Plugin, find
from services.settings import BUNDLED, Settings
from services.video.letterbox import Frame, Letterbox

BUILT_IN = {BUNDLED: "services.inference.models:load_models"}


class LoadedPredictor(Protocol):
    """A predictor that a process holds, whatever stands behind it.

    Attributes:
        device: What it runs on, for logs and health.
        slots: Batches that may be given to it at once.
    """

    device: str
    slots: int

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> Sequence[Any]:
        """One result for each frame."""

    def warm(self, settings: Settings) -> object:
        """Run what a challenge would run."""

    def touch(self, settings: Settings) -> object:
        """Keep the device awake."""


@runtime_checkable
class Interruptible(Protocol):
    """A predictor whose running calls can be ended: nobody wants what they find any more."""

    def interrupt(self) -> None:
        """End the calls that run now; `predict` then raises, as soon as it can."""


class PluggedPredictor:
    """Somebody else's predictor: its errors become ours, its results are counted.

    Args:
        plugin: Where it came from.
        inner: What its factory gave.
        device: The device it was given.
    """

    def __init__(self, plugin: Plugin, inner: Any, device: str) -> None:
        self._plugin = plugin
        self._inner = inner
        self.device = str(getattr(inner, "device", device))
        self.slots = max(1, int(getattr(inner, "slots", 1)))
        # keep-warm and a challenge must not exceed what the plug-in allows
        self._free = threading.Semaphore(self.slots)

    def __str__(self) -> str:
        return f"predictor {self._plugin.name!r} ({self._plugin.source})"

    def interrupt(self) -> None:
        """Ask it to end its running calls, if it can."""
        if isinstance(self._inner, Interruptible):
            self._inner.interrupt()

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> Sequence[Any]:
        """Its results for a batch.

        Raises:
            InferenceError: It failed, or gave another number of results than there were frames.
        """
        with self._free, self._mapped("predict"):
            results: Sequence[Any] = self._inner.predict(frames, letterbox)
        if len(results) != len(frames):
            raise InferenceError(f"{self} gave {len(results)} results for {len(frames)} frames")
        return results

    @property
    def conclude(self) -> Callable[..., Any] | None:
        """What turns a clip's results into its prediction; None for a predictor that has no such method."""
        inner = getattr(self._inner, "conclude", None)
        if inner is None:
            return None

        def conclude(*args: Any) -> Any:
            with self._mapped("conclude"):
                return inner(*args)

        return conclude

    def warm(self, settings: Settings) -> None:
        """Its own warm-up, where it has one."""
        self._optional("warm", settings)

    def touch(self, settings: Settings) -> None:
        """Its own touch, where it has one."""
        with self._free:
            self._optional("touch", settings)

    def _optional(self, name: str, settings: Settings) -> None:
        method = getattr(self._inner, name, None)
        if method is not None:
            with self._mapped(name):
                method(settings)

    def _mapped(self, what: str) -> AbstractContextManager[None]:
        return _mapped(f"{self}: {what}() failed")


@contextmanager
def _mapped(what: str) -> Any:
    try:
        yield
    except TouchlineError:
        raise
    except Exception as error:  # noqa: BLE001 - a plug-in may raise whatever it likes
        raise InferenceError(f"{what}: {type(error).__name__}: {error}") from error


def find_predictors() -> dict[str, Plugin]:
    """All predictors that are installed, by name.

    Raises:
        BrokenPlugin: A name is taken twice.
    """
    return find(PREDICTORS, BUILT_IN)


def load_predictor(name: str, settings: Settings) -> LoadedPredictor:
    """Make the predictor of a name.

    Args:
        name: `bundled`, or the name of an entry point: a factory that takes settings and a device.
        settings: The settings.

    Raises:
        BrokenPlugin: There is none of that name, or it cannot be made.
        ModelNotReady: A model file of the bundled predictor does not fit.
    """
    found = find_predictors()
    if name not in found:
        raise BrokenPlugin(f"PREDICTOR names {name!r}; installed: {', '.join(sorted(found))}")
    plugin = found[name]
    factory = plugin.load()
    if name == BUNDLED:
        bundled: LoadedPredictor = factory(settings)
        return bundled
    device = _device(settings.device)
    try:
        inner = factory(settings, device)
    except TouchlineError:
        raise
    except Exception as error:  # noqa: BLE001 - a plug-in may raise whatever it likes
        raise BrokenPlugin(
            f"predictor {name!r} ({plugin.source}) cannot be made: {type(error).__name__}: {error}"
        ) from error
    if not callable(getattr(inner, "predict", None)):
        raise BrokenPlugin(f"predictor {name!r} ({plugin.source}) gave {inner!r}, which cannot predict()")
    return PluggedPredictor(plugin, inner, device)


def _device(wanted: str) -> str:
    """The device for a plug-in; torch is asked where it is installed, and is not needed."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        return "cpu" if wanted == "auto" else wanted
    from services.inference.devices import choose_device

    return choose_device(wanted)
