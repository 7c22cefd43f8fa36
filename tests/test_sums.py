"""What is promised to be the same bytes does not depend on how `sum()` rounds, which changed in Python 3.12."""

from __future__ import annotations

import sys
from pathlib import Path

from cli import MAIN
from forks import fork_server

from zen_cli.metrics.registry import limitable
from zen_cli.nas.space import BUILTIN

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import same_bytes_cases  # a benchmark is a script, not a module of the package

# Both ways to add up floats, on any version of Python.
PLAIN = "import builtins, functools, operator\n"
PLAIN += "builtins.sum = lambda values, start=0: functools.reduce(operator.add, values, start)\n"
EXACT = """
import builtins, math
before = builtins.sum
def exact(values, start=0):
    values = [start, *values]
    return math.fsum(values) if any(type(value) is float for value in values) else before(values[1:], start)
builtins.sum = exact
"""
PROXIES = ",".join(name for name in limitable() if name not in ("zen", "latency"))
COMMANDS = (
    f"score --estimator mean-field --breakdown --proxies {PROXIES} resnet50 mobilenet_v3_large regnety_008",
    "score --layers --format jsonl resnet50 mobilenet_v3_large regnety_008",
    "compare --format json mobilenet_v2 efficientnet_b0",
    "search --max-macs 40M --resolution 96 --budget 1keval --algorithm evolution --verify 0",
)


def written(folder: Path, way: str) -> list[bytes]:
    found = []
    for words in COMMANDS:
        process = fork_server().start(folder, way + MAIN, *words.split(), "--quiet")
        found.append(process.communicate()[0])
        assert process.wait() == 0, words
    return found


def test_bytes_do_not_depend_on_how_sums_are_rounded(tmp_path: Path) -> None:
    assert written(tmp_path, PLAIN) == written(tmp_path, EXACT)


def test_the_benchmark_of_bytes_has_its_inputs(tmp_path: Path) -> None:
    same_bytes_cases.prepare(tmp_path)
    words = [word for _, command in same_bytes_cases.cases(with_torch=True) for word in command.split()]
    assert {word[1:] for word in words if word.startswith("@")} == {file.name for file in tmp_path.iterdir()}
    assert set(BUILTIN) <= set(words)
