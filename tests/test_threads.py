"""What is measured has the same bits on any number of cores, and starting threads never hangs."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
import torch
from forks import fork_server

from zen_cli.errors import RunError
from zen_cli.metrics import find, names
from zen_cli.metrics.threads import single_threads

MEASURED = [name for name in names() if "monte-carlo" in find(name).estimators]
# Wide enough that torch splits its sums between threads: one thread or two would differ without the threads of ours.
WIDE = {
    "resolution": 20,
    "num_classes": 10,
    "blocks": [
        {"op": "conv", "width": 32},
        {"op": "basic", "width": 64, "mid_width": 48, "se": 0.25},
        {"op": "mbconv", "width": 48, "expansion": 4, "stride": 2, "depth": 2},
    ],
}
SCRIPT = f"""
import json, torch
from zen_cli import parse_spec
from zen_cli.metrics import find
from zen_cli.metrics.settings import check_settings
settings = check_settings(draws=2, batch_size=8, device="cpu")
wide = {WIDE!r}
specs = [parse_spec({{**wide, "blocks": wide["blocks"][:number]}}) for number in (3, 1)]
for threads in (1, 4):
    torch.set_num_threads(threads)
    found = {{}}
    for name in {MEASURED!r}:
        found[name] = [(row.value, row.std_error) for row in find(name).evaluate_all(specs, settings)]
    print(json.dumps([torch.get_num_threads(), found]))
"""


def test_measured_metrics_are_the_same_bits_on_one_core_and_on_several(tmp_path: Path) -> None:
    code, out, err = fork_server().run(tmp_path, SCRIPT)
    assert code == 0, err
    (one, expected), (several, found) = map(json.loads, out.splitlines())
    assert (one, several) == (1, 4)
    assert set(expected) == set(MEASURED) >= {"zen", "phi", "grad_norm", "snip", "naswot", "ntk", "synflow"}
    assert found == expected


def test_each_thread_lets_torch_use_one_and_the_caller_keeps_its_own() -> None:
    before = torch.get_num_threads()
    with single_threads(3) as (pool, count):
        assert count == 3
        ready = threading.Barrier(3)

        def look(_: int) -> tuple[int, int]:
            ready.wait(60)
            return threading.get_ident(), torch.get_num_threads()

        found = list(pool.map(look, range(3)))
    assert len({ident for ident, _ in found}) == 3
    assert {threads for _, threads in found} == {1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("possible", [1, 2])
def test_where_the_system_starts_fewer_threads_the_rest_do_the_work(
    possible: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, left = threading.Thread.start, [possible]

    def limited(thread: threading.Thread) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with single_threads(4) as (pool, count):
        assert count == possible
        assert list(pool.map(lambda number: number + torch.get_num_threads(), range(20))) == list(range(1, 21))


def test_where_the_system_starts_no_thread_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    with pytest.raises(RunError, match="threads: can't start new thread; end other programs"), single_threads(2):
        pass
