"""Several searches with one answer: the same problem from many seeds, and a problem under several limits.

Each search is one that could run alone, with the same result. The best networks that the seeds of one problem found
are merged, the best first; problems stay apart, in the order of the list of limits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from ..errors import UsageError
from ..metrics import find
from .answer import Answer
from .choosing import choose
from .outcome import Outcome
from .request import check_request
from .settings import SearchSettings

MOST_SEARCHES = 10_000
_RANGE = re.compile(r"([0-9]{1,19})(?:\.\.([0-9]{1,19}))?")
_FIX = "write a range such as 0..15, or a list such as 1,5,9"


class Problem(NamedTuple):
    """The searches of one problem that differ in their seed alone, and how they ended."""

    settings: tuple[SearchSettings, ...]
    outcomes: tuple[Outcome, ...]


def parse_seeds(text: str) -> tuple[int, ...]:
    """`0..15` and `0..3,7` as seeds, each once, in the order in which they are written.

    Raises:
        UsageError: not whole numbers, a range that is empty, or too many.
    """
    seeds: dict[int, None] = {}
    for word in text.split(","):
        match = _RANGE.fullmatch(word.strip())
        if match is None:
            raise UsageError(f"seeds: {word!r} is no seed; {_FIX}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UsageError(f"seeds: {word!r} is empty; {_FIX}")
        if last - first >= MOST_SEARCHES or len(seeds) > MOST_SEARCHES:
            raise UsageError(f"seeds: there are more than {MOST_SEARCHES}; {_FIX}")
        seeds |= dict.fromkeys(range(first, last + 1))
    return tuple(seeds)


def is_sweep(request: Mapping[str, Any], seeds: str | None) -> bool:
    """Whether a request is for several searches."""
    lists = (value for name, value in request.items() if name == "limit" or name.startswith("max_"))
    return seeds is not None or any("," in str(value) for value in lists)


def check_sweep(
    request: Mapping[str, Any], seeds: str | None, note: Callable[[str], None] = lambda _: None
) -> tuple[list[SearchSettings], int]:
    """The settings of all searches, those of one problem after each other, and how many seeds each problem has.

    Args:
        request: as for `check_request`, with lists of limits.
        seeds: as `parse_seeds` reads them; None for one search of each problem.
        note: told each line of `check_request` once.

    Raises:
        UsageError: as `check_request`.
        SpecError: as `check_request`.
    """
    if seeds is not None and request.get("front"):
        raise UsageError("seeds: a front is one search; leave seeds out")
    if seeds is not None and request.get("seed") is not None:
        raise UsageError("seeds: given together with seed; keep one of the two")
    numbers = (None,) if seeds is None else parse_seeds(seeds)
    lines: dict[str, None] = {}
    settings = [
        check_request({**problem, "seed": problem.get("seed") if seed is None else seed}, note=lines.setdefault)
        for problem in expand(request)
        for seed in numbers
    ]
    for line in lines:
        note(line)
    return settings, len(numbers)


def expand(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The problems that a request with lists of limits asks for: one for each combination, in the order of the lists.

    A limit may have several values with commas between them, `max_macs` as `200M,300M` and `limit` as
    `activations=1M,2M`.

    Raises:
        UsageError: too many.
    """
    choices: dict[str, Sequence[Any]] = {}
    for name, value in request.items():
        if name.startswith("max_") and isinstance(value, str) and "," in value:
            choices[name] = value.split(",")
        elif name == "limit":
            choices[name] = list(product(*(_values(text) for text in value)))
    count = 1
    for values in choices.values():
        count *= len(values)
    if count > MOST_SEARCHES:
        raise UsageError(f"limits: their lists have {count} combinations; use {MOST_SEARCHES} at most")
    return [{**request, **dict(zip(choices, row, strict=True))} for row in product(*choices.values())]


def _values(text: str) -> list[str]:
    name, equals, values = text.partition("=")
    return [f"{name}{equals}{value}" for value in values.split(",")]


def merge(problem: Problem) -> tuple[SearchSettings, Outcome]:
    """The searches of one problem as one outcome: the best distinct networks of all, best first.

    Where they kept a band of evenness, it is the one below the best evenness that any of them found, and networks
    outside it are left out.
    """
    base, outcomes = problem.settings[0], problem.outcomes
    sign = 1 if base.proxy is None else find(base.proxy, "proxy").sign
    bands = [outcome.band for outcome in outcomes if outcome.band is not None]
    band = max(bands, key=lambda row: row.best) if bands else None
    rows = [
        row
        for outcome in outcomes
        for row in outcome.candidates
        if band is None or band.admits(row.spec.genes, (row.spec.in_channels, row.spec.resolution))
    ]
    bounds = [outcome.bound for outcome in outcomes if outcome.bound is not None]
    return base, Outcome(
        choose(rows, base, sign),
        _stopped([outcome.stopped for outcome in outcomes]),
        sum(outcome.evaluations for outcome in outcomes),
        max((outcome.elapsed_s for outcome in outcomes), default=0.0),
        min(bounds, default=None),
        next((outcome.error for outcome in outcomes if outcome.error is not None), None),
        band,
    )


def with_origins(answer: Answer, problem: Problem) -> Answer:
    """The answer with the seed, the evaluations and the ending of the search that found each network."""
    origins: dict[str, tuple[int, Outcome]] = {}
    for settings, outcome in zip(problem.settings, problem.outcomes, strict=True):
        for candidate in outcome.candidates:
            origins.setdefault(candidate.spec.id, (settings.score.seed, outcome))
    records = []
    for record in answer.records:
        assert record.search is not None  # it comes from a search
        seed, outcome = origins[record.id]
        row = {"seed": seed, "evaluations": outcome.evaluations, "stopped": outcome.stopped}
        records.append(record.model_copy(update={"search": record.search.model_copy(update=row)}))
    return answer._replace(records=records)


def problems(settings: Sequence[SearchSettings], outcomes: Sequence[Outcome], seeds: int) -> Iterator[Problem]:
    """The problems of a sweep in which each has the same number of seeds, one after the other."""
    for start in range(0, len(settings), seeds):
        yield Problem(tuple(settings[start : start + seeds]), tuple(outcomes[start : start + seeds]))


def _stopped(endings: Sequence[str]) -> str:
    """How several searches ended, in one word: what cut one short, or else what ended the first."""
    return next((word for word in ("interrupted", "failed", "time") if word in endings), endings[0])
