"""Every number that has a name says what it counts, and why it is that number."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted(path for folder in ("services", "tasks", "lab") for path in (ROOT / folder).rglob("*.py"))


def is_number(value: ast.expr | None) -> bool:
    match value:
        case ast.Constant(value=found):
            return isinstance(found, int | float) and not isinstance(found, bool)
        case ast.UnaryOp(operand=operand):
            return is_number(operand)
        case ast.BinOp(left=left, right=right):
            return is_number(left) and is_number(right)
        case ast.Tuple(elts=parts):
            return bool(parts) and all(map(is_number, parts))
    return False


def undocumented(source: str) -> Iterator[str]:
    """Names of numeric constants of a module without a docstring behind them."""
    body = ast.parse(source).body
    for statement, after in zip_longest(body, body[1:]):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                pass
            case _:
                continue
        documented = (
            isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        )
        if name.lstrip("_").isupper() and is_number(value) and not documented:
            yield name


def test_constants_without_a_docstring_are_found() -> None:
    source = 'WAIT_S: Final = 2.0\n"""Seconds."""\nMOST = 2 << 20\nNAME = "x"\n_SIZE = (1, 2)\nlower = 3\n'
    assert list(undocumented(source)) == ["MOST", "_SIZE"]


def test_every_numeric_constant_has_a_docstring() -> None:
    found = {str(path.relative_to(ROOT)): list(undocumented(path.read_text())) for path in FILES}
    assert {path: names for path, names in found.items() if names} == {}
