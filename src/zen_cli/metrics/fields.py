"""What a settings model says about its fields: their choices, their bounds, and one line for a value that does not fit.

Options of the command line, completion and messages are derived from here: a bound is written once, in the model.
"""

from __future__ import annotations

from typing import Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from ..errors import UsageError, nearest

Number = int | float


def choices(model: type[BaseModel], name: str) -> tuple[str, ...]:
    """The words that a field takes; none if it takes anything else."""
    annotation = model.model_fields[name].annotation
    for part in (annotation, *get_args(annotation)):  # X, or X | None
        if get_origin(part) is Literal:
            return get_args(part)
    return ()


def bounds(model: type[BaseModel], name: str) -> tuple[Number | None, Number | None]:
    """The least and the greatest value of a numeric field, both included; None where there is no bound."""
    low, high = None, None
    for rule in model.model_fields[name].metadata:
        low, high = getattr(rule, "ge", low), getattr(rule, "le", high)
    return low, high


def usage_error(error: ValidationError, model: type[BaseModel]) -> UsageError:
    """The first fault of a model's fields as `field: fault; fix`.

    Args:
        error: what pydantic found.
        model: the model of the settings. A text field with a pattern gives `examples` of what to use instead.
    """
    fault = error.errors(include_url=False)[0]
    if fault["type"] == "value_error":  # a rule of the model, which is a message already
        return UsageError(str(fault["ctx"]["error"]))
    name, value = str(fault["loc"][0]), fault["input"]
    field = model.model_fields.get(name)
    if field is None:
        return UsageError(f"{name}: is no setting; {nearest(name, model.model_fields)}")
    if words := choices(model, name):
        return UsageError(f"{name}: unknown {value!r}; {nearest(str(value), words)}")
    if field.examples:
        return UsageError(f"{name}: unknown {value!r}; use {' or '.join(map(str, field.examples))}")
    low, high = (f"{bound:.15g}" if isinstance(bound, float) else str(bound) for bound in bounds(model, name))
    limits = f"at least {low}" if high == "None" else f"at most {high}" if low == "None" else f"{low} to {high}"
    if not isinstance(value, (int, float)):
        return UsageError(f"{name}: {value!r} is not a number; use {limits}")
    if fault["type"] == "int_from_float":
        return UsageError(f"{name}: {value} is not a whole number; use {limits}")
    return UsageError(f"{name}: {value} is out of range; use {limits}")
