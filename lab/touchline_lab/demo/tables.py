"""The demo's results as tables."""

from __future__ import annotations

from rich.table import Table

from services.cli.timeline_table import timeline_table
from touchline_lab.demo.checks import Check
from touchline_lab.demo.run import DemoResult
from touchline_lab.evaluation.scoring import Score


def times_table(result: DemoResult) -> Table:
    """Both timelines side by side, with the times at the front end and the handshakes at the origin."""
    cold, warm = result.cold, result.warm
    table = timeline_table(
        {"cold": cold.answer.timeline, "warm": warm.answer.timeline},
        title=f"Where the time went: {len(result.clip.truth.frames)} frames, "
        f"{result.clip.path.stat().st_size / 1e6:.1f} MB",
    )
    table.add_section()
    table.add_row(
        "submit to answer",
        f"{cold.seconds * 1000:.0f}",
        f"{warm.seconds * 1000:.0f}",
        f"{(cold.seconds - warm.seconds) * 1000:+.0f}",
        style="bold",
    )
    table.add_row("TLS handshakes at the origin", str(cold.handshakes), str(warm.handshakes), "")
    return table


def accuracy_table(found: Score) -> Table:
    """The accuracy of the warm answer, by comparison with the ground truth of the rendered clip."""
    table = Table(
        title="Compared with the ground truth (every frame, boxes at an IoU of 0.5)", title_justify="left"
    )
    table.add_column("object")
    for name in ("recall", "precision", "true objects", "objects found"):
        table.add_column(name, justify="right")
    for name, score in found.objects.items():
        table.add_row(
            name, f"{score.recall:.3f}", f"{score.precision:.3f}", str(score.expected), str(score.given)
        )
    table.add_section()
    points = found.keypoints
    table.add_row("keypoints", f"{points.recall:.3f}", f"{1 - points.false_share:.3f}", "", "")
    table.caption = (
        f"error of the keypoints: median {points.median_error:.1f} px, "
        f"90th percentile {points.error_90:.1f} px"
    )
    table.caption_justify = "left"
    return table


def checks_table(held: list[Check], reached: list[Check]) -> Table:
    """The claims and the accuracy goals, one line each."""
    table = Table(title="Checks", title_justify="left", show_header=False)
    for check in held:
        table.add_row("[green]ok[/green]" if check.ok else "[red]failed[/red]", check.name, check.detail)
    table.add_section()
    for goal in reached:
        mark = "[green]reached[/green]" if goal.ok else "[yellow]not reached[/yellow]"
        table.add_row(mark, goal.name, goal.detail)
    return table
