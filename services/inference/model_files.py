"""From the name of a model to its file."""

from __future__ import annotations

from pathlib import Path

from services.errors import ModelNotReady
from services.inference.bundled_models import BUNDLED_MODELS, PACKAGE
from services.inference.hub_reference import FORM, PREFIX, HubReference
from services.inference.hub_store import HubStore
from services.settings import Settings, get_settings


def wanted_models(settings: Settings) -> dict[str, str]:
    """The names of the models that a worker needs, by the setting that names each."""
    found = {"DETECTOR_MODEL": settings.detector_model}
    if settings.ball_model is not None:
        found["BALL_MODEL"] = settings.ball_model
    if not settings.skip_pitch:
        found["PITCH_MODEL"] = settings.pitch_model
    return found


def resolve_model(name: str, variable: str, settings: Settings | None = None, *, fetch: bool = True) -> Path:
    """The file of a model, or its folder for formats that are folders.

    Args:
        name: A bundled name, a path, or a reference to a file on a hub (`HubReference`).
        variable: The setting that names it, for the message.
        settings: Where models of a hub come from and are kept; by default those of this process.
        fetch: Download a model of a hub that is not there yet; this never happens while a challenge waits.

    Raises:
        ModelNotReady: There is no such model, or it cannot be downloaded.
    """
    if name.startswith(PREFIX):
        store = HubStore.from_settings(settings or get_settings())
        reference = HubReference.parse(name)
        path = store.get(reference) if fetch else store.find(reference)
        if path is None:
            raise ModelNotReady(
                f"{variable}={name}: not downloaded yet; a worker does it when it starts, "
                "`touchline models fetch` does it now"
            )
        return path
    if name in BUNDLED_MODELS:
        bundled = BUNDLED_MODELS[name]
        if not bundled.is_file():
            raise ModelNotReady(f"{variable}={name}: the bundled weights are missing: pip install {PACKAGE}")
        return bundled
    path = Path(name).expanduser()
    if path.exists():
        return path
    raise ModelNotReady(
        f"{variable}={name!r}: no such file, no bundled model ({', '.join(BUNDLED_MODELS)}), and not {FORM}"
    )
