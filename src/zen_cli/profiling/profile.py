"""From settings to a target: visits of networks in a shuffled order, the laws, and their error on other networks.

The layers of the probes give the laws, the probes as a whole their calibration, and other networks the error. These are
visited early and again at the end, so that the noise between visits is known. What was measured is kept line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

import orjson

from ..errors import OutputError, reason
from ..net.spec import ArchSpec
from ..target.graph import Operation
from ..target.latency import predict_ms
from ..target.model import ErrorRow, LatencyModel, Target
from .backends import Backend, Conditions, find_backend
from .fitting import calibrate, fit_laws, quantile, rank_correlation, relative_errors
from .machine import host, processor
from .probes import draw_probes
from .sampling import time_layers, time_runs
from .settings import VALIDATED, ProfileSettings


class Visit(NamedTuple):
    """One look at one network."""

    network: int
    again: bool


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
                    network, again, row = orjson.loads(line)
                except ValueError:  # the last line of a run that was killed
                    break
                self.rows[Visit(network, again)] = row
            path.write_bytes(b"".join(orjson.dumps([*visit, row]) + b"\n" for visit, row in self.rows.items()))
        except OSError as error:
            raise OutputError(f"{path}: cannot be used to keep measurements, {reason(error)}") from None

    def add(self, visit: Visit, row: Any) -> None:
        """Keeps what a visit gave."""
        self.rows[visit] = row
        with open(self._path, "ab") as file:
            file.write(orjson.dumps([*visit, row]) + b"\n")

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
    specs = draw_probes(VALIDATED + settings.probes, settings.seed, settings.spaces, settings.max_macs)
    visits = list(plan_visits(VALIDATED, settings.probes, settings.seed))
    conditions = conditions_of(settings)
    for done, visit in enumerate(visits):
        if visit not in log.rows:
            on_progress(done, len(visits))
            log.add(visit, _visit(backend, conditions, specs[visit.network], is_probe=visit.network >= VALIDATED))
    on_progress(len(visits), len(visits))
    return make_target(settings, specs, log, backend.versions())


def plan_visits(whole: int, probes: int, seed: int) -> Iterator[Visit]:
    """Every network in a shuffled order, and then the whole ones again in another."""
    random = Random(seed)
    for rows, again in ((range(whole + probes), False), (range(whole), True)):
        order = list(rows)
        random.shuffle(order)
        yield from (Visit(index, again) for index in order)


def conditions_of(settings: ProfileSettings) -> Conditions:
    """How networks are run."""
    one_core = settings.threads == 1 and settings.backend != "cuda"
    return Conditions(settings.threads, settings.batch_size, settings.dtype, one_core)


def _visit(backend: Backend, conditions: Conditions, spec: ArchSpec, *, is_probe: bool) -> list[Any]:
    """The timing of the whole network, and of a probe that of each operation."""
    session = backend.open(spec, conditions)
    try:
        row: list[Any] = [list(time_runs(session.run, conditions))]
        return [*row, [[list(one), time] for one, time in time_layers(session, spec)]] if is_probe else row
    finally:
        session.close()


def make_target(settings: ProfileSettings, specs: Sequence[ArchSpec], log: Log, versions: dict[str, str]) -> Target:
    """The target of what was measured; the first networks validate it."""
    probes = [
        ([(Operation(*one), float(time)) for one, time in row[1]], row[0][0])
        for visit, row in log.rows.items()
        if visit.network >= VALIDATED
    ]
    laws = fit_laws([sample for samples, _ in probes for sample in samples])
    laws = calibrate(laws, [([one for one, _ in samples], time) for samples, time in probes])
    looks = [[log.rows[Visit(index, again)][0] for again in (False, True)] for index in range(VALIDATED)]
    measured = [sum(look[0] for look in pair) / 2 for pair in looks]
    spreads = [abs(pair[0][0] - pair[1][0]) / (pair[0][0] + pair[1][0]) for pair in looks]
    unknown = ErrorRow(median=0, p90=0, rank_correlation=0, n=1, spread=0)
    fitted = _of(settings, LatencyModel(laws=laws), unknown)
    guesses = [_predict(fitted, spec) for spec in specs[:VALIDATED]]
    errors = relative_errors(guesses, measured)
    error = ErrorRow(
        median=median(errors),
        p90=quantile(errors, 0.9),
        rank_correlation=rank_correlation(guesses, measured),
        n=VALIDATED,
        spread=2 * median(spreads),
    )
    disturbed = [look[2] for look in chain.from_iterable(looks)]
    protocol = {
        "probes": settings.probes,
        "operations": sum(len(samples) for samples, _ in probes),
        "spaces": ",".join(settings.spaces),
        "disturbed_runs": round(sum(disturbed) / len(disturbed), 4),
    }
    target = _of(settings, LatencyModel(laws=laws), error)
    ranges = {
        "macs": [spec.cost.macs for spec in specs],
        "params": [spec.cost.params for spec in specs],
        "resolution": [spec.resolution for spec in specs],
        "ms": measured,
    }
    return target.model_copy(
        update={
            "versions": versions,
            "protocol": protocol,
            "ranges": {name: (float(min(row)), float(max(row))) for name, row in ranges.items()},
        }
    )


def _of(settings: ProfileSettings, model: LatencyModel, error: ErrorRow) -> Target:
    return Target(
        name=settings.name or f"{host()}-{settings.backend}-{settings.threads}t",
        host=host(),
        processor=processor(),
        backend=settings.backend,
        threads=settings.threads,
        dtype=settings.dtype,
        batch_size=settings.batch_size,
        model=model,
        error=error,
        seed=settings.seed,
    )


def _predict(target: Target, spec: ArchSpec) -> float:
    return predict_ms(target, spec.genes, spec.in_channels, spec.resolution, spec.classifier)
