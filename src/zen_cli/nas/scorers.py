"""From proposals to ratings: what a member costs and scores, or nothing where it breaks a limit or cannot be scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Protocol

from ..errors import RunError
from ..metrics.block_terms import Terms
from ..metrics.metric import Measurement, OnDraw
from ..metrics.terms import BlockCache, NetworkTerms, add_rows, block_rows, head_terms, stages_of
from ..net.layers import mean_side
from ..net.spec import ArchSpec
from .algorithms.proposer import Rating
from .band import Band
from .limits import Limits
from .space import Space, to_spec

MAX_CACHED_NETWORKS = 100_000
FIELDS = tuple(itemgetter(index) for index in range(len(Terms._fields)))  # of rows of terms

ClosedForm = Callable[[NetworkTerms], float]
BatchScore = Callable[[Sequence[ArchSpec], OnDraw], Iterable[float | RunError]]


class _Over(BaseException):
    """The search is over while a network is measured. It is no error: a package that guards against all of them, or
    what guards against those of a package, lets it pass.
    """


class Scorer(Protocol):
    """Rates proposals; None for one that breaks a limit or has no score.

    Attributes:
        is_slow: whether one network takes long enough to look at the clock after it.
        measured: Monte-Carlo scores of the best networks by their ids, where that is the score.
    """

    is_slow: bool
    measured: Mapping[str, Measurement]

    def rate(self, genomes: Sequence[Any], is_over: Callable[[], bool]) -> tuple[list[Rating | None], bool]:
        """One rating a genome, in order, and whether all were rated: a slow scorer stops where `is_over` says so."""


class Evaluator:
    """Evaluates members of one space: their terms, block by block from a cache, and their specs.

    Args:
        space: whose members these are.
        seed: the seed network, which says resolution, channels in and classes.
        convention: of the gains, `paper` or `zennas`.
        band: of evenness, which is one more limit; None for no band.
    """

    def __init__(self, space: Space, seed: ArchSpec, convention: str, band: Band | None = None) -> None:
        self.space = space
        self.seed = seed
        self.band = band
        self._convention = convention
        self._input = seed.in_channels, seed.side
        self._blocks: BlockCache = {}

    def spec(self, genome: Any, name: str | None = None) -> ArchSpec:
        """A member as an architecture."""
        return to_spec(self.space.genes(genome, self.seed), self.seed, name)

    def terms(self, genome: Any, limits: Limits | None = None, *, stages: bool = True) -> NetworkTerms | None:
        """The terms of a member, with or without its stages; None if they break the limits."""
        genes = self.space.genes(genome, self.seed)
        rows, width, side = block_rows(genes, *self._input, self._convention, self._blocks)
        rows.append(head_terms(width, self.seed.classifier))
        if limits is not None:
            for column, limit in limits.sums:
                if sum(map(FIELDS[column], rows)) > limit:  # most proposals end here
                    return None
        total = add_rows(rows)
        others = limits is not None and limits.others
        found = (
            stages_of(genes, rows[:-1], *self._input)
            if stages or (others and limits is not None and limits.reads_stages)
            else ()
        )
        terms = NetworkTerms(total, width, mean_side(side), found, genes, self._input, self.seed.classifier)
        if limits is not None and others and not limits.admits_others(terms):
            return None
        return (
            None if limits is not None and self.band is not None and not self.band.admits(genes, self._input) else terms
        )


class ClosedFormScorer:
    """Rates members by a function of their terms, hundreds of thousands of times in ten seconds.

    Args:
        evaluator: of members of the space.
        limits: what a member has to keep.
        score: the function; higher is better.
        stages: whether it looks at the stages.
    """

    is_slow = False
    measured: Mapping[str, Measurement] = {}  # nobody writes to it

    def __init__(self, evaluator: Evaluator, limits: Limits, score: ClosedForm, *, stages: bool = True) -> None:
        self._evaluator = evaluator
        self._limits = limits
        self._score = score
        self._stages = stages

    def rate(self, genomes: Sequence[Any], is_over: Callable[[], bool]) -> tuple[list[Rating | None], bool]:
        """One rating a genome, in order, of all of them."""
        rows: list[Rating | None] = []
        terms_of, limits, score, stages = self._evaluator.terms, self._limits, self._score, self._stages
        for genome in genomes:
            terms = terms_of(genome, limits, stages=stages)
            rows.append(None if terms is None else Rating(score(terms), terms.total.params, terms.total.macs))
        return rows, True


class BatchScorer:
    """Rates members by a score that is measured, such as Monte-Carlo; remembers those it has seen.

    Args:
        evaluator: of members of the space.
        limits: what a member has to keep.
        score: the scores of networks, in order; calls its second argument after the draws of one or several, so that
            a network whose draws take long can be given up.
        measured: where that keeps Monte-Carlo scores by the ids of networks.
    """

    is_slow = True

    def __init__(
        self,
        evaluator: Evaluator,
        limits: Limits,
        score: BatchScore,
        measured: Mapping[str, Measurement] = MappingProxyType({}),
    ) -> None:
        self.measured = measured
        self._evaluator = evaluator
        self._limits = limits
        self._score = score
        self._seen: dict[Any, Rating | None] = {}

    def rate(self, genomes: Sequence[Any], is_over: Callable[[], bool]) -> tuple[list[Rating | None], bool]:
        """One rating a genome, in order, and whether all were rated; `is_over` is asked after draws and networks.

        Raises:
            RunError: none of several networks within the limits could be scored; the first one's reason.
        """
        if len(self._seen) > MAX_CACHED_NETWORKS:
            self._seen.clear()
        fresh: dict[Any, tuple[ArchSpec, Terms]] = {}
        for genome in genomes:
            if genome in self._seen or genome in fresh:
                continue
            terms = self._evaluator.terms(genome, self._limits)
            if terms is None:
                self._seen[genome] = None
            else:
                fresh[genome] = (self._evaluator.spec(genome), terms.total)
        errors, done = [], 0

        def look(_: int = 0) -> None:
            if is_over():
                raise _Over

        with suppress(_Over):
            scores = iter(self._score([spec for spec, _ in fresh.values()], look) if fresh else ())
            for (genome, (_, total)), score in zip(fresh.items(), scores, strict=False):
                if isinstance(score, RunError):
                    errors.append(score)
                    self._seen[genome] = None
                else:
                    self._seen[genome] = Rating(float(score), total.params, total.macs)
                done += 1
                look()
        if errors and len(errors) == done and (done > 1 or not any(self._seen.values())):
            raise errors[0]
        return [self._seen.get(genome) for genome in genomes], done == len(fresh)
