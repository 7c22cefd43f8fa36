"""`zen export --target`: what is measured is the exported file itself, where the backend of the target runs it."""

from __future__ import annotations

import pytest
from cli_here import ZenHere
from fake_backend import FakeBackend
from test_finalists import HERE

from zen_cli.errors import UsageError
from zen_cli.exporters.source import ExportSource
from zen_cli.exporters.table import find_targets
from zen_cli.net.spec import parse_spec
from zen_cli.profiling import backends, finalists
from zen_cli.profiling.backends import BACKENDS, Conditions, WrittenFile, find_backend
from zen_cli.profiling.finalists import ROUNDS
from zen_cli.target.latency import latency_ms

SMALL = {"resolution": 32, "num_classes": 10, "blocks": [{"op": "conv", "width": 8, "stride": 2}]}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, zen_here: ZenHere) -> FakeBackend:
    """A machine that takes twice what is predicted and runs files of specs."""
    backend = FakeBackend(lambda spec: 2 * latency_ms(HERE, spec))
    backend.rule(monkeypatch, finalists)
    monkeypatch.setattr(backends, "find_backend", lambda *_: backend)
    (zen_here.folder / "t.json").write_bytes(HERE.to_bytes())
    return backend


def test_the_file_that_was_written_is_measured(machine: FakeBackend, zen_here: ZenHere) -> None:
    done = zen_here("export", "mobilenet_v2", "--to", "json,mermaid", "-o", "out/", "--target", "t.json")
    assert done.code == 0
    (written,) = (zen_here.folder / "out").glob("*.json")
    assert machine.written == [written.read_bytes()] * ROUNDS
    (line,) = [line for line in done.err.splitlines() if "ms measured" in line]
    assert written.name in line and "as built" not in line and "now take 100% more time than in the profile" in line


def test_a_network_without_such_a_file_is_built(machine: FakeBackend, zen_here: ZenHere) -> None:
    done = zen_here("export", "mobilenet_v2", "--to", "mermaid", "--target", "t.json")
    assert done.code == 0 and not machine.written
    assert "mobilenet_v2, as built for torch, which runs no file of this export," in done.err


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_runs_the_files_that_it_says(name: str) -> None:
    pytest.importorskip("torch")
    try:
        backend = find_backend(name)
    except UsageError as error:
        pytest.skip(str(error))
    spec = parse_spec(SMALL)
    source = ExportSource(spec)
    for target in backend.files:
        data = find_targets([target])[0].write(source, "small")
        session = backend.open_file(WrittenFile(spec, target, data), Conditions())
        session.run()
        session.close()
