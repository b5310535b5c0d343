"""From the name of a model to its file."""

from __future__ import annotations

from pathlib import Path

from services.errors import ModelNotReady

WEIGHTS = Path(__file__).parent / "weights"


def bundled_models() -> tuple[str, ...]:
    """Names of the models that ship with the project."""
    return tuple(sorted(path.stem for path in WEIGHTS.glob("*.pt")))


def resolve_model(name: str, variable: str) -> Path:
    """The file, or folder for formats that are folders, of a model.

    Args:
        name: A bundled name or a path.
        variable: The setting it came from, for the message.

    Raises:
        ModelNotReady: There is no such model.
    """
    bundled = WEIGHTS / f"{name}.pt"
    if bundled.is_file():
        return bundled
    path = Path(name).expanduser()
    if path.exists():
        return path
    raise ModelNotReady(
        f"{variable}={name!r}: no such file, and no bundled model ({', '.join(bundled_models())})"
    )
