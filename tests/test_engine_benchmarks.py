"""The engine's benchmarks run, on tiny networks; what they measure here is nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_cpu(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = importlib.import_module("engine_cpu")
    words = "--tiny --rounds 1 --draws 3 --batches 1 2 --loop-batches 2 --out"
    script.main([*words.split(), str(tmp_path / "table.md")])
    output = capsys.readouterr().out
    assert (tmp_path / "table.md").read_text().strip() == output.strip()
    assert output.count("| tiny |") == 2
    assert "### What to pick: tiny" in output


def test_cuda_on_a_cpu(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = importlib.import_module("engine_cuda")
    words = "--tiny --device cpu --rounds 1 --loop-networks 1 --cifar 4 --mobile 2 --batches 2 --out"
    script.main([*words.split(), str(tmp_path / "table.md")])
    output = capsys.readouterr().out
    assert (tmp_path / "table.md").read_text() == output
    for mode in ("float32", "tf32", "float16", "bfloat16"):
        assert f"| {mode} |" in output
    assert "nan" not in output
    assert "Failed" not in output


def test_cuda_writes_what_it_has_when_a_part_fails_or_is_late(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = importlib.import_module("engine_cuda")

    def failing(bench: object) -> Iterator[list[str]]:
        yield ["1", "2"]
        raise RuntimeError("no more")

    monkeypatch.setitem(script.PARTS, "growth", ("Growth", ["networks", "networks/s"], failing))
    words = "--tiny --device cpu --cifar 2 --mobile 2 --batches 2 --parts growth independence --seconds"
    script.main([*words.split(), "inf"])
    output = capsys.readouterr().out
    assert "| 1 | 2 |\n\nFailed: RuntimeError: no more\n" in output
    assert "| alone | 0.0e+00 |" in output
    script.main([*words.split(), "0"])
    assert capsys.readouterr().out.count("Passed over") == 2


def test_launches(capsys: pytest.CaptureFixture[str]) -> None:
    script = importlib.import_module("engine_launches")
    script.main(["--tiny", "--sizes", "1", "4"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[4:8]]
    for _, _, loop, plain, engine, _ in rows:
        assert float(engine) < float(plain) < float(loop)


def test_a_population_keeps_near_its_budget_and_has_no_twins() -> None:
    loop = importlib.import_module("engine_loop")
    parent = loop.published()["ZenNet-1M"]
    found = loop.population(parent, 24, "params")
    assert len({spec.id for spec in found}) == 24
    assert all(abs(spec.cost.params / parent.cost.params - 1) <= 0.1 for spec in found)
    assert loop.population(parent, 24, "params") == found


def test_the_loop_and_the_engine_estimate_the_same() -> None:
    loop = importlib.import_module("engine_loop")
    from zen_cli.metrics.monte_carlo import estimate, summarise
    from zen_cli.metrics.settings import check_settings

    one = loop.network(next(iter(loop.tiny().values())))
    torch.manual_seed(0)
    loops = summarise([loop.obvious_loop(one.chain, 4, torch.device("cpu")) for _ in range(64)])
    (engine,) = estimate([one], check_settings(batch_size=4, draws=64, device="cpu"))
    error = (loops.std_error**2 + engine.std_error**2) ** 0.5
    rows = 2 * 4 * 8 * 8 / 2  # the loop's variances are the unbiased ones, which is less than this
    assert abs(loops.value - engine.value) < 4 * error + len(one.chain) / rows
    assert sys.modules["engine_loop"] is loop


def test_three_products_of_tf32_are_nearly_as_exact_as_float32(capsys: pytest.CaptureFixture[str]) -> None:
    script = importlib.import_module("engine_precision")
    script.main(["--tiny", "--draws", "4"])
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    for float32, three, one in (rows[:3], rows[3:]):
        assert [row[1] for row in (float32, three, one)] == ["float32", "three of TF32", "TF32"]
        assert abs(float(float32[2])) < 2e-4
        assert abs(float(three[2])) < 2e-4
        assert float(one[3]) > 10 * float(three[3])  # it did cut
