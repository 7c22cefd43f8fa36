"""Searching and exporting from Python: what the commands do, with the same settings and messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .metrics.records import ScoreRecord
from .net.network import Network
from .net.spec import ArchSpec
from .net.traced import TracedNetwork

if TYPE_CHECKING:
    from .exporters.run import ExportedFile
    from .metrics.settings import Dtype
    from .nas.answer import Answer
    from .nas.loop import Snapshot
    from .nas.outcome import Callbacks, Outcome
    from .nas.settings import SearchSettings
    from .target.model import Target


class SearchResult(list[ScoreRecord]):
    """The best networks of a search, best first, and how it ended.

    Attributes:
        stopped: why: `evaluations`, `time`, `patience`, `failed`, or what the algorithm says, such as `gap`.
        evaluations: what the algorithm counted.
        elapsed_s: seconds of search.
        bound: what no network of the space exceeds, or None.
        errors: of the search, and of networks that could not be verified; they are in the list unverified.
    """

    def __init__(self, outcome: Outcome, answer: Answer) -> None:
        super().__init__(answer.records)
        self.stopped, self.evaluations = outcome.stopped, outcome.evaluations
        self.elapsed_s, self.bound = outcome.elapsed_s, outcome.bound
        self.errors = [*([] if outcome.error is None else [outcome.error]), *answer.errors]

    def rows(self) -> list[dict[str, Any]]:
        """One flat row a network: `pandas.DataFrame(result.rows())`."""
        return [dict(record.row()) for record in self]

    def __repr__(self) -> str:
        best = f", best {self[0].zen.value:.2f} nats" if self else ""
        return f"<SearchResult: {len(self)} networks{best}, {self.stopped} after {self.evaluations:,}>"


def search(
    *,
    preset: str | None = None,
    space: str | PathLike[str] | None = None,
    from_: ArchSpec | None = None,
    rules: str | None = None,
    resolution: int | None = None,
    num_classes: int | None = None,
    limits: dict[str, float] | None = None,
    budget: str | Sequence[str] | None = None,
    patience: int | None = None,
    front: str | Sequence[str] | None = None,
    algorithm: str | None = None,
    proxy: str | None = None,
    population: int | None = None,
    lineages: int | None = None,
    gap: float | None = None,
    bound: bool = False,
    verify: int | None = None,
    tolerance: float | None = None,
    top: int | None = None,
    similar: bool | None = None,
    estimator: str | None = None,
    convention: str | None = None,
    norm: str | None = None,
    alpha: float | None = None,
    batch_size: int | None = None,
    draws: int | None = None,
    precision: float | None = None,
    precision_mode: str | None = None,
    seed: int | None = None,
    seeds: str | Sequence[int] | None = None,
    device: str | None = None,
    workers: str | None = None,
    dtype: Dtype | None = None,
    target: Target | None = None,
    max_latency: str | None = None,
    out: str | PathLike[str] | None = None,
    resume: str | PathLike[str] | None = None,
    on_generation: Callable[[Snapshot], None] | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> SearchResult:
    """The best networks of a space within limits, as `zen search` finds them.

    Args:
        preset: a published problem, such as `cifar-1m`.
        space: a built-in space, or a JSON file.
        from_: a network: look for better ones like it at its cost; it is the last record of the answer.
        rules: `none` or `default`; by default what the space says.
        resolution: side of the input image.
        num_classes: classes.
        limits: upper bounds by metric, such as `{"params": 1e6, "sublayers": 18}`.
        budget: when to end, such as `"480000evals"`, `"30s"`, or several of these.
        patience: end after so many rounds without a better network.
        front: costs, such as `"macs"`: find the best networks below many limits of them.
        algorithm: `evolution` or `exact`.
        proxy: another metric to search by.
        population: networks remembered.
        lineages: networks that change side by side.
        gap: of the exact search, a share such as 0.005.
        bound: whether to add what no network of the space exceeds.
        verify: how many of the best get a Monte-Carlo score.
        tolerance: verify until the first is within so many nats of the best, at 95%.
        top: networks in the answer.
        similar: whether they may be of one shape; by default their shapes differ.
        estimator: `mean-field` or `monte-carlo`; this and what follows is as in `score`.
        convention: `paper` or `zennas`.
        norm: `frobenius` or `l1`.
        alpha: size of the perturbation.
        batch_size: images in a draw.
        draws: independent draws to average.
        precision: a standard error in nats to draw until.
        precision_mode: what a draw is computed in.
        seed: of the search and of all draws.
        seeds: search from each of these, such as `range(16)` or `"0..15"`, one after the other, and merge the best.
        device: where to compute.
        workers: a Ray cluster for what is measured: `ray`, or `ray://HOST:PORT`.
        dtype: what weights and activations are on the device.
        target: the device, as `load_target` reads it.
        max_latency: the most time on the target, such as `"5ms"`; on this machine the best networks are measured.
        out: a new directory for checkpoints, history and results.
        resume: a directory to go on with.
        on_generation: called after every generation.
        on_progress: called with the draws of the verification that are done, and their number if it is known.

    Raises:
        UsageError: a setting that cannot be, or that has no effect; `field: fault; fix`.
        SpecError: no network of the space keeps the limits.
        RunError: nothing can be scored.
    """
    from .nas.answer import search as run_search
    from .nas.outcome import Callbacks
    from .nas.request import check_request
    from .nas.rundir import RunDirectory
    from .nas.sweep_folder import is_sweep_folder
    from .nas.unattended import answer_of, checked, executor_of, search_seeds

    request = {
        "preset": preset,
        "space": None if space is None else fspath(space),
        "from_": from_,
        "rules": rules,
        "resolution": resolution,
        "num_classes": num_classes,
        "limit": tuple(f"{name}={value!r}" for name, value in (limits or {}).items()),
        "budget": (budget,) if isinstance(budget, str) else budget,
        "patience": patience,
        "front": front,
        "algorithm": algorithm,
        "proxy": proxy,
        "population": population,
        "lineages": lineages,
        "gap": None if gap is None else f"{100 * gap!r}%",
        "verify": verify,
        "tolerance": tolerance,
        "top": top,
        "similar": similar,
        "estimator": estimator,
        "convention": convention,
        "norm": norm,
        "alpha": alpha,
        "batch_size": batch_size,
        "draws": draws,
        "precision": precision,
        "precision_mode": precision_mode,
        "seed": seed,
        "device": device,
        "dtype": dtype,
        "target": target,
        "max_latency": max_latency,
    }
    callbacks = Callbacks(
        lambda snapshot, _: on_generation(snapshot) if on_generation is not None else None,
        on_draws=on_progress or (lambda *_: None),
    )
    folder = None if resume is None else Path(resume)
    if seeds is not None or (folder is not None and is_sweep_folder(folder)):
        text = seeds if seeds is None or isinstance(seeds, str) else ",".join(map(str, seeds))
        new = None if out is None else Path(out)
        return _result(*search_seeds(request, text, new, folder, callbacks, bound=bound, workers=workers))
    opened = RunDirectory.open(folder) if folder is not None else None
    with opened or nullcontext():
        settings = checked(check_request(request, None if opened is None else opened.settings), workers, bound=bound)
        if opened is not None:
            opened.settings = settings
        with executor_of(workers, settings) as executor:
            run = opened if out is None else RunDirectory.create(Path(out), settings)
            with run if run is not None and run is not opened else nullcontext():
                callbacks = callbacks._replace(executor=executor)
                outcome = _measured(settings, run_search(settings, run, callbacks), callbacks)
                outcome, answer = answer_of(settings, outcome, callbacks, bound=bound)
                if run is not None:
                    run.write_results(answer.to_bytes())
    return _result(outcome, answer)


def _result(outcome: Outcome, answer: Answer) -> SearchResult:
    """What a caller gets, after it was kept; Ctrl-C in the race of finalists goes on to the caller."""
    if answer.race is not None and answer.race.ending == "interrupted":
        raise KeyboardInterrupt
    return SearchResult(outcome, answer)


def _measured(settings: SearchSettings, outcome: Outcome, callbacks: Callbacks) -> Outcome:
    """The outcome without the networks that break a limit on the latency of this machine, as measured now."""
    from .nas.answer import search as run_search
    from .profiling.finalists import can_measure, measure_until_kept

    if outcome.stopped in ("interrupted", "failed") or not can_measure(settings):
        return outcome
    return measure_until_kept(settings, outcome, lambda changed, _: run_search(changed, None, callbacks)).outcome


def load_target(source: str | PathLike[str]) -> Target:
    """A device: a file that `zen profile` wrote or a person, or `here`, this machine, measured if it was not before.

    Raises:
        SourceError: the file is no target.
        UsageError: the file cannot be read, or this machine cannot be measured.
    """
    from .profiling.kept import load_target as load

    return load(fspath(source))[0]


def export(
    network: ArchSpec | TracedNetwork | Iterable[Network],
    to: str | Sequence[str],
    out: str | PathLike[str],
    *,
    weights: str | PathLike[str] | None = None,
    seed: int = 0,
    force: bool = False,
    opset: int | None = None,
    merge: bool = False,
    on_step: Callable[[str], None] | None = None,
) -> list[ExportedFile]:
    """Exports networks to files, each loaded in a fresh process and compared with the network before it is placed.

    Args:
        network: a spec, a network that blocks can express, or several.
        to: a target, such as `onnx`, or several.
        out: a file, or a folder for several.
        weights: `seed`, `none`, or a checkpoint.
        seed: of the weights.
        force: overwrite files that exist.
        opset: of ONNX files; by default the lowest that a network needs.
        merge: batch normalisations and parallel branches become part of convolutions, in files that only run.
        on_step: called with a few words about what begins.

    Raises:
        InputError: options, networks or places that cannot be; nothing is written then.
        RunError: what was exported did not pass its check; nothing is written then.
    """
    from .exporters.plan import ExportOptions
    from .exporters.run import export as run_export

    options = ExportOptions(fspath(out), None if weights is None else fspath(weights), seed, force, opset, merge)
    networks = [network] if isinstance(network, (ArchSpec, TracedNetwork)) else list(network)
    return run_export(networks, [to] if isinstance(to, str) else list(to), options, on_step)
