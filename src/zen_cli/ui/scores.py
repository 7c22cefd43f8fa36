"""The scores of records in tables: each estimator in a column of its own, and captions that define every number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..metrics.columns import COLUMNS, Kind
from ..metrics.records import ScoreRecord, Zen
from .layout import Field
from .numbers import write_with_error

CLOSED_FORM, MONTE_CARLO, SEARCHED, VERIFIED = "closed form", "Monte-Carlo", "searched", "verified"
_ONLY = COLUMNS["zen"].title  # the title of a Zen-score that has no other beside it


class _Score(NamedTuple):
    """A number of a record: `definition` says all that it depends on besides its draws."""

    value: float
    std_error: float | None
    definition: tuple[str, str] | None = None
    draws: int | None = None


def is_verified(record: ScoreRecord) -> bool:
    """Whether a search gave its network a Monte-Carlo score by draws that the search itself has not seen."""
    search, zen = record.search, record.zen
    return search is not None and zen.estimator == "monte-carlo" and zen.seed != search.seed


def score_fields(records: Sequence[ScoreRecord]) -> list[Field]:
    """The columns of scores: of a search what it maximised, then the Zen-score that verifies it."""
    rows, fields = [_scores(record) for record in records], []
    for label in _labels(rows):
        found = [row.get(label) for row in rows]
        kind: Kind = "real" if any(score is not None and score.definition is None for score in found) else "nats"
        values, errors = write_with_error(
            [None if score is None else score.value for score in found],
            [None if score is None else score.std_error for score in found],
            kind,
        )
        fields.append(Field(_ONLY if _is_only(label, rows) else label, values))
        if errors is not None:
            fields.append(Field(COLUMNS["std_error"].title, errors))
    return fields


def captions(records: Sequence[ScoreRecord]) -> list[str]:
    """What the Zen-scores depend on: estimator, convention, norm, alpha and draws, a line for each that differs."""
    rows = [_scores(record) for record in records]
    draws: dict[tuple[str, tuple[str, str]], set[int]] = {}
    for label in _labels(rows):
        for score in (row[label] for row in rows if label in row):
            if score.definition is not None:
                counts = draws.setdefault((label, score.definition), set())
                counts |= set() if score.draws is None else {score.draws}
    lines = []
    for (label, (before, after)), counts in draws.items():
        count = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else str(*counts)
        text = f"{before}, {count} draw{'' if count == '1' else 's'} {after}" if counts else before
        lines.append(text if _is_only(label, rows) else f"{label}: {text}")
    search = records[0].search
    if search is not None and search.front is not None:
        if any(record.search is not None and record.search.gap is not None for record in records):
            lines.append("gap: what any network within the same limits may have above this one, by the closed form")
    elif search is not None and search.bound is not None:
        gap = "" if search.gap is None else f" (gap {search.gap:.2%})"
        lines.append(f"by the closed form no network of the space within the limits exceeds {search.bound:.2f}{gap}")
    return lines


def _scores(record: ScoreRecord) -> dict[str, _Score]:
    """The scores of a record by the title of their column, in the order of the columns."""
    zen, search = record.zen, record.search
    scores: dict[str, _Score] = {}
    if search is not None and search.proxy is not None:
        scores[search.proxy] = _Score(search.score, None)
    if not is_verified(record):
        other = MONTE_CARLO if search is None else SEARCHED
        label = CLOSED_FORM if zen.estimator == "mean-field" else other
        scores[label] = _Score(zen.value, zen.std_error, _definition(zen, zen.estimator, zen.seed), zen.draws)
        return scores
    assert search is not None  # or nothing would have verified it
    if search.proxy is None:
        closed = search.estimator == "mean-field"
        definition = _definition(zen, search.estimator, search.seed)
        scores[CLOSED_FORM if closed else SEARCHED] = _Score(
            search.score, None, definition, None if closed or search.race is not None else zen.draws
        )
    scores[VERIFIED] = _Score(zen.value, zen.std_error, _definition(zen, zen.estimator, zen.seed), zen.draws)
    return scores


def _definition(zen: Zen, estimator: str, seed: int | None) -> tuple[str, str]:
    """What a score depends on, before and after the number of its draws."""
    before = f"{estimator}, {zen.convention} convention, {zen.norm} norm, alpha {zen.alpha:g}"
    if estimator == "mean-field":
        return before, ""
    return before, f"of {zen.batch_size} images, seed {seed}, {zen.device}, {zen.precision_mode}"


def _labels(rows: Sequence[dict[str, _Score]]) -> list[str]:
    """The titles of all columns; what verifies comes last."""
    labels = list(dict.fromkeys(label for row in rows for label in row))
    return sorted(labels, key=lambda label: label == VERIFIED)


def _is_only(label: str, rows: Sequence[dict[str, _Score]]) -> bool:
    """Whether it is the one Zen-score of the table."""
    zens = {name for row in rows for name, score in row.items() if score.definition is not None}
    return zens == {label}
