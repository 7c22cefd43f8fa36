"""From settings to a target: visits of networks in a shuffled order, the laws, and their error on other networks.

The layers of the probes give the laws, the probes as a whole their calibration, other networks the error, and known
ones are references for later. All are visited several times, some time apart, and the fastest time that another visit
confirms counts: what other programs do to caches lasts longer than a visit. Layers are timed in the first visits only,
as whole networks say how fast they are. What was measured is kept line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

import orjson

from ..errors import OutputError, reason
from ..net.layers import mean_side
from ..net.spec import ArchSpec
from ..target.graph import operations_of
from ..target.latency import whole_of
from ..target.model import ErrorRow, Target
from .backends import Backend, Conditions, conditions_of, find_backend
from .fitting import Timed, Whole, calibrate, fit_laws, quantile, rank_correlation, relative_errors, without_profiler
from .machine import host, processor
from .probes import draw_probes
from .references import references
from .sampling import Timing, confirmed_ms, is_confirmed, time_layers, time_runs
from .settings import VALIDATED, ProfileSettings

LOOKS, MORE_LOOKS = 3, 2  # of every network, and of those whose fastest time no other look confirms


class Visit(NamedTuple):
    """One look at one network."""

    network: int
    look: int


class Log:
    """Measurements as they are made, a line each, so that a run that is cut off can go on.

    Args:
        path: of the file.
        resumes: whether what is there is kept.
    """

    def __init__(self, path: Path, *, resumes: bool) -> None:
        self._path = path
        self.rows: dict[Visit, Any] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = path.read_bytes().splitlines() if resumes and path.exists() else []
            for line in lines:
                try:
                    network, look, row = orjson.loads(line)
                except ValueError:  # the last line of a run that was killed
                    break
                self.rows[Visit(network, look)] = row
            path.write_bytes(b"".join(orjson.dumps([*visit, row]) + b"\n" for visit, row in self.rows.items()))
        except OSError as error:
            raise OutputError(f"{path}: cannot be used to keep measurements, {reason(error)}") from None

    def add(self, visit: Visit, row: Any) -> None:
        """Keeps what a visit gave."""
        self.rows[visit] = row
        with open(self._path, "ab") as file:
            file.write(orjson.dumps([*visit, row]) + b"\n")

    def looks(self, network: int) -> list[Any]:
        """What the visits of a network gave, in order."""
        return [self.rows[visit] for visit in sorted(self.rows) if visit.network == network]

    def remove(self) -> None:
        """Removes the file."""
        self._path.unlink(missing_ok=True)


def profile(settings: ProfileSettings, log: Log, on_progress: Callable[[int, int | None], None]) -> Target:
    """Measures this machine.

    Args:
        settings: how.
        log: of what was measured before, and where new measurements are kept.
        on_progress: called with the visits that were made, and how many there are.

    Raises:
        UsageError: the backend or a space cannot be used.
    """
    backend = find_backend(settings.backend, settings.dtype)
    specs = networks_of(settings)
    conditions = conditions_of(settings.backend, settings.threads, settings.batch_size, settings.dtype)
    visits = list(plan_visits(range(len(specs)), LOOKS, settings.seed))
    for done, visit in enumerate(visits):  # grows
        if visit not in log.rows:
            on_progress(done, len(visits))
            has_layers = visit.look == 0 and VALIDATED <= visit.network < VALIDATED + settings.probes
            log.add(visit, _visit(backend, conditions, specs[visit.network], has_layers=has_layers))
        if done + 1 == len(visits) and visit.look + 1 < LOOKS + MORE_LOOKS:
            looks = [[row[0][0] for row in log.looks(network)] for network in range(len(specs))]
            doubtful = [network for network, times in enumerate(looks) if not is_confirmed(times)]
            visits += plan_visits(doubtful, 1, settings.seed, first=visit.look + 1)
    on_progress(len(visits), len(visits))
    return make_target(settings, specs, log, backend.versions())


def networks_of(settings: ProfileSettings) -> list[ArchSpec]:
    """What is measured: networks that validate the model, probes, and references."""
    drawn = draw_probes(VALIDATED + settings.probes, settings.seed, settings.spaces, settings.max_macs)
    return [*drawn, *references().values()]


def plan_visits(networks: Sequence[int], looks: int, seed: int, first: int = 0) -> Iterator[Visit]:
    """Every one of some networks in a shuffled order, so many times; the looks are counted from `first`."""
    random = Random(seed + first)
    for look in range(first, first + looks):
        order = list(networks)
        random.shuffle(order)
        yield from (Visit(index, look) for index in order)


def _visit(backend: Backend, conditions: Conditions, spec: ArchSpec, *, has_layers: bool) -> list[Any]:
    """The timing of the whole network, and where that is wanted of each operation."""
    session = backend.open(spec, conditions)
    try:
        row: list[Any] = [list(time_runs(session.run, conditions))]
        return [*row, time_layers(session, spec)] if has_layers else row
    finally:
        session.close()


class Measured(NamedTuple):
    """What the visits of one network gave; `layers` is empty where they were not timed."""

    spec: ArchSpec
    looks: list[Timing]
    layers: list[float]

    @property
    def whole(self) -> Whole:
        """It as a whole."""
        return Whole(operations_of(self.spec), self.ms)

    @property
    def ms(self) -> float:
        """Of a run."""
        return confirmed_ms([look.ms for look in self.looks])

    @property
    def spread(self) -> float:
        """Half the distance between the slowest and the fastest visit, over the middle one."""
        times = [look.ms for look in self.looks]
        return (max(times) - min(times)) / 2 / median(times)


def _measured(specs: Sequence[ArchSpec], log: Log) -> Iterator[Measured]:
    for index, spec in enumerate(specs):
        first, *others = log.looks(index)
        yield Measured(spec, [Timing(*row[0]) for row in (first, *others)], first[1] if len(first) > 1 else [])


def make_target(settings: ProfileSettings, specs: Sequence[ArchSpec], log: Log, versions: dict[str, str]) -> Target:
    """The target of what was measured.

    Args:
        settings: of the profile.
        specs: its networks, see `networks_of`.
        log: of all visits.
        versions: of the packages that computed.
    """
    rows = list(_measured(specs, log))
    begin, end = VALIDATED, VALIDATED + settings.probes
    others, probes, known = rows[:begin], rows[begin:end], rows[end:]
    wholes = [row.whole for row in probes]
    layers = without_profiler([row.layers for row in probes], [one.ms for one in wholes])
    timed = [Timed(one.operations, times) for one, times in zip(wholes, layers, strict=True)]
    model = calibrate(fit_laws(timed), wholes)
    measured = [row.ms for row in others]
    guesses = [whole_of(model, row.whole.operations) for row in others]
    errors = relative_errors(guesses, measured)
    error = ErrorRow(
        median=median(errors),
        p90=quantile(errors, 0.9),
        rank_correlation=rank_correlation(guesses, measured),
        n=len(others),
        spread=median(row.spread for row in rows),
    )
    disturbed = [look.disturbed for row in rows for look in row.looks]
    ranges: dict[str, list[float]] = {
        "macs": [row.spec.cost.macs for row in probes],
        "params": [row.spec.cost.params for row in probes],
        "resolution": [mean_side(row.spec.resolution) for row in probes],
        "ms": [row.ms for row in probes],
    }
    return Target(
        name=settings.name or f"{host()}-{settings.backend}-{settings.threads}t",
        host=host(),
        processor=processor(),
        versions=versions,
        backend=settings.backend,
        threads=settings.threads,
        dtype=settings.dtype,
        batch_size=settings.batch_size,
        model=model,
        error=error,
        references={name: row.ms for name, row in zip(references(), known, strict=True)},
        ranges={name: (float(min(row)), float(max(row))) for name, row in ranges.items()},
        protocol={
            "probes": settings.probes,
            "operations": sum(map(len, layers)),
            "spaces": ",".join(settings.spaces),
            "disturbed_runs": round(sum(disturbed) / len(disturbed), 4),
        },
        seed=settings.seed,
    )
