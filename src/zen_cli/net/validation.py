"""Validation errors as one line a person can act on: where, what, and what would be right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from ..errors import nearest

_KINDS = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def explain(error: ValidationError, known_ops: Mapping[str, type[BaseModel]], model: type[BaseModel]) -> str:
    """The first fault of a document, and how many more there are.

    Args:
        error: what pydantic found.
        known_ops: the members of tagged unions by tag, which pydantic mixes into its locations.
        model: the model of the whole document.
    """
    faults = [fault for fault in error.errors(include_url=False) if not _is_echo(dict(fault))]
    first = faults[0]
    if first["type"] == "missing":  # more likely misspelt than forgotten, where its object has a key that nobody knows
        unknown = (fault for fault in faults if fault["type"] == "extra_forbidden")
        first = next((fault for fault in unknown if fault["loc"][:-1] == first["loc"][:-1]), first)
    text = _fault(dict(first), known_ops, model)
    more = len({fault["loc"] for fault in faults}) - 1
    return text + (f" (and {more} more)" if more else "")


def kind(value: object) -> str:
    """What a JSON value is: `a string`, `an object`, ..."""
    return _KINDS.get(type(value), "a number")


def show(value: object, limit: int = 40) -> str:
    """A value in a message: short, on one line."""
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)
    text = "".join(char if char.isprintable() else "?" for char in text)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _is_echo(fault: dict[str, Any]) -> bool:
    """Whether a tuple is only called too short because of the faulty items that pydantic left out."""
    return bool(fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"])


def _fault(fault: dict[str, Any], known_ops: Mapping[str, type[BaseModel]], model: type[BaseModel]) -> str:
    location = tuple(part for part in fault["loc"] if part not in known_ops)
    tag = next((part for part in fault["loc"] if part in known_ops), None)
    place, value, context = _place(location), fault["input"], fault.get("ctx", {})
    match fault["type"]:
        case "value_error":
            text = str(context["error"])
            return f"{place}.{text}" if place else text
        case "extra_forbidden":
            fields = known_ops[tag] if tag is not None else model
            return f"{place}: unknown key; {nearest(str(location[-1]), _keys(fields))}"
        case "missing":
            return f"{place}: missing; add it"
        case "union_tag_not_found":
            return f"{place}.op: missing; use one of {', '.join(known_ops)}"
        case "union_tag_invalid":
            return f"{place}.op: unknown op {show(context['tag'])}; {nearest(str(context['tag']), known_ops)}"
        case "literal_error":
            return f"{place}: {show(value)} is not known; use {context['expected']}"
        case "int_type" | "int_from_float" | "int_parsing_size":
            return f"{place}: must be a whole number, not {_typed(value)}"
        case "float_type" | "finite_number":
            return f"{place}: must be a finite number, not {_typed(value)}"
        case "string_type":
            return f"{place}: must be a string, not {_typed(value)}"
        case "string_pattern_mismatch":
            return f"{place}: holds a control character; use printable text"
        case "tuple_type" | "list_type":
            return f"{place}: must be an array, not {_typed(value)}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{place}: must be an object, not {_typed(value)}"
        case "greater_than_equal":
            return f"{place}: {show(value)} is too small; use at least {context['ge']}"
        case "greater_than":
            return f"{place}: {show(value)} is too small; use more than {context['gt']:g}"
        case "less_than_equal":
            return f"{place}: {show(value)} is too large; use at most {context['le']}"
        case "too_short":
            return f"{place}: is empty; give at least {context['min_length']}"
        case "too_long" | "string_too_long":
            return f"{place}: is too long; use at most {context['max_length']}"
    return f"{place}: {fault['msg']}"  # pragma: no cover - kinds of errors that the models cannot produce


def _typed(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (dict, list, type(None))):
        return kind(value)
    return f"{show(value)} ({kind(value)})" if isinstance(value, (str, bool)) else show(value)


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _place(location: tuple[Any, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")
