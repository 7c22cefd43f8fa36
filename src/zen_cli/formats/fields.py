"""Reading the objects of other programs key by key, with faults that name the place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import SpecError, nearest
from ..net.validation import MAX_ITEMS, kind, show

MOST = 2**31


class Fields:
    """An object of a document and where it is; each method reads a key, or raises a SpecError that says what it needs.

    Args:
        value: what should be an object.
        place: what messages start with.
        known: all keys that may be there; None: any.
    """

    def __init__(self, value: Any, place: str, known: Iterable[str] | None = None) -> None:
        if not isinstance(value, Mapping):
            raise SpecError(f"{place}: must be an object, not {kind(value)}")
        self.place = place
        self._value = value
        if known is not None and (unknown := next((key for key in value if key not in known), None)) is not None:
            raise self.fault(str(unknown), f"unknown key; {nearest(str(unknown), known)}")

    def fault(self, key: str, text: str) -> SpecError:
        """The error that says what is wrong with a key, as `fault; fix`."""
        return SpecError(f"{self.place}.{key}: {text}")

    def __contains__(self, key: str) -> bool:
        return self._value.get(key) is not None

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key as it is; the default also where it is null."""
        value = self._value.get(key)
        return default if value is None else value

    def whole(self, key: str, default: int | None = None, *, least: int = 1) -> int:
        """A whole number."""
        return self._whole(key, self.get(key, default), least)

    def number(self, key: str, default: float | None = None) -> float:
        """A number of at least 0."""
        value = self.get(key, default)
        self._need(key, value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < MOST:
            raise self.fault(key, f"must be a number of at least 0, not {show(value)}")
        return float(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise self.fault(key, f"must be true or false, not {show(value)}")
        return value

    def word(self, key: str, known: Iterable[str], default: str | None = None) -> str:
        """One of some words."""
        value = self.get(key, default)
        self._need(key, value)
        if not isinstance(value, str) or value not in known:
            raise self.fault(key, f"{show(value)} is not known; {nearest(str(value), known)}")
        return value

    def items(self, key: str) -> list[Any]:
        """An array that is not empty."""
        value = self.get(key)
        self._need(key, value)
        if not isinstance(value, list) or not 0 < len(value) <= MAX_ITEMS:
            raise self.fault(key, f"must be an array of 1 to {MAX_ITEMS}, not {show(value)}")
        return value

    def wholes(self, key: str, count: int | None = None) -> list[int]:
        """An array of whole numbers, of which there are so many."""
        values = [self._whole(f"{key}[{index}]", value, 1) for index, value in enumerate(self.items(key))]
        if count is not None and len(values) != count:
            raise self.fault(key, f"has {len(values)} numbers where {count} are needed; give one a stage")
        return values

    def inner(self, key: str, known: Iterable[str] | None = None) -> Fields:
        """An object inside of it."""
        self._need(key, self.get(key))
        return Fields(self.get(key), f"{self.place}.{key}", known)

    def inners(self, key: str, known: Iterable[str] | None = None) -> list[Fields]:
        """An array of objects."""
        return [Fields(value, f"{self.place}.{key}[{index}]", known) for index, value in enumerate(self.items(key))]

    def _need(self, key: str, value: Any) -> None:
        if value is None:
            raise self.fault(key, "missing; add it")

    def _whole(self, key: str, value: Any, least: int) -> int:
        self._need(key, value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < MOST:
            raise self.fault(key, f"must be a whole number of at least {least}, not {show(value)}")
        return value
