"""What a search shows on stderr: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..bench.figures import RULE, evidence_line
from ..errors import UsageError
from ..metrics.evenness import network_evenness
from ..nas.answer import check_bound, unit_of
from ..nas.loop import Snapshot
from ..nas.outcome import ENDINGS
from ..nas.presets import Preset, presets
from ..nas.scorers import Evaluator
from ..nas.settings import SearchSettings
from ..net.layers import side_text
from ..net.notation import notation
from ..units import format_count, format_seconds
from .fronts import front_lines
from .layout import Line, wrap
from .live import Display
from .runs import next_lines
from .search_view import search_view
from .terminal import is_terminal, print_lines, say

if TYPE_CHECKING:
    from ..metrics.records import RaceRow
    from ..nas.answer import Answer
    from ..nas.outcome import Outcome
    from ..nas.race import Standing
    from ..nas.rundir import RunDirectory

FRAME_SECONDS = 0.25
LINE_SECONDS = 5.0
LONG_MACS = 3e12  # about a minute on a laptop


class Screen:
    """Shows a search while it runs; a context manager.

    Args:
        settings: of the search.
        quiet: show nothing.
    """

    def __init__(self, settings: SearchSettings, *, quiet: bool) -> None:
        self._settings = settings
        self._quiet = quiet or sys.stderr is None
        self._shown = self._ended = time.monotonic()
        self._frame: Callable[[int], list[Line]] = lambda _: []
        self.about: Callable[[], str] = lambda: ""  # said after the counts, such as how many workers there are
        is_live = not self._quiet and is_terminal(sys.stderr)
        self._display = Display(lambda width: self._frame(width)) if is_live else None

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        if self._display is not None:
            self._display.close()

    def show(self, snapshot: Snapshot, evaluator: Evaluator) -> None:
        """Draws a frame or prints a line after a generation, if it is time for one."""
        if not self._is_due():
            return
        if self._display is not None:
            about = self.about()
            self._frame = lambda width: search_view(self._settings, snapshot, evaluator, width, about)
            self._display.draw()
        else:
            best = evaluator.spec(snapshot.best.genome)
            rate = snapshot.proposals / max(snapshot.elapsed_s, 1e-9)
            say(
                f"{snapshot.proposals:,} evaluations, {rate:,.0f} a second, "
                f"best {snapshot.sign * snapshot.best.score:.2f}, "
                f"median {snapshot.sign * snapshot.median:.2f}: {notation(best)}"
                + (f"; {about}" if (about := self.about()) else "")
            )

    def _is_due(self) -> bool:
        """Whether it is time for a frame or a line; the next one is due a while later."""
        now = time.monotonic()
        pause = FRAME_SECONDS if self._display is not None else LINE_SECONDS
        if self._quiet or now - self._shown < pause:
            return False
        self._shown = now
        return True

    def note(self, text: str) -> None:
        """A line about work that has no population, such as the exact search."""
        if not self._is_due():
            return
        if self._display is not None:
            self._frame = lambda width: [Line(part) for part in wrap(text, width)]
            self._display.draw()
        else:
            say(text)

    def report(self, outcome: Outcome, *, hint: bool = True) -> None:
        """Says how the search ended, and how its best compares with what was published."""
        if self._quiet or not outcome.candidates:
            return
        best = outcome.candidates[0]
        ending = ENDINGS.get(outcome.stopped, "done")
        rate = f" ({outcome.evaluations / max(outcome.elapsed_s, 1e-9):,.0f} a second)"
        unit = unit_of(self._settings)
        count = f"{outcome.evaluations:,} {unit[:-1] if outcome.evaluations == 1 else unit}"
        what = self._settings.proxy or "nats"
        say(
            f"{ending} after {count} in {format_seconds(outcome.elapsed_s)}"
            f"{rate if unit == 'evaluations' else ''}; best {best.score:.2f} {what}"
        )
        say(notation(best.spec))
        for line in [*front_lines(self._settings, outcome), *_of_band(outcome)]:
            say(line)
        self._ended = time.monotonic()
        say(evidence_of(self._settings))
        preset = _preset_of(self._settings)
        if preset is not None and self._settings.proxy is None:
            say(_comparison(preset, self._settings))
        if hint and self._display is not None and outcome.bound is None and _has_bound(self._settings):
            say("a bound tells how close that is to the best network of the space; the exact algorithm finds it")

    def bound(self, outcome: Outcome) -> None:
        """Says what no network of the space exceeds."""
        if self._quiet or outcome.bound is None or not outcome.candidates or self._settings.front:
            return
        best = outcome.candidates[0].score
        gap = max(0.0, (outcome.bound - best) / abs(best))
        exceeds = f"by the closed form no network of this space exceeds {outcome.bound:.2f} (gap {gap:.2%})"
        is_proven = outcome.stopped in ("gap", "optimal") or gap <= (self._settings.gap or 0.0)
        say(f"{best:.2f} nats{'' if is_proven else ', not proven to be near the best'}; {exceeds}")

    def verifying(self, outcome: Outcome) -> None:
        """Says what it takes to verify the best networks, where that takes long."""
        score, candidates = self._settings.score, outcome.candidates[: self._settings.verify]
        left = 0.0 if self._most is None else self._most - outcome.elapsed_s
        is_race = self._settings.proxy is None and not self._settings.front and score.precision is None
        if not self._quiet and len(candidates) > 1 and left > 0 and is_race:
            say(
                f"verifying {len(candidates)} networks, for {format_seconds(left)} at most, until the first is within "
                f"{self._settings.tolerance:g} nats of the best at 95%; Ctrl-C ends that with what is known by then"
            )
            return
        macs = 2 * score.batch_size * score.draws * sum(candidate.spec.cost.macs for candidate in candidates)
        if not self._quiet and macs > LONG_MACS:
            say(
                f"verifying {len(candidates)} networks takes {format_count(macs)} multiply-adds; "
                "Ctrl-C ends that with what is known by then"
            )

    def verified(self, answer: Answer) -> None:
        """Says how sure it is that the first verified network is the best of them."""
        if self._quiet or self._settings.proxy is not None:
            return
        if answer.race is not None:
            say(_of_race(answer.race, answer.verified))
        elif answer.close > 1:
            say(
                f"{answer.close} of {answer.verified} verified networks are within two standard errors of the first; "
                "more draws tell them apart"
            )

    def next_commands(self, answer: Answer, outcome: Outcome, run: RunDirectory | None) -> None:
        """On a terminal, what to do next with the best network, as commands to be copied."""
        if self._display is None or not answer.records or not is_terminal(sys.stdout):
            return
        print_lines(next_lines(answer.records[0].name, outcome.stopped, run), stderr=True)

    @property
    def _most(self) -> float | None:
        """Seconds of the budget, None where it has none."""
        budget = self._settings.budget
        return min((limit for limit in (budget.seconds, budget.device_seconds) if limit is not None), default=None)

    def spent(self, outcome: Outcome) -> None:
        """Says how little of a long budget the search and the verification needed."""
        most = self._most
        if self._quiet or most is None or outcome.stopped in ("time", "interrupted", "failed"):
            return
        needed = outcome.elapsed_s + time.monotonic() - self._ended
        if needed < most:
            say(f"that was {format_seconds(needed)}, {needed / most:.2%} of the budget; more of it would gain little")


def of_standing(standing: Standing) -> str:
    """Where a race is, for people; nothing where it is decided."""
    if not standing.rivals:
        return ""
    others = "1 other" if standing.rivals == 1 else f"{standing.rivals} others"
    return f"{others} may be better, by {max(0.0, standing.below):.2g} nats at most"


def evidence_of(settings: SearchSettings) -> str:
    """What the objective of a search did on trained networks, in one line."""
    objective = settings.proxy or ("zen" if settings.evenness is None else RULE)
    return evidence_line(objective, settings.resolution, has_params_limit=settings.limits.params is not None)


def _of_race(race: RaceRow, verified: int) -> str:
    """How a race ended, for people."""
    after = f"after {race.draws:,} draws"
    if race.ending == "certain":
        return f"the first is the best of {verified} verified networks, at 95% {after}"
    within = f"the first is within {race.below:.2g} nats of the best of {verified} verified networks, at 95% {after}"
    if race.ending == "tolerance" or not race.rivals:
        return within
    others = f"{race.rivals} other{'s' if race.rivals > 1 else ''} may be better"
    if race.ending == "interrupted":
        return f"{within}; {others}"
    more = "a longer budget decides it" if race.ending == "time" else "more draws, or a budget of time, decide it"
    return f"{within}; {others}; {more}"


def _of_band(outcome: Outcome) -> list[str]:
    """Where the best network is in the band of evenness, and what is unusual about it."""
    if outcome.band is None:
        return []
    spec, band = outcome.candidates[0].spec, outcome.band
    found = network_evenness(spec.genes, spec.in_channels, spec.resolution)
    best = "the proven best" if band.is_proven else "the best found"
    lines = [
        f"evenness {found.value:.3f}, {max(0.0, band.best - found.value):.3f} below {best}, {band.best:.3f}; "
        f"{found.residual_units} residual units, widest share of MACs {max(share for _, share in found.shares):.0%}"
    ]
    side, share = max(found.shares, key=lambda row: row[1])
    if share > 0.5:
        at = side_text(side)
        lines.append(f"warning: {share:.0%} of the MACs are at {at}; published networks spread them further")
    kernels = [gene.kernel for gene in spec.genes[1:-1] if gene.kind.is_searchable]
    if 2 * sum(kernel >= 7 for kernel in kernels) > len(kernels):
        lines.append("warning: most kernels are 7 or larger; the score likes them and no public table can judge that")
    return lines


def _has_bound(settings: SearchSettings) -> bool:
    """Whether the exact search takes a problem like this one."""
    try:
        check_bound(settings)
    except UsageError:
        return False
    return True


def _preset_of(settings: SearchSettings) -> Preset | None:
    """The published problem that these settings are, if they are one."""
    problem = (settings.space_document.get("name"), settings.resolution, settings.num_classes, settings.limits)
    same = (row for row in presets().values() if (row.space, row.resolution, row.num_classes, row.limits) == problem)
    return next(same, None)


def _comparison(preset: Preset, settings: SearchSettings) -> str:
    spec = preset.published
    text = f"published for {preset.name}: {preset.published_name}"
    if spec is not None:
        from ..metrics.terms import score_spec

        score = settings.score
        value = score_spec(spec, convention=score.convention, norm=score.norm, alpha=score.alpha)
        text += f", {value:.2f} nats by the closed form"
    return f"{text}, {preset.accuracy}"
