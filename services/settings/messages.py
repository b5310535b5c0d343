"""What messages and documents say about a setting: its variable, its value, and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo


def variable_name(field: str) -> str:
    """The environment variable of a field."""
    return field.upper()


def allowed_values(info: FieldInfo) -> str:
    """What a setting may be, in words: type, limits, pattern or choices."""
    kinds = [kind for kind in get_args(info.annotation) or (info.annotation,) if kind is not type(None)]
    if get_origin(info.annotation) is Literal:
        return ", ".join(str(choice) for choice in kinds)
    if get_origin(info.annotation) is tuple:
        return "comma-separated list"
    words = {bool: "0 or 1", int: "whole number", float: "number", str: "text"}[kinds[0]]
    limits = {
        name: getattr(rule, name)
        for rule in info.metadata
        for name in ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern")
        if getattr(rule, name, None) is not None
    }
    if "pattern" in limits:
        return f"{words} matching {limits['pattern']}"
    if "max_length" in limits:
        return f"{words} of {limits['min_length']} to {limits['max_length']} characters"
    signs = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    return ", ".join(
        [words, *(f"{sign} {limits[name]:.10g}" for name, sign in signs.items() if name in limits)]
    )


def shown_value(name: str, value: Any) -> str:
    """A value as messages show it: without what may be a password."""
    if name in ("FLOWER_BASIC_AUTH", "HF_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS"):
        return "(hidden)"
    return re.sub(r"//[^/@]*@", "//***@", repr(value))


def describe_problem(problem: Any, fields: Mapping[str, FieldInfo]) -> str:
    """One line for one pydantic error: the variable, the value, and what is allowed.

    Args:
        problem: One of those that a validation error lists.
        fields: The settings by the names of their fields.
    """
    if not problem["loc"]:
        return f"settings: {problem['msg']}"
    field = str(problem["loc"][0]).lower()
    name = variable_name(field)
    allowed = f" (allowed: {allowed_values(fields[field])})" if field in fields else ""
    return f"{name}={shown_value(name, problem.get('input'))}: {problem['msg']}{allowed}"
