"""What a page is about: a search or records, the networks shown, and the problem in a sentence."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from ..errors import ZenError
from ..exporters.about import search_text
from ..metrics.metric import Metric
from ..metrics.records import ScoreRecord
from ..metrics.registry import find
from ..metrics.settings import ScoreSettings
from ..metrics.terms import score_and_count
from ..nas.answer import unit_of
from ..nas.outcome import ENDINGS
from ..nas.population import RunView
from ..net.network import Network
from ..net.spec import ArchSpec
from ..networks.near import SPREAD, Near, near
from ..units import format_count

Group: TypeAlias = Literal["answer", "population", "reference", "network"]
FEW = 3  # networks whose names fit a title
REFERENCES = 4  # the most published networks for one cost
COSTS = {"macs": "MACs", "params": "parameters", "activations": "activations"}


class Shown(NamedTuple):
    """A network on the page.

    Attributes:
        network: the network.
        group: of an answer, of the population of a search, for comparison, or one of several without a search.
        value: what the charts show of it.
        record: how it was scored or found, if that is known.
        word: what a command line calls it; empty where only a file that is saved from the page can.
        top1: its accuracy on ImageNet in percent, where that is published.
    """

    network: Network
    group: Group
    value: float
    record: ScoreRecord | None = None
    word: str = ""
    top1: float | None = None

    @property
    def label(self) -> str:
        """What it is called."""
        return self.network.name or f"network {self.network.id}"


class Subject(NamedTuple):
    """What a page shows.

    Attributes:
        title: of the page.
        problem: in a sentence.
        measure: what `Shown.value` is, with its unit.
        shown: the networks; those of an answer first, best first.
        limits: of the search, by the name of the metric.
        bound: what no network of the space exceeds within the limits, where it is proven.
        history: of the search.
        provenance: lines about where everything came from.
    """

    title: str
    problem: str
    measure: str
    shown: Sequence[Shown]
    limits: Mapping[str, float]
    bound: float | None = None
    history: Sequence[Mapping[str, Any]] = ()
    provenance: Sequence[str] = ()


Given: TypeAlias = tuple[Network, dict[str, Any] | None, str]  # the network, its record, its word


def subject_of(run: RunView | None, given: Iterable[Given], *, references: bool = False) -> Subject:
    """The subject of a page about a run, with networks to compare it with, or about networks alone.

    Args:
        run: of a search.
        given: networks.
        references: whether published networks of about the same cost are shown too.

    Raises:
        ZenError: the score of a network cannot be computed.
    """
    given = list(given)
    known = {network.id for network, _, _ in given}
    answer = [network for network, _, _ in given] if run is None else [row.arch for row in run.records if row.arch]
    published = near(_typical(answer), REFERENCES, known=known) if references else []
    return _of_networks(given, published) if run is None else _of_run(run, given, published)


def _typical(networks: Iterable[Network]) -> list[ArchSpec]:
    """The first of the networks of blocks; where their costs differ, the cheapest and the dearest too."""
    specs = [network.spec for network in networks if network.spec is not None]
    ordered = sorted(specs, key=lambda spec: spec.cost.macs)
    if not specs or ordered[-1].cost.macs <= SPREAD * ordered[0].cost.macs:
        return specs[:1]
    return list({spec.id: spec for spec in (specs[0], ordered[0], ordered[-1])}.values())


def _shown_by(metric: Metric, settings: ScoreSettings) -> Callable[[Group, Network, ScoreRecord | None, str], Shown]:
    """What makes a `Shown` with the value of a metric."""

    def shown_as(group: Group, network: Network, record: ScoreRecord | None, word: str) -> Shown:
        return Shown(network, group, _value(network, metric, settings), record, word)

    return shown_as


def _of_networks(given: Sequence[Given], published: Sequence[Near]) -> Subject:
    shown_as = _shown_by(find("zen"), ScoreSettings(estimator="mean-field"))
    shown = [shown_as("network", network, _record(row), word) for network, row, word in given]
    shown.sort(key=lambda row: row.value, reverse=True)
    title = _and([row.label for row in shown]) if len(shown) <= FEW else f"{len(shown)} networks"
    shown += [shown_as("reference", row.spec, None, row.word)._replace(top1=row.top1) for row in published]
    problem = f"{title}, by the closed form of the Zen-score and by exact cost."
    return Subject(title, problem, "Zen, closed form (nats)", shown, {}, provenance=list(_provenance(shown)))


def _of_run(run: RunView, given: Sequence[Given], published: Sequence[Near]) -> Subject:
    metric = _objective(run)
    shown_as = _shown_by(metric, run.settings.score.model_copy(update={"estimator": "mean-field"}))
    kept = {row.id for row in run.records}
    shown = [
        shown_as("answer", row.arch, row, shlex.quote(row.name or row.id))
        for row in run.records
        if row.arch is not None
    ]
    shown += [shown_as("reference", network, _record(row), word) for network, row, word in given]
    shown += [shown_as("reference", row.spec, None, row.word)._replace(top1=row.top1) for row in published]
    population = [shown_as("population", spec, None, "") for spec in run.population if spec.id not in kept]
    shown += sorted(population, key=lambda row: metric.sign * row.value, reverse=True)
    first = run.records[0].search if run.records else None
    return Subject(
        title=f"Search of {run.settings.space.name}",
        problem=problem_sentence(run),
        measure=f"{metric.name}, closed form{f' ({metric.unit})' if metric.unit else ''}".replace("zen,", "Zen,"),
        shown=shown,
        limits=dict(run.settings.limits),
        bound=None if first is None or run.settings.proxy is not None or first.front is not None else first.bound,
        history=run.history,
        provenance=list(_provenance(shown)),
    )


def _value(network: Network, metric: Metric, settings: ScoreSettings) -> float:
    """The closed form of a metric; the Zen-score has one of networks that are not written as blocks, too."""
    if metric.name == "zen":
        return score_and_count(network, **{name: getattr(settings, name) for name in metric.settings})[0]
    return metric.evaluate(network, settings).value


def _objective(run: RunView) -> Metric:
    """What the search maximised, where that has a closed form; else the Zen-score."""
    metric = find(run.settings.proxy or "zen")
    return find("zen") if metric.closed_form is None else metric


def problem_sentence(run: RunView) -> str:
    """What a run searched and how, in a sentence or two."""
    settings = run.settings
    limits = [f"{COSTS.get(name, name)} at most {_number(value)}" for name, value in settings.limits.items()]
    front = [COSTS.get(name, name) for name in settings.front or ()]
    text = (
        f"The networks of the space {settings.space.name} for {settings.resolution} x {settings.resolution} images and "
        f"{settings.num_classes:,} classes that have the highest {settings.proxy or 'Zen-score'}"
    )
    text += f" for their {_and(front)}" if front else ""
    text += f", with {_and(limits)}." if limits else "."
    search = run.records[0].search if run.records else None
    if search is None:
        return f"{text} The search has no answer yet."
    done = f"{search.algorithm}, {search.evaluations:,} {unit_of(settings)}, seed {search.seed}"
    return f"{text} Found by {done}{f'; {ENDINGS[search.stopped]}' if search.stopped in ENDINGS else ''}."


def _provenance(shown: Sequence[Shown]) -> Iterator[str]:
    from ..exporters.about import tool

    yield f"Made by {tool()}; the numbers of cost are exact."
    for row in shown:
        if row.record is not None and row.record.search is not None:
            yield f"{row.label}: {search_text(row.record.search.model_dump(exclude_none=True))}."
            return


def _record(row: dict[str, Any] | None) -> ScoreRecord | None:
    """The record that a network was read from, where it is a whole one."""
    try:
        return None if row is None else ScoreRecord.model_validate(row)
    except (ValueError, ZenError):
        return None


def _number(value: float) -> str:
    return format_count(value) if float(value).is_integer() else f"{value:g}"


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
