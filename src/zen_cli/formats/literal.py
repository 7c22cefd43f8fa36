"""Python literals -> JSON values: lists, dicts, strings and numbers as `print` or `repr` writes them.

Nothing is run: `ast.literal_eval` takes constants only. It is given short texts of limited depth, because Python's
parser needs about 100 times the memory of its input and one frame a bracket.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from .values import json_types

MAX_BYTES = 2**20
MAX_NESTING = 64
_TOKENS = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[\[({]|[\])}]", re.DOTALL)


def is_python_literal(text: bytes) -> bool:
    """Whether a document that is not JSON is one of Python, with its own quotes or its None, True or False."""
    return bool(re.match(rb"[\[{(\s]*'", text) or re.search(rb"[:,\[]\s*(?:None|True|False)\b", text))


def read_literal(data: bytes) -> Any:
    """The value of a literal, as JSON types.

    Raises:
        ValueError: what is wrong with it, to follow `is a Python literal that`.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"is longer than {MAX_BYTES >> 20} MiB; write it as JSON")
    text = data.decode("utf-8").strip()
    depth = 0
    for match in _TOKENS.finditer(text):
        depth += (match[0] in "[({") - (match[0] in "])}")
        if depth > MAX_NESTING:
            raise ValueError(f"is nested deeper than {MAX_NESTING} levels; a network needs 4")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        place = f" (line {error.lineno}, column {error.offset})" if error.lineno else ""
        raise ValueError(f"cannot be read{place}; close its brackets and quotes") from None
    except (RecursionError, MemoryError, OverflowError, ValueError):
        raise ValueError("cannot be read; write it as JSON") from None
    try:
        value = ast.literal_eval(tree)
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise ValueError(f"holds {_not_constant(tree)}, which is not run; write plain values") from None
    try:
        return json_types(value)
    except ValueError as error:
        raise ValueError(f"holds {error}; write plain values") from None


def _not_constant(tree: ast.Expression) -> str:
    """What makes an expression more than a literal, for people."""
    names = {ast.Call: "a call", ast.Name: "a name", ast.Attribute: "a name", ast.ListComp: "a comprehension"}
    kinds = {type(node) for node in ast.walk(tree)}
    return next((text for kind, text in names.items() if kind in kinds), "an expression")
