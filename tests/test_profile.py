"""`zen profile` on a machine that runs nothing: the model is found again, and what was cut off goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random

import pytest
from cli_here import ZenHere
from fake_backend import FakeBackend
from test_fitting import a_law

from zen_cli.errors import UsageError
from zen_cli.net.spec import ArchSpec, parse_spec
from zen_cli.networks import networks
from zen_cli.profiling import profile as profiling
from zen_cli.profiling.backends import BACKENDS, conditions_of, find_backend
from zen_cli.profiling.backends.onnx_runtime import give_layouts
from zen_cli.profiling.kept import kept_path, log_path
from zen_cli.profiling.profile import LOOKS, MORE_LOOKS, Log, plan_visits, profile
from zen_cli.profiling.references import references
from zen_cli.profiling.sampling import confirmed_ms, time_runs
from zen_cli.profiling.settings import VALIDATED, ProfileSettings, check_profile
from zen_cli.target.graph import KINDS, operations_of
from zen_cli.target.latency import latency_ms, law_ms, whole_of
from zen_cli.target.model import LatencyModel, parse_target
from zen_cli.target.nearby import nearby

RANDOM = Random(3)
TRUE = LatencyModel(laws={kind: a_law(RANDOM) for kind in KINDS}, start=0.01)
SETTINGS = ProfileSettings(probes=30, name="fake")
NETWORKS = VALIDATED + SETTINGS.probes + len(references())


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    """A machine of known laws; its profiler adds a fifth and 2 microseconds. Probes are published networks."""
    specs = [network.spec for network in networks()][:: len(networks()) // (VALIDATED + SETTINGS.probes)]
    monkeypatch.setattr(profiling, "draw_probes", lambda count, *_: specs[:count])
    backend = FakeBackend(
        lambda spec: whole_of(TRUE, operations_of(spec)), lambda one: 1.2 * law_ms(TRUE.laws[one.kind], one) + 2e-3
    )
    backend.rule(monkeypatch, profiling)
    return backend


def test_the_model_of_a_machine_is_found_again(machine: FakeBackend, tmp_path: Path) -> None:
    log, seen = Log(tmp_path / "log", resumes=False), []
    target = profile(SETTINGS, log, lambda done, count: seen.append((done, count)))
    visits = LOOKS * NETWORKS
    assert seen == [(done, visits) for done in range(visits + 1)]
    assert machine.opened == machine.closed == visits
    assert target.error is not None
    assert target.error.p90 < 0.02 and target.error.rank_correlation > 0.999 and target.error.spread < 1e-9
    assert target.name == "fake" and target.protocol["disturbed_runs"] == 0
    assert parse_target(target.to_bytes(), "x") == target
    for name, spec in references().items():
        assert target.references[name] == pytest.approx(whole_of(TRUE, operations_of(spec)))
    for network in networks()[1::20]:  # others than those that were measured
        ms = whole_of(TRUE, operations_of(network.spec))
        assert latency_ms(target, network.spec) == pytest.approx(ms, rel=0.08)


def test_what_was_cut_off_goes_on_to_the_same_target(machine: FakeBackend, tmp_path: Path) -> None:
    whole = profile(SETTINGS, Log(tmp_path / "one", resumes=False), lambda *_: None)

    def stop(done: int, _: int | None) -> None:
        if done == 50:
            raise KeyboardInterrupt

    path = tmp_path / "two"
    with pytest.raises(KeyboardInterrupt):
        profile(SETTINGS, Log(path, resumes=False), stop)
    path.write_bytes(path.read_bytes()[:-9])  # killed within a line
    machine.opened = 0
    resumed = profile(SETTINGS, Log(path, resumes=True), lambda *_: None)
    for network in networks()[::40]:
        assert latency_ms(resumed, network.spec) == pytest.approx(latency_ms(whole, network.spec), rel=1e-9)
    assert machine.opened == LOOKS * NETWORKS - 49


def test_the_command_keeps_measurements_at_ctrl_c(
    machine: FakeBackend, monkeypatch: pytest.MonkeyPatch, zen_here: ZenHere, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    words, run = ("profile", "--probes", "30", "-o", "t.json"), machine.whole

    def interrupted(spec: ArchSpec) -> float:
        if machine.opened == 30:
            os.kill(os.getpid(), signal.SIGINT)
        return run(spec)

    machine.whole = interrupted
    done = zen_here(*words)
    assert done.code == 130 and "--resume" in done.err and not (zen_here.folder / "t.json").exists()
    machine.whole = run
    before = machine.opened
    done = zen_here(*words, "--resume")
    assert done.code == 0 and "error" in done.err
    assert machine.opened - before < LOOKS * NETWORKS
    assert parse_target((zen_here.folder / "t.json").read_bytes(), "t.json").error is not None
    settings = check_profile(probes=30)
    assert kept_path(settings).exists() and not log_path(settings).exists()
    zen_here(*words).fails("t.json", "--force")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--backend", "tvm"), "backend: unknown 'tvm'"),
        (("--threads", "4096"), "threads: 4096 are more than"),
        (("--probes", "1"), "probes: "),
        (("--dtype", "float16"), "dtype: onnxruntime does not measure float16"),
        (("--space", "nowhere"), "nowhere"),
        (("--batch-size", "0"), "batch-size: "),
    ],
)
def test_a_wrong_option_of_a_profile_is_one_line(zen_here: ZenHere, words: tuple[str, ...], fault: str) -> None:
    pytest.importorskip("onnxruntime")
    zen_here("profile", *words).fails(fault)


def test_every_network_is_visited_in_every_round() -> None:
    visits = list(plan_visits(range(7), LOOKS, 1))
    assert sorted(visits) == [(network, look) for network in range(7) for look in range(LOOKS)]
    assert [visit.look for visit in visits] == sorted(visit.look for visit in visits)


def test_a_network_whose_fastest_time_nothing_confirms_is_visited_again(
    machine: FakeBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    visits, whole = dict[str, int](), machine.whole

    def noisy(spec: ArchSpec) -> float:
        visits[spec.id] = visits.get(spec.id, 0) + 1
        slow = spec.name == "resnet34" and visits[spec.id] in (1, 3, 4)
        return whole(spec) * (1.5 if slow else 1.1 if spec.name == "resnet34" and visits[spec.id] == 2 else 1)

    machine.whole = noisy
    target = profile(SETTINGS, Log(tmp_path / "log", resumes=False), lambda *_: None)
    (known,) = [spec for spec in references().values() if spec.name == "resnet34"]
    assert visits.pop(known.id) == LOOKS + MORE_LOOKS and set(visits.values()) <= {LOOKS, 2 * LOOKS}
    assert target.references["resnet34@112"] == pytest.approx(1.1 * whole(known))  # the fastest was not confirmed


def test_the_fastest_time_that_another_visit_confirms_counts() -> None:
    assert confirmed_ms([3.0, 1.0, 1.2]) == 1.2 and confirmed_ms([2.0, 2.0]) == 2.0 and confirmed_ms([5.0]) == 5.0


def test_a_busy_machine_counts_the_time_on_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"wall": 0.0, "core": 0.0, "runs": 0}

    def run() -> None:
        clock["runs"] += 1
        clock["core"] += 2e-3
        clock["wall"] += 2e-3 if clock["runs"] % 2 else 9e-3  # every other run waits for the core

    monkeypatch.setattr("zen_cli.profiling.sampling.time.perf_counter", lambda: clock["wall"])
    monkeypatch.setattr("zen_cli.profiling.sampling.time.thread_time", lambda: clock["core"])
    timing = time_runs(run, conditions_of("onnxruntime", 1, 1, "float32"))
    assert timing.ms == pytest.approx(2) and timing.disturbed == pytest.approx(0.5, abs=0.05)
    several = time_runs(run, conditions_of("onnxruntime", 2, 1, "float32"))
    assert several.disturbed == 0 and 2 - 1e-9 <= several.ms <= 9


def test_a_change_of_layout_belongs_to_who_needs_it() -> None:
    names = ["a.conv", "ReorderOutput", "b.conv", "ReorderInput", "c.conv", "ReorderOutput_2"]
    given = give_layouts({name: [float(index)] for index, name in enumerate(names)})
    nodes, changes = {"a.conv": [0], "b.conv": [2], "c.conv": [4]}, {"ReorderOutput": [1], "ReorderInput": [3]}
    assert given == nodes | {f"b.conv.{name}": times for name, times in changes.items()}


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_says_what_is_missing_or_runs(name: str) -> None:
    try:
        backend = find_backend(name)
    except UsageError as error:
        assert str(error).startswith(f"backend: {name} cannot be used here, ")
        return
    spec = parse_spec({"resolution": 8, "num_classes": 2, "blocks": [{"op": "conv", "width": 8}]})
    session = backend.open(spec, conditions_of(name, 1, 1, "float32"))
    session.run()
    times = session.times(2)
    session.close()
    assert times and all(len(row) == 2 and min(row) >= 0 for row in times.values())
    assert backend.versions()


def test_known_networks_are_those_of_the_nearest_times(machine: FakeBackend, tmp_path: Path) -> None:
    target = profile(SETTINGS, Log(tmp_path / "log", resumes=False), lambda *_: None)
    rows = nearby(target, 5.0, count=4)
    assert [row.ms for row in rows] == sorted(row.ms for row in rows)
    far = max(max(row.ms / 5, 5 / row.ms) for row in rows)
    for network in networks():
        if network.accuracy is not None and all(network is not row.network for row in rows):
            ms = latency_ms(target, network.spec)
            assert max(ms / 5, 5 / ms) >= far
