"""Generates the documentation of the settings from their declarations.

    python -m touchline_lab.settings_reference            write the files
    python -m touchline_lab.settings_reference --check    name the files that are out of date (exit code 1)

The files are `.env.example`, `docs/reference/settings.md`, and `compose/settings.yml`, which passes every
setting of the shell or of `.env` on to a container.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from services.settings import Settings
from services.settings.messages import allowed_values, variable_name

ROOT = Path(__file__).resolve().parents[2]
NOTE = "Generated from services/settings/ by `make settings`."
"""Stands in every generated file."""

GROUPS = {
    "use_connection_pool": "Common settings",
    "redis_url": "Queue",
    "served_kinds": "Challenge kinds",
    "origins": "Download",
    "max_frames": "Video",
    "detector_model": "Models",
    "gateway_host": "Gateway",
    "log_level": "Logs, metrics, traces and Flower",
}
"""Heading of each group, by the field that begins it; groups follow the order of the class."""

COMPOSE_ONLY = (
    ("ACCEL", "nvidia", "nvidia reserves the GPUs of the machine; cpu runs without and sets DEVICE=cpu."),
    (
        "MODELS_DIR",
        "./models",
        "Folder of your own models, /models in the worker: DETECTOR_MODEL=/models/mine.pt.",
    ),
    (
        "CERTS_DIR",
        "./compose/certs",
        "Folder of your own authorities, /certs in the worker: CA_FILE=/certs/ca.pem.",
    ),
    ("REDIS_PASSWORD", "", "Password of the Redis in the compose file."),
    ("REDIS_PORT", "6379", "Port of Redis on 127.0.0.1, for a front end on this machine."),
    ("ALERT_WEBHOOK_URL", "", "URL that Alertmanager posts alerts to (profile monitoring)."),
    ("ALERT_DISCORD_URL", "", "Webhook of a Discord channel for alerts."),
    ("ALERT_TELEGRAM_TOKEN", "", "Token of a Telegram bot that sends alerts to ALERT_TELEGRAM_CHAT."),
    ("ALERT_TELEGRAM_CHAT", "", "Number of the Telegram chat."),
    ("GRAFANA_PASSWORD", "", "Password of Grafana's user admin; unset: the one that Grafana comes with."),
    ("GRAFANA_PORT", "3000", "Port of Grafana on 127.0.0.1."),
    ("PROMETHEUS_PORT", "9090", "Port of Prometheus on 127.0.0.1."),
    (
        "TORCH_INDEX",
        "",
        "Index that the image takes torch from; PyTorch's own CPU index makes a small image.",
    ),
)
"""Variables that only docker-compose.yml reads: name, default, meaning."""


def default_text(field: str) -> str:
    """The default of a field, as it is written in the environment."""
    value = Settings.model_fields[field].default
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def description(field: str) -> str:
    """The description of a field.

    Raises:
        ValueError: The field has none.
    """
    text = Settings.model_fields[field].description
    if not text:
        raise ValueError(f"{field} has no description")
    return text


def env_example() -> str:
    """Generate `.env.example`: every setting is commented out, so that a copy does not fix any default."""
    lines = [
        "# Every setting with its default. Copy to .env and uncomment what you change.",
        "# Variables of the environment take precedence.",
        f"# {NOTE}",
    ]
    for field in Settings.model_fields:
        if field in GROUPS:
            lines += ["", f"# ---- {GROUPS[field]} ----"]
        lines += textwrap.wrap(
            f"{description(field)} Allowed: {allowed_values(Settings.model_fields[field])}.",
            108,
            initial_indent="# ",
            subsequent_indent="# ",
        )
        lines.append(f"#{variable_name(field)}={default_text(field)}")
    lines += ["", "# ---- Docker only ----"]
    for name, default, meaning in COMPOSE_ONLY:
        lines += [f"# {meaning}", f"#{name}={default}"]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def settings_page() -> str:
    """Generate `docs/reference/settings.md`: a table for each group."""
    lines = [
        "# Settings",
        "",
        f"<!-- {NOTE} -->",
        "",
        "Set in the environment or in a `.env` file in the working directory; the environment takes",
        "precedence, and an empty value counts as unset. A value that is not allowed stops the start with a",
        "message that names the variable, the value and what is allowed.",
    ]
    for field in Settings.model_fields:
        if field in GROUPS:
            lines += [
                "",
                f"## {GROUPS[field]}",
                "",
                "| Name | Default | Allowed | Meaning |",
                "|---|---|---|---|",
            ]
        default = f"`{default_text(field)}`" if default_text(field) else "unset"
        cells = (
            f"`{variable_name(field)}`",
            default,
            allowed_values(Settings.model_fields[field]),
            description(field),
        )
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    lines += [
        "",
        "## Docker only",
        "",
        "Variables that only `docker-compose.yml` reads; see `docs/guides/docker.md`.",
        "",
    ]
    lines += ["| Name | Default | Meaning |", "|---|---|---|"]
    for name, default, meaning in COMPOSE_ONLY:
        lines.append(f"| `{name}` | {f'`{default}`' if default else 'unset'} | {_cell(meaning)} |")
    return "\n".join(lines) + "\n"


def compose_settings() -> str:
    """Generate `compose/settings.yml`: compose passes names without a value on if they are set."""
    lines = [
        f"# {NOTE}",
        "# A name without a value is passed on from the shell or .env when it is set there.",
    ]
    lines += ["services:", "  settings:", "    environment:"]
    lines += [f"      {variable_name(field)}:" for field in Settings.model_fields]
    return "\n".join(lines) + "\n"


FILES = {
    ".env.example": env_example,
    "docs/reference/settings.md": settings_page,
    "compose/settings.yml": compose_settings,
}


def outdated(root: Path = ROOT) -> list[str]:
    """The generated files that differ from what is in the folder `root`."""
    return [
        name
        for name, render in FILES.items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != render()
    ]


def main(arguments: list[str]) -> int:
    """Write the files, or check them; returns the exit code."""
    stale = outdated()
    if "--check" in arguments:
        for name in stale:
            print(f"{name} is out of date: make settings", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        target = ROOT / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(FILES[name](), encoding="utf-8")
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
