"""The public face: what front ends and plug-ins may import. Changing it means changing these lists."""

from __future__ import annotations

import ast
from pathlib import Path

import services.plugin
import tasks.client

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/touchline-example-plugin/touchline_example"
PUBLIC = {"services.plugin", "tasks.client"}


def exported(module: object) -> list[str]:
    """The public names that a module defines or imports from this project."""
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith(("services.", "tasks."))
    )


def test_a_front_end_may_import_these_names() -> None:
    assert tasks.client.__all__ == [
        "Answer",
        "ChallengeFrame",
        "Client",
        "Progress",
        "Submission",
        "submit",
    ]


def test_a_plugin_may_import_these_names() -> None:
    assert services.plugin.__all__ == [
        "Action",
        "Assembly",
        "BrokenPlugin",
        "Challenge",
        "ChallengeError",
        "ChallengeFrame",
        "Clip",
        "ClipFacts",
        "ClipPredictor",
        "CricketDelivery",
        "Detections",
        "DeviceLost",
        "Frame",
        "FramePlan",
        "FrameResult",
        "InferenceError",
        "Keypoints",
        "Kind",
        "Letterbox",
        "LoadedPredictor",
        "ModelNotReady",
        "OutOfDeviceMemory",
        "Predictor",
        "Settings",
        "plan_from_settings",
    ]


def test_the_plugin_module_exports_all_that_it_imports() -> None:
    assert exported(services.plugin) == services.plugin.__all__


def test_the_example_plugin_imports_nothing_private() -> None:
    for path in sorted(EXAMPLE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("services", "tasks")):
                assert node.module in PUBLIC, f"{path.name} imports {node.module}"
