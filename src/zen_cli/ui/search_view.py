"""The live view of a search: progress against its budgets, how the best score grows, and the best networks so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from ..metrics.columns import COLUMNS
from ..metrics.terms import spec_terms
from ..nas.loop import Snapshot
from ..nas.scorers import Evaluator
from ..nas.settings import SearchSettings
from ..net.notation import notation
from ..net.ops.base import Gene
from ..units import format_count, format_seconds
from .bars import bar, sparkline
from .layout import Field, Line, Sheet, lay_out, pack

TOP = 5
LABEL = 14  # columns of what begins a line
MIN_LABELLED = 60  # columns of a terminal that has room for long labels
SPARK, BAR = 40, 30
GAP = "   "


def search_view(
    settings: SearchSettings, snapshot: Snapshot, evaluator: Evaluator, width: int, about: str = ""
) -> list[Line]:
    """The view as lines for a terminal of this width; `about` is what there is to compute on, if that is to be said."""
    rate, side = snapshot.proposals / max(snapshot.elapsed_s, 1e-9), settings.resolution
    head = [
        f"{evaluator.space.name} {side}x{side}",
        f"{snapshot.proposals:,} evaluations",
        f"{rate:,.0f}/s",
        format_seconds(snapshot.elapsed_s),
        f"round {snapshot.round + 1}",
    ]
    state = [
        f"best {snapshot.sign * snapshot.best.score:.3f}",
        f"median {snapshot.sign * snapshot.median:.3f}",
        f"spread {snapshot.spread:.3f}",
        f"{len(snapshot.population)} networks",
    ]
    return [
        *(Line(text, "bold") for text in pack(head, width, GAP)),
        *(map(Line, pack(about.split(", "), width, GAP)) if about else ()),
        *_budget_lines(settings, snapshot, width),
        *map(Line, pack(state, width, GAP)),
        *growth_lines([snapshot.sign * value for value in snapshot.trail], width),
        Line(""),
        *lay_out(_best_sheet(settings, snapshot, evaluator), width),
    ]


def growth_lines(trail: Sequence[float], width: int) -> list[Line]:
    """How the best score grew: over the whole search, and over its last half, which a scale of its own keeps readable.

    Args:
        trail: the best score at equal steps of the search.
        width: of a line.
    """
    labels = ("whole search", "last half") if width >= MIN_LABELLED else ("whole", "half")
    indent = LABEL if width >= MIN_LABELLED else 1 + max(map(len, labels))
    lines = []
    for label, values in zip(labels, (trail, trail[len(trail) // 2 :]), strict=True):
        low, high, gain = f"{values[0]:.2f}", f"{values[-1]:.2f}", f"{values[-1] - values[0]:+.2f}"
        room = width - indent - len(f"{low}  {high} {gain}")
        line = sparkline(values, max(1, min(SPARK, room)))
        lines.append(Line(f"{label:<{indent}}{low} {line} {high} {gain}"))
    return lines


def different(shapes: Sequence[Hashable], count: int) -> list[int]:
    """The indices of the first `count` shapes that differ from each other, each where it first appears."""
    first: dict[Hashable, int] = {}
    for index, shape in enumerate(shapes):
        first.setdefault(shape, index)
        if len(first) == count:
            break
    return list(first.values())


def shape_of(genes: Sequence[Gene]) -> Hashable:
    """A network without its widths: op, kernel, stride and depth of each block."""
    return tuple((gene.op, gene.kernel, gene.stride, gene.depth) for gene in genes)


def _budget_lines(settings: SearchSettings, snapshot: Snapshot, width: int) -> list[Line]:
    """A bar for each budget that there is, with the time left at the speed so far."""
    budget = settings.budget
    rows = (
        ("evaluations", budget.evaluations, snapshot.proposals, format_count),
        ("time", budget.seconds, snapshot.elapsed_s, format_seconds),
        ("gpu time", budget.device_seconds, snapshot.elapsed_s, format_seconds),
    )
    lines = []
    for name, limit, value, write in rows:
        if limit is not None:
            share = min(1.0, value / limit)
            text = f"{share:.0%} of {write(limit)}"
            if share:
                text += f", {format_seconds(snapshot.elapsed_s * (1 / share - 1))} left"
            room = max(0, min(BAR, width - LABEL - len(text) - 1))
            lines.append(Line(f"{name:<{LABEL}}{bar(share, room):░<{room}} {text}"))
    return lines


def _best_sheet(settings: SearchSettings, snapshot: Snapshot, evaluator: Evaluator) -> Sheet:
    """The best network of each of the best shapes, so that no row repeats another one with slightly other widths.

    Two networks have the same shape if they differ in widths alone; `networks` counts the population by shape.
    """
    population = snapshot.population
    shapes = [shape_of(evaluator.space.genes(member.genome, evaluator.seed)) for member in population]
    chosen, counts = different(shapes, TOP), Counter(shapes)
    specs = [evaluator.spec(population[index].genome) for index in chosen]
    usage = [settings.limits.usage(spec_terms(spec)) for spec in specs]
    scores = [snapshot.sign * population[index].score for index in chosen]
    fields = [
        Field("score", [f"{score:.3f}" for score in scores]),
        Field("networks", [str(counts[shapes[index]]) for index in chosen], drop=9),
    ]
    for place, (name, _, limit) in enumerate(usage[0]):
        title = COLUMNS[name].title if name in COLUMNS else name.replace("_", " ")
        fields.append(Field(title, [f"{rows[place][1] / limit:.1%}" for rows in usage], drop=place + 1))
    fields.append(Field("structure", [notation(spec) for spec in specs], right=False, wraps=True))
    return Sheet(fields, captions=["costs in per cent of their limits"] if usage[0] else [])
