"""Several searches with one answer: each is what it would be alone, and what they found is merged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cli import ENVIRONMENT, Zen

import zen_cli
from zen_cli.errors import SourceError, SpecError, UsageError
from zen_cli.nas.answer import search
from zen_cli.nas.outcome import Callbacks, Outcome
from zen_cli.nas.parallel import Place, Shown, run_all
from zen_cli.nas.rundir import RunDirectory
from zen_cli.nas.sweep import Problem, check_sweep, expand, merge, parse_seeds
from zen_cli.nas.sweep_folder import make_folder, open_folder

SMALL = {
    "algorithm": "evolution",
    "space": "zennet-resnet",
    "resolution": 16,
    "num_classes": 10,
    "max_sublayers": "10",
    "verify": 0,
    "top": 3,
    "similar": True,
}
WORDS = [
    "search",
    "--algorithm",
    "evolution",
    "--space",
    "zennet-resnet",
    "--resolution",
    "16",
    "--num-classes",
    "10",
    "--max-sublayers",
    "10",
]
WORDS += ["--algorithm", "evolution", "--verify", "0", "--top", "3", "--similar", "--quiet", "--budget", "1024evals"]
NOWHERE = Place(None, False)


def wanted(**more: Any) -> dict[str, Any]:
    return {**SMALL, "budget": ("1024evals",), "max_params": "200k", **more}


@pytest.mark.parametrize(
    ("text", "seeds"), [("0..3", (0, 1, 2, 3)), ("7", (7,)), ("5,1..2,5", (5, 1, 2)), (" 3 , 4 ", (3, 4))]
)
def test_seeds_are_ranges_and_lists(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3..1", "1...3", "-1", "0..10000", "1,,2", "0..99999999999999999999"])
def test_what_are_no_seeds_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="seeds: "):
        parse_seeds(text)


def test_lists_of_limits_are_all_combinations_in_their_order() -> None:
    rows = expand({"max_params": "1M,2M", "limit": ["activations=1M,3M", "layers=9"], "space": "a,b"})
    assert [(row["max_params"], row["limit"], row["space"]) for row in rows] == [
        ("1M", ("activations=1M", "layers=9"), "a,b"),
        ("1M", ("activations=3M", "layers=9"), "a,b"),
        ("2M", ("activations=1M", "layers=9"), "a,b"),
        ("2M", ("activations=3M", "layers=9"), "a,b"),
    ]


@pytest.mark.parametrize("processes", [1, 2])
def test_each_search_is_what_it_would_be_alone(processes: int) -> None:
    settings, seeds = check_sweep(wanted(), "3..5")
    assert seeds == 3
    shown: list[Shown] = []
    found = run_all(settings, [NOWHERE] * 3, Callbacks(), shown.append, processes=processes)
    for one, outcome in zip(settings, found, strict=True):
        assert isinstance(outcome, Outcome)
        assert outcome.candidates == search(one).candidates
        assert outcome.evaluations == 1024
    assert shown[-1].searches == 3


def test_the_merged_answer_is_the_best_of_all_without_doubles() -> None:
    settings, _ = check_sweep(wanted(), "3..5,3")
    outcomes = [search(one) for one in settings]
    twice = Problem((*settings, *settings), (*outcomes, *outcomes))
    _, outcome = merge(twice)
    rows = {row.spec.id: row.score for one in outcomes for row in one.candidates}
    assert [row.score for row in outcome.candidates] == sorted(rows.values(), reverse=True)[:3]
    assert len({row.spec.id for row in outcome.candidates}) == 3
    assert outcome.evaluations == 6 * 1024


def test_merged_networks_are_in_the_band_below_the_best_evenness_of_any_seed() -> None:
    problem = {"resolution": 32, "max_macs": "20M", "budget": ("2kevals",), "verify": 0, "algorithm": "evolution"}
    settings, _ = check_sweep(problem, "0..2")
    outcomes = [search(one) for one in settings]
    _, outcome = merge(Problem(tuple(settings), tuple(outcomes)))
    assert outcome.band is not None
    assert outcome.band.best == max(one.band.best for one in outcomes if one.band is not None)
    assert outcome.candidates
    for row in outcome.candidates:
        assert outcome.band.admits(row.spec.genes, (row.spec.in_channels, row.spec.resolution))


def test_a_sweep_is_the_searches_alone_and_keeps_all_of_them(zen: Zen) -> None:
    swept = zen(*WORDS, "--max-params", "100k,200k", "--seeds", "1..2", "--out", "sweep")
    assert swept.code == 0
    alone = {}
    for params in ("100k", "200k"):
        for seed in ("1", "2"):
            rows = zen(*WORDS, "--max-params", params, "--seed", seed, "--no-keep").out.splitlines()
            alone[params, seed] = rows
    for params, part in (("100k", swept.out.splitlines()[:3]), ("200k", swept.out.splitlines()[3:])):
        both = [*alone[params, "1"], *alone[params, "2"]]
        best = sorted({json.loads(line)["zen"]["value"] for line in both}, reverse=True)[:3]
        assert [json.loads(line)["zen"]["value"] for line in part] == best
        assert set(part) <= set(both)
    folder = zen.folder / "sweep"
    assert (folder / "results.jsonl").read_text() == swept.out
    kept = [(folder / str(number) / "results.jsonl").read_text().splitlines() for number in range(1, 5)]
    assert kept == list(alone.values())
    zen(*WORDS, "--max-params", "100k", "--seeds", "1..2", "--out", "sweep").fails("--out", "already holds searches")
    resume_what_was_cut_short(zen, folder, swept.out)


def resume_what_was_cut_short(zen: Zen, whole: Path, wanted: str) -> None:
    """A folder in which one search was cut short and the others never began ends with the same bytes."""
    settings, seeds = open_folder(whole, {})
    part = zen.folder / "part"
    make_folder(part, settings, seeds)
    ticks = count()
    with RunDirectory.open(part / "1") as run:
        assert search(settings[0], run, Callbacks(should_stop=lambda: next(ticks) > 0)).stopped == "interrupted"
    resumed = zen("search", "-q", "--resume", "part")
    assert (resumed.code, resumed.out) == (0, wanted)
    assert (part / "results.jsonl").read_text() == wanted
    for name in ("1/results.jsonl", "2/results.jsonl", "3/results.jsonl", "4/results.jsonl"):
        assert (part / name).read_bytes() == (whole / name).read_bytes()
    with pytest.raises(UsageError, match="resume: max_params of the run is 100000"):
        open_folder(part, {"max_params": "9k"})
    (part / "sweep.json").write_text('{"schema":"zen-sweep/1","searches":4,"seeds":3}')
    with pytest.raises(SourceError, match=r"sweep.json: is damaged \(4 searches, 3 seeds each\)"):
        open_folder(part, {})


def test_python_merges_what_seeds_found_and_resumes_it(tmp_path: Path) -> None:
    problem: dict[str, Any] = {"space": "zennet-resnet", "resolution": 16, "num_classes": 10, "top": 2, "verify": 0}
    problem |= {"algorithm": "evolution"}
    problem |= {"limits": {"params": 2e5, "sublayers": 10}, "budget": "512evals"}
    merged = zen_cli.search(**problem, seeds=range(1, 3), out=tmp_path / "run")
    alone = [row for seed in (1, 2) for row in zen_cli.search(**problem, seed=seed)]
    assert merged.evaluations == 1024
    assert merged[0].zen.value == max(row.zen.value for row in alone)
    assert {row.search.seed for row in merged if row.search is not None} <= {1, 2}
    again = zen_cli.search(resume=tmp_path / "run")
    assert [row.to_bytes() for row in again] == [row.to_bytes() for row in merged]
    assert (tmp_path / "run" / "results.jsonl").read_bytes().splitlines() == [row.to_bytes() for row in merged]
    with pytest.raises(UsageError, match="resume: goes on with the searches that there were"):
        zen_cli.search(resume=tmp_path / "run", seeds="1..2")
    with pytest.raises(UsageError, match="workers: has no effect on closed forms"):
        zen_cli.search(**problem, seeds="1..2", workers="ray")


def test_a_limit_that_no_network_keeps_costs_no_other_search_its_answer(zen: Zen) -> None:
    done = zen(*WORDS, "--max-params", "10,200k")
    assert len(done.rows) == 3
    done.warns("--max-params: 10 is below every network of the space")


def test_a_fault_of_one_search_is_its_result() -> None:
    settings, _ = check_sweep(wanted(max_params="10,100k"), None)
    bad, good = run_all(settings, [NOWHERE] * 2, Callbacks(), lambda _: None, processes=2)
    assert isinstance(bad, SpecError)
    assert isinstance(good, Outcome)


def test_a_signal_ends_all_searches_and_hands_over_what_they_found(zen: Zen) -> None:
    words = [*WORDS[:-1], "1h", "--max-params", "200k", "--proxy", "balanced", "--seeds", "0..1"]
    command = [sys.executable, "-m", "zen_cli", *words, "--out", "run"]
    process = subprocess.Popen(
        command, cwd=zen.folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(list(zen.folder.glob("run/*/history.jsonl"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(out.splitlines()) == 3
    assert b"Traceback" not in err
    while left_of(process.pid) and time.monotonic() < deadline:  # what cleans up after processes ends after them
        time.sleep(0.02)
    assert not left_of(process.pid)


def left_of(group: int) -> list[Path]:
    """The processes of a group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of) == group and state != "Z":
            found.append(stat)
    return found


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "3..1"], "--seeds: '3..1' is empty"),
        (["--seeds", "0..1", "--seed", "3"], "--seeds: given together with seed"),
        (["--seeds", "0..1", "--resume", "x"], "--resume: goes on with the searches that there were"),
        (["--max-params", "1M,", "--seeds", "0..1"], "--max-params: '' is not a number"),
    ],
)
def test_wrong_sweeps_are_one_line(zen: Zen, words: list[str], message: str) -> None:
    zen(*WORDS, *words).fails(message)
