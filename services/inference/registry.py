"""From the name of a model to its file."""

from __future__ import annotations

from pathlib import Path

from services.errors import ModelNotReady
from services.inference.hub_reference import FORM, PREFIX, HubReference
from services.inference.hub_store import HubStore
from services.settings import Settings, get_settings

WEIGHTS = Path(__file__).parent / "weights"


def bundled_models() -> tuple[str, ...]:
    """Names of the models that ship with the project."""
    return tuple(sorted(path.stem for path in WEIGHTS.glob("*.pt")))


def resolve_model(name: str, variable: str, settings: Settings | None = None, *, fetch: bool = True) -> Path:
    """The file, or folder for formats that are folders, of a model.

    Args:
        name: A bundled name, a path, or a reference to a file on a hub (`HubReference`).
        variable: The setting it came from, for the message.
        settings: Where hub models come from and are kept; by default those of this process.
        fetch: Download a hub model that is not there yet; it never happens while a challenge waits.

    Raises:
        ModelNotReady: There is no such model, or it cannot be had.
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
    bundled = WEIGHTS / f"{name}.pt"
    if bundled.is_file():
        return bundled
    path = Path(name).expanduser()
    if path.exists():
        return path
    raise ModelNotReady(
        f"{variable}={name!r}: no such file, no bundled model ({', '.join(bundled_models())}), and not {FORM}"
    )


def wanted_models(settings: Settings) -> dict[str, str]:
    """The models that the settings name, by variable."""
    found = {"DETECTOR_MODEL": settings.detector_model}
    if settings.ball_model is not None:
        found["BALL_MODEL"] = settings.ball_model
    if not settings.skip_pitch:
        found["PITCH_MODEL"] = settings.pitch_model
    return found
