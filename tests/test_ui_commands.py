"""What commands show and write of their records: CSV, orders, columns, and what is not verified apart."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from cli import Result, Zen

from zen_cli import score
from zen_cli.formats.csv_rows import csv_row, flatten
from zen_cli.metrics.columns import COLUMNS, columns_of
from zen_cli.metrics.ordering import Order, Selection, parse_order
from zen_cli.net.spec import parse_spec

SPECS = [
    {"name": f"network-{width}", "resolution": 16, "num_classes": 10, "blocks": [{"op": "conv", "width": width}]}
    for width in (16, 4, 64, 8, 32)
]
LINES = "\n".join(map(json.dumps, SPECS))
SEARCH = [
    "--space",
    "zennet-resnet",
    "--resolution",
    "16",
    "--num-classes",
    "10",
    "--max-params",
    "60k",
    "--max-sublayers",
    "6",
    "--quiet",
]


def at(width: int, zen: Zen, *words: str, stdin: str = "") -> Result:
    """A command that writes a table for a terminal of this width."""
    return zen(*words, "--format", "table", stdin=stdin, COLUMNS=str(width))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_search_shows_each_estimator_in_its_column_and_what_is_not_verified_apart(zen: Zen, width: int) -> None:
    words = ["search", *SEARCH, "--budget", "600evals", "--verify", "2", "--draws", "3", "--batch-size", "2"]
    rows = zen(*words).rows
    done = at(width, zen, *words)
    assert max(map(len, done.out.splitlines())) <= width
    found = " ".join(done.out.split())
    verified, _, rest = found.partition("not verified")
    for row in rows:
        place = rest if row["zen"]["estimator"] == "mean-field" else verified
        assert row["name"] in place
        assert f"{row['search']['score']:.2f}" in place
    for row in rows[:2]:
        assert f"{row['zen']['value']:.2f}" in verified
        assert f"{row['zen']['std_error']:.2f}" in verified
    assert "closed form: mean-field, paper convention, frobenius norm, alpha 0.01" in found
    assert "verified: monte-carlo, paper convention, frobenius norm, alpha 0.01, 6 draws of 2 images" in found


def test_one_score_needs_no_second_column(zen: Zen) -> None:
    table = at(120, zen, "search", *SEARCH, "--budget", "600evals", "--verify", "0").out
    assert "zen (nats)" in table
    assert "verified" not in table
    assert "left out" not in table


def test_an_order_puts_the_best_first_and_a_minus_turns_it(zen: Zen) -> None:
    for key, better in (("zen", max), ("params", min), ("macs", min), ("name", min)):
        rows = zen.score("--sort", key, "-", stdin=LINES).rows
        values = [row["name"] if key == "name" else row["cost"].get(key, row["zen"]["value"]) for row in rows]
        assert values == sorted(values, reverse=better is max)
        turned = zen.score("--sort", f"-{key}", "-", stdin=LINES).rows
        assert [row["id"] for row in turned] == [row["id"] for row in rows][::-1]


def test_top_keeps_the_first_of_the_order_and_the_best_without_one(zen: Zen) -> None:
    all_rows = zen.score("--sort", "params", "-", stdin=LINES).rows
    assert zen.score("--sort", "params", "--top", "2", "-", stdin=LINES).rows == all_rows[:2]
    best = zen.score("--sort", "zen", "-", stdin=LINES).rows
    assert zen.score("--top", "3", "-", stdin=LINES).rows == best[:3]
    assert (
        zen.score("--top", "99", "--format", "json", "-", stdin=LINES).out
        == zen.score("--sort", "zen", "--format", "json", "-", stdin=LINES).out
    )


def test_csv_has_a_header_and_every_digit(zen: Zen) -> None:
    records = zen.score("-", stdin=LINES).rows
    text = zen.score("--format", "csv", "-", stdin=LINES).out
    assert text.count("\r\n") == len(records) + 1
    for record, row in zip(records, rows_of(text), strict=True):
        assert list(row) == [*columns_of()]
        assert (row["name"], row["id"], row["std_error"]) == (record["name"], record["id"], "")
        assert float(row["zen"]) == record["zen"]["value"]
        assert {name: row[name] for name in record["cost"]} == {k: str(v) for k, v in record["cost"].items()}


def test_csv_of_a_search_says_how_it_was_found(zen: Zen) -> None:
    words = ["search", *SEARCH, "--budget", "600evals", "--verify", "1", "--draws", "2", "--batch-size", "2"]
    records, rows = zen(*words).rows, rows_of(zen(*words, "--format", "csv").out)
    assert [float(row["search_score"]) for row in rows] == [record["search"]["score"] for record in records]
    assert [row["estimator"] for row in rows] == [record["zen"]["estimator"] for record in records]


def test_columns_are_those_asked_for_in_that_order(zen: Zen) -> None:
    words = ["--columns", "params,name,phi", "--proxies", "phi", "--draws", "1", "--batch-size", "1", "-"]
    rows = rows_of(zen.score(*words, "--format", "csv", stdin=LINES).out)
    assert [list(row) for row in rows] == [["params", "name", "phi"]] * len(SPECS)
    table = zen.score(*words, "--format", "table", "--sort", "-phi", stdin=LINES).out
    assert table.splitlines()[0].split() == ["params", "network", "phi", "↑"]


def test_listings_have_every_format(zen: Zen) -> None:
    for words in (["search", "--list-presets"], ["score", "--list-networks"], ["score", "--list-proxies"]):
        lines = zen(*words).rows
        assert json.loads(zen(*words, "--format", "json").out) == lines
        rows = rows_of(zen(*words, "--format", "csv").out)
        assert [row[next(iter(row))] for row in rows] == [line[next(iter(line))] for line in lines]
    assert rows[0]["closed_form"] == "true"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sort", "zenn"], '--sort: unknown column "zenn"; did you mean "zen"?'.replace('"zenn"', "'zenn'")),
        (["--sort", ""], "--sort: unknown column ''"),
        (["--sort", "phi"], "--sort: phi is not scored; add it to --proxies"),
        (["--columns", "name,phi", "--format", "csv"], "--columns: phi is not scored; add it to --proxies"),
        (["--columns", "nme", "--format", "table"], "--columns: unknown column 'nme'; did you mean \"name\"?"),
        (["--columns", ",", "--format", "table"], "--columns: names no column"),
        (["--columns", "name"], "--columns: jsonl holds whole records; add --format table or --format csv"),
        (["--top", "0"], "--top"),
        (["--format", "cvs"], 'did you mean "csv"?'),
    ],
    ids=str,
)
def test_a_wrong_column_is_one_line_before_anything_is_scored(zen: Zen, words: list[str], message: str) -> None:
    zen.score(*words, "-", stdin=LINES).fails(message)


def test_a_row_holds_the_whole_record_but_the_network() -> None:
    record = score(parse_spec(SPECS[0]), proxies=["zen", "params", "entropy"], estimator="mean-field")
    row = record.row()
    assert set(row) >= set(columns_of()) | {"proxy_zen", "proxy_params", "entropy", "entropy_std_error"}
    assert row["proxy_zen"] == row["zen"] == record.zen.value
    assert row["structure"] == "C3-16"
    assert all(isinstance(value, (str, int, float)) or value is None for value in row.values())


def test_every_column_is_found_in_a_record_of_a_search(zen: Zen) -> None:
    words = ["search", *SEARCH, "--budget", "600evals", "--verify", "1", "--draws", "2", "--top", "1", "--bound"]
    (row,) = rows_of(zen(*words, "--format", "csv").out)
    assert set(row) == set(COLUMNS)
    assert [name for name, value in row.items() if not value] == [
        "search_proxy",
        "predicted_ms",
        "measured_ms",
        "spread",
        "role",
    ]


def test_a_selection_keeps_the_order_of_equals_and_puts_what_has_no_value_last() -> None:
    records = [score(parse_spec(spec), estimator="mean-field") for spec in SPECS]
    drawn = records[1].model_copy(update={"zen": records[1].zen.model_copy(update={"std_error": 0.5})})
    rows = [records[0], drawn, records[2]]
    assert Order(COLUMNS["std_error"]).sort(rows) == [drawn, records[0], records[2]]
    assert Order(COLUMNS["layers"], reverse=True).sort(rows) == rows


def test_a_long_stream_keeps_few_more_than_its_top() -> None:
    record = score(parse_spec(SPECS[0]), estimator="mean-field")
    values = [float((7919 * index) % 10_007) for index in range(5000)]
    selection = Selection(parse_order("zen", COLUMNS), 3)
    for value in values:
        selection.add(record.model_copy(update={"zen": record.zen.model_copy(update={"value": value})}))
        assert len(selection) <= 2048
    assert [row.zen.value for row in selection.records()] == sorted(values, reverse=True)[:3]


@pytest.mark.parametrize("text", ['a,"b"', "two\nlines", "", " spaced ", "σ"])
def test_csv_reads_back(text: str) -> None:
    line = csv_row([text, 0.1, 3, None, True])
    assert line.endswith(b"\r\n")
    assert next(csv.reader(io.StringIO(line.decode(), newline=""))) == [text, "0.1", "3", "", "true"]


def test_objects_in_a_listing_are_spread_out() -> None:
    document: dict[str, Any] = {"a": 1, "b": {"c": 2, "d": {"e": 3}}}
    assert flatten(document) == {"a": 1, "b_c": 2, "b_d_e": 3}


def test_an_order_needs_the_end_of_the_stream_only_where_there_is_one(zen: Zen, tmp_path: Path) -> None:
    bad = LINES + "\n{}\n"
    done = zen.score("--fail-fast", "--format", "csv", "-", stdin=bad)
    assert done.code == 2
    assert len(rows_of(done.out)) == len(SPECS)
    assert len(zen.score("--fail-fast", "--sort", "zen", "-", stdin=bad).rows) == len(SPECS)


def test_an_export_names_each_file_whole(zen: Zen, tmp_path: Path) -> None:
    folder = "a-folder-with-a-name-that-is-longer-than-a-narrow-terminal-is-wide"
    (tmp_path / folder).mkdir()
    spec = json.dumps(SPECS[0])
    done = zen("export", "-", "--to", "json,mermaid", "-o", folder, stdin=spec)
    assert done.code == 0, done.err
    lines = done.err.splitlines()
    assert lines[0].startswith("network-16 (")
    assert len([line for line in lines if folder in line and "the same network" in line]) == 1


def test_the_documentation_names_every_column() -> None:
    text = (Path(__file__).parents[1] / "docs" / "score.md").read_text(encoding="utf-8")
    assert [name for name in columns_of() if f"`{name}`" not in text] == []
