"""A command that runs out of memory ends with one line and exit code 1, wherever that happens."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cli import MAIN, Result
from forks import fork_server

from zen_cli.cli.shortage import shortage

# Where memory ends, as a function that raises, and the command that meets it.
PLACES = {
    "reading": ("orjson", "loads", "score --estimator mean-field net.json"),
    "scoring": ("zen_cli.metrics.scoring", "score_and_count", "score --estimator mean-field resnet18"),
    "layers": ("zen_cli.report.layers", "layer_rows", "score --layers resnet18"),
    "comparing": ("zen_cli.cli.compare", "compare", "compare resnet18 resnet50"),
    "a space": ("zen_cli.nas.space.load", "parse_space", "search --space space.json --check"),
    "spaces": ("zen_cli.nas.request", "load_space", "search --check"),
    "runs": ("zen_cli.nas.kept", "list_paths", "runs"),
}
SCRIPT = "def fail(*_, **__):\n    raise MemoryError\nimport {0}\n{0}.{1} = fail\n" + MAIN
# As much address space as the process has now, and a little more.
LIMITED = """
import re, resource
used = int(re.search(r"VmSize:\\s*(\\d+)", open("/proc/self/status").read())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + 24 * 2**20, resource.RLIM_INFINITY))
"""


def run(folder: Path, script: str, words: str) -> Result:
    process = fork_server().start(folder, script, *words.split())
    out, err = process.communicate()
    return Result(process.wait(), out.decode(), err.decode())


@pytest.mark.parametrize("place", PLACES)
def test_wherever_memory_ends_there_is_one_line(tmp_path: Path, place: str) -> None:
    module, name, words = PLACES[place]
    (tmp_path / "space.json").write_text("{}")
    (tmp_path / "net.json").write_text("{}")
    run(tmp_path, SCRIPT.format(module, name), words).warns("memory: there is not enough", code=1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="address space is limited as on Linux")
def test_a_document_that_does_not_fit_into_memory_is_one_line(tmp_path: Path) -> None:
    network = {"resolution": 32, "num_classes": 10, "blocks": [{"op": "conv", "width": 64}] * 400}
    (tmp_path / "many.json").write_text(json.dumps([network] * 400))
    done = run(tmp_path, LIMITED + MAIN, "score --estimator mean-field --breakdown many.json --quiet")
    assert done.out == ""
    done.warns("memory", code=done.code)
    assert done.code in (1, 2)


def test_a_library_that_has_no_room_is_told_from_one_that_is_missing() -> None:
    text = "libtorch_cpu.so: failed to map segment from shared object"
    assert "not enough to load torch" in shortage(ImportError(text, name="torch"))
    assert shortage(ImportError("No module named torch", name="torch")) == ""
    assert shortage(RuntimeError("another")) == ""
