"""The Python API: the functions of `zen_cli`, with the answers and the messages of the commands."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import FunctionType

import pytest
from cli import Zen

import zen_cli
from zen_cli import SearchResult, export, load, score, search
from zen_cli.errors import UsageError

SMALL = {"resolution": 16, "num_classes": 10, "limits": {"params": 1e5, "sublayers": 10}, "budget": "1000evals"}


def test_no_public_function_is_hidden_by_a_package() -> None:
    import zen_cli.exporters.run
    import zen_cli.metrics.scoring
    import zen_cli.nas.answer

    for name in ("build", "cost", "export", "load", "score", "search"):
        function = getattr(zen_cli, name)
        assert isinstance(function, FunctionType)
        kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
        assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}


def test_a_search_is_that_of_the_command(zen: Zen, tmp_path: Path) -> None:
    seen: list[int] = []
    found = search(
        **SMALL, verify=0, top=2, out=tmp_path / "mine", on_generation=lambda one: seen.append(one.proposals)
    )
    words = ["--resolution", "16", "--num-classes", "10", "--max-params", "100k", "--max-sublayers", "10"]
    done = zen("search", *words, "--budget", "1000evals", "--verify", "0", "--top", "2")
    assert [json.loads(record.to_bytes()) for record in found] == done.rows
    assert (tmp_path / "mine" / "results.jsonl").read_text() == done.out
    assert isinstance(found, SearchResult)
    assert (found.stopped, found.evaluations, found.errors, found.bound) == ("evaluations", 1000, [], None)
    assert seen[-1] == 1000
    more = search(resume=tmp_path / "mine", budget="2000evals", verify=0)
    assert more.evaluations == 2000


def test_a_result_is_a_table_of_flat_rows() -> None:
    found = search(**SMALL, verify=0, top=3)
    rows = found.rows()
    assert [row["id"] for row in rows] == [record.id for record in found]
    assert all(not isinstance(value, (dict, list, tuple)) for row in rows for value in row.values())
    assert repr(found).startswith("<SearchResult: 3 networks, best ")
    assert len(repr(found[0])) < 120
    assert repr(found[0]).startswith(f"<ScoreRecord {found[0].name}: ")
    assert str(found[0]) == repr(found[0])


def test_a_record_in_a_notebook_is_a_table_whose_names_are_text(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps({"name": "<b>x</b>", "resolution": 8, "blocks": [{"op": "conv", "width": 4}]}))
    html = score(load(path), estimator="mean-field")._repr_html_()
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    assert "<b>" not in html


def test_a_network_is_exported(tmp_path: Path) -> None:
    found = search(**SMALL, verify=0, top=1)
    assert found[0].arch is not None
    (file,) = export(found[0].arch, "json", tmp_path / "net.json")
    assert file.path == tmp_path / "net.json"
    assert load(tmp_path / "net.json").id == found[0].id


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"limits": {"speed": 1}}, "limit: 'speed' cannot be limited; "),
        ({"limits": {"params": -1}}, "limit: "),
        ({"population": 0}, "population: 0 is out of range; use 1 to 1000000"),
        ({"algorithm": "exat"}, "algorithm: unknown 'exat'; did you mean \"exact\"?"),
        ({"draws": 3, "verify": 0}, "draws: has no effect on zen (mean-field) without verification"),
        ({"gap": 0.1, "algorithm": "evolution"}, "gap: has no effect on evolution"),
        ({"algorithm": "exact", "budget": "5s", "patience": 3}, "patience: has no effect on exact"),
        ({"proxy": "balanced", "estimator": "monte-carlo"}, "estimator: has no effect on balanced"),
        ({"space": "mobil"}, "space: unknown 'mobil'"),
    ],
)
def test_messages_name_the_argument(more: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        search(**{**SMALL, **more})  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
    assert "--" not in str(caught.value)


def test_help_names_each_command_by_the_first_line_of_its_own_help() -> None:
    from zen_cli.cli.main import COMMANDS, command

    for name, summary in COMMANDS.items():
        assert (command(name).__doc__ or "").split("\n")[0] == summary


def test_records_are_a_table_of_their_flat_rows() -> None:
    found = search(space="zennet-resnet", verify=0, **SMALL)  # type: ignore[arg-type]
    records = [*found, score(found[0].arch, estimator="mean-field", proxies=["balanced"])]
    assert all(isinstance(record, Mapping) and dict(record) == record.row() for record in records)
    assert list(records[0]) == list(records[0].keys()) and len(records[0]) == len(records[0].row())
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    assert list(pandas.DataFrame(found).columns) == list(found[0].row())
    table = pandas.DataFrame(records)
    assert set(table.columns) == {name for record in records for name in record.row()}
    assert table["zen"].tolist() == [record.zen.value for record in records]


def test_source_without_an_installed_package_has_a_version_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert zen_cli.__version__ == metadata.version("zen-cli")

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("zen_cli.version.version", missing)
    assert zen_cli.__version__ == "uninstalled"
