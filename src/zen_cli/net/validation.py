"""Validation errors as one line that a person can act on: where, what, and what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError

from ..errors import nearest, shorten

Model: TypeAlias = type[BaseModel]
Location: TypeAlias = tuple[str | int, ...]

MAX_ITEMS = 1000
MAX_KEYS = 100
MAX_VALUES = 100_000
_UNIONS = {"se": ("number", "object"), "resolution": ("side", "size")}  # keys of several types, and their tags
_KINDS = {dict: "an object", list: "an array", tuple: "an array", str: "a string", bool: "a boolean"}


def excess_size(data: dict[str, Any]) -> str:
    """Why a document is too large to validate, as `place: fault; fix`; empty if it is not.

    A validator keeps every fault that it finds, which can take 500 times the memory of the input. A valid document is
    far below these limits.
    """
    stack: list[tuple[Location, Any]] = [((), data)]
    left = MAX_VALUES
    while stack:
        location, value = stack.pop()
        is_object, count = isinstance(value, dict), len(value)
        most, what = (MAX_KEYS, "keys") if is_object else (MAX_ITEMS, "items")
        left -= count
        if count > most:
            place = f"{_place(location)}: " if location else ""
            return f"{place}holds {count} {what}; use at most {most}"
        if left < 0:
            return f"holds more than {MAX_VALUES} values; use fewer blocks"
        items = value.items() if is_object else enumerate(value)
        stack += [((*location, key), item) for key, item in items if isinstance(item, (dict, list))]
    return ""


def first_fault(error: ValidationError, ops: Mapping[str, Model], model: Model) -> str:
    """The first fault of a document, and how many more there are.

    Args:
        error: what pydantic found.
        ops: the members of tagged unions by tag, which pydantic mixes into its locations.
        model: the model of the whole document.
    """
    faults = [fault for fault in error.errors(include_url=False) if not _is_echo(dict(fault))]
    first = faults[0]
    if first["type"] == "missing":  # more likely misspelt than forgotten, where its object has a key that nobody knows
        unknown = (fault for fault in faults if fault["type"] == "extra_forbidden")
        first = next((fault for fault in unknown if fault["loc"][:-1] == first["loc"][:-1]), first)
    text = _fault(dict(first), ops, model)
    more = len({fault["loc"] for fault in faults}) - 1
    return text + (f" (and {more} more)" if more else "")


def kind(value: object) -> str:
    """What a JSON value is: `a string`, `an object`, ..."""
    return "null" if value is None else _KINDS.get(type(value), "a number")


def show(value: object) -> str:
    """A value in a message, short however large it is."""
    if isinstance(value, str):
        return shorten(f'"{value[:50]}"')
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or (isinstance(value, (dict, list, tuple)) and value):
        return kind(value)
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number of more than 128 bits"
    return shorten(repr(value))


def _is_echo(fault: dict[str, Any]) -> bool:
    """Whether a tuple is only called too short because of the faulty items that pydantic left out."""
    return bool(fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"])


def _fault(fault: dict[str, Any], ops: Mapping[str, Model], model: Model) -> str:
    location, tag = _untagged(fault["loc"], ops)
    place, value, context = _place(location), fault["input"], fault.get("ctx", {})
    match fault["type"]:
        case "value_error":
            text = str(context["error"])
            return f"{place}.{text}" if place else text
        case "extra_forbidden":
            return f"{place}: unknown key; {nearest(str(location[-1]), _keys(ops[tag] if tag else model))}"
        case "missing":
            return f"{place}: missing; add it"
        case "union_tag_not_found":
            return f"{place}.op: missing; use one of {', '.join(ops)}"
        case "union_tag_invalid":
            return f"{place}.op: unknown op {show(context['tag'])}; {nearest(str(context['tag']), ops)}"
        case "literal_error":
            return f"{place}: {show(value)} is not known; use {context['expected']}"
        case "int_type" | "int_from_float" | "int_parsing_size":
            return f"{place}: must be a whole number{_meaning(location, model)}, not {_typed(value)}"
        case "float_type" | "finite_number":
            return f"{place}: must be a finite number, not {_typed(value)}"
        case "string_type":
            return f"{place}: must be a string, not {_typed(value)}"
        case "bool_type":
            return f"{place}: must be true or false, not {_typed(value)}"
        case "string_pattern_mismatch" | "string_unicode":
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


def _untagged(location: Location, ops: Mapping[str, Model]) -> tuple[Location, str | None]:
    """A location without the tag that pydantic puts after the index of a block, and the tag."""
    for key, kinds in _UNIONS.items():
        if key in location[:-1] and location[after := location.index(key) + 1] in kinds:
            location = location[:after] + location[after + 1 :]
    for index in range(1, len(location)):
        part = location[index]
        if isinstance(location[index - 1], int) and part in ops:
            return location[:index] + location[index + 1 :], str(part)
    return location, None


def _meaning(location: Location, model: Model) -> str:
    """What a number of the document itself means, as the model describes it."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    field = fields.get(str(location[0])) if len(location) == 1 else None
    return f" ({field.description})" if field is not None and field.description else ""


def _typed(value: object) -> str:
    if isinstance(value, (dict, list, type(None))):
        return kind(value)
    return f"{show(value)} ({kind(value)})" if isinstance(value, (str, bool)) else show(value)


def _keys(model: Model) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _place(location: Location) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{shorten(part)}" for part in location).removeprefix(".")
