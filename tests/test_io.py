"""Laws of reading: every way of writing architectures down reads back, and a broken one costs no other."""

from __future__ import annotations

import io
import json
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import specs

from zen_cli import ArchSpec, load, load_all, parse_plainnet, score
from zen_cli.errors import SourceError, SpecError
from zen_cli.formats.documents import Found, read_values
from zen_cli.net.spec import parse_spec

SMALL = parse_plainnet("SuperConvK3BNRELU(3,8,1,1)", resolution=8)


def found(data: bytes) -> list[Found]:
    return list(read_values(io.BytesIO(data), "x"))


def ids(data: bytes) -> list[str | None]:
    """The id of each architecture, None for an error."""
    rows: list[str | None] = []
    for item in found(data):
        for value in item.value if isinstance(item.value, list) else [item.value]:
            if isinstance(value, dict):
                rows.append(parse_spec(value.get("arch", value)).id)
            else:
                rows.append(parse_plainnet(value).id if isinstance(value, str) else None)
    return rows


LAYOUTS = {
    "lines": lambda rows: b"\n".join(rows),
    "lines of Windows": lambda rows: b"\r\n".join(rows) + b"\r\n",
    "one line": b"".join,
    "one line with spaces": lambda rows: b"  ".join(rows),
    "array": lambda rows: b"[" + b",".join(rows) + b"]",
    "array on many lines": lambda rows: b"[\n" + b",\n".join(rows) + b"\n]\n",
    "BOM": lambda rows: b"\xef\xbb\xbf" + b"\n".join(rows),
    "comments and empty lines": lambda rows: b"# networks\n\n" + b"\n\n# next\n".join(rows),
    "pretty": lambda rows: b"\n".join(orjson.dumps(orjson.loads(row), option=orjson.OPT_INDENT_2) for row in rows),
    "pretty array": lambda rows: orjson.dumps([orjson.loads(row) for row in rows], option=orjson.OPT_INDENT_2),
    "records": lambda rows: b"\n".join(b'{"schema":"zen-score/1","arch":' + row + b"}" for row in rows),
    "pretty records": lambda rows: b"\n".join(
        orjson.dumps({"arch": orjson.loads(row)}, option=orjson.OPT_INDENT_2) for row in rows
    ),
    "records whose arch is a line": lambda rows: b"\n".join(b'{"arch":\n' + row + b"\n}" for row in rows),
    "records with empty lines": lambda rows: b"\n".join(b'{"arch":\n\n' + row + b"\n}" for row in rows),
}


@given(st.lists(specs(), min_size=1, max_size=4), st.sampled_from(sorted(LAYOUTS)))
def test_every_layout_reads_back(found: list[ArchSpec], layout: str) -> None:
    data: bytes = LAYOUTS[layout]([orjson.dumps(spec.to_dict()) for spec in found])
    assert ids(data) == [spec.id for spec in found]


@given(st.lists(specs(), min_size=2, max_size=4), st.data())
def test_a_line_that_is_cut_off_costs_no_other_line(found: list[ArchSpec], data: st.DataObject) -> None:
    rows = [orjson.dumps(spec.to_dict()) for spec in found]
    bad = data.draw(st.integers(0, len(rows) - 1))
    rows[bad] = rows[bad][: data.draw(st.integers(1, len(rows[bad]) - 1))]
    expected: list[str | None] = [spec.id for spec in found]
    expected[bad] = None
    assert ids(b"\n".join(rows)) == expected


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_line_that_is_cut_off_anywhere_costs_nothing_of_what_follows(layout: str) -> None:
    row = orjson.dumps(SMALL.to_dict())
    data: bytes = LAYOUTS[layout]([row, row]).removeprefix(b"\xef\xbb\xbf")
    try:
        is_whole = isinstance(orjson.loads(data.splitlines()[0]), dict)
    except orjson.JSONDecodeError:
        is_whole = False
    for end in range(1, len(row)):
        # after these a value may go on in the next line, unless that is a whole architecture
        if is_whole or row[end - 1 : end] not in (b"[", b",", b":"):
            assert ids(row[:end] + b"\n" + data) == [None, SMALL.id, SMALL.id], row[:end]


@given(st.binary(max_size=200))
def test_any_bytes_give_values_or_errors_and_never_more_than_that(data: bytes) -> None:
    try:
        for item in found(data):
            assert item.line >= 1
    except SourceError as error:
        assert str(error).startswith("x:")


@given(st.text(alphabet='{}[]":,\\ \na1', max_size=60))
def test_any_brackets_and_quotes_give_values_or_errors(text: str) -> None:
    try:
        for item in found(b"{" + text.encode()):
            assert item.line >= 1
    except SourceError as error:
        assert str(error).startswith("x:")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x: is empty"),
        (b"\n# nothing\n", "x: is empty"),
        (b'{"blocks": [\n{"op": "conv",\n', "x:2: not valid JSON, it ends too early"),
        (b'{"blocks": [],\n "a" 1}', "x:2: not valid JSON, column 6"),
        (b'{"blocks": ]}', "x:1: not valid JSON, column 12"),
        (b'{"name": "\xff"}', "x:1: is not UTF-8 (byte 11)"),
        (b"\xff\xfe{", "x:1: is not UTF-8 (byte 1)"),
        ('{"blocks": []}'.encode("utf-16"), "x:1: holds a zero byte"),
        (b"[" * 100_000, "x:1: nested deeper than 64 levels"),
        (b"[" * 10_000_000, "x:1: a document of more than 4000000 values or 1000000 brackets; split it"),
        (b"[" + b"0," * 4_000_001, "x:1: a document of more than 4000000 values or 1000000 brackets; split it"),
        (b'""' * 4_000_001, "x:1: more than 4000000 strings on one line; split it"),
        (b"{'a': f(1)}", "x:1: is a Python literal that holds a call, which is not run"),
        (b'{"a": None, b}', "x:1: is a Python literal that cannot be read (line 1, column 1"),
        (b"[\n" * 100_000, "x:1: nested deeper than 64 levels"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "x:1: nested deeper than 64 levels"),
        (b'{"' + b'\\"' * 3_000_000, "x:1: not valid JSON"),
        (b'{"a": "' + b"b\n" * 100_000, "x:1: not valid JSON"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_what_is_not_json_is_named_with_its_line(data: bytes, message: str) -> None:
    try:
        errors = [item.value for item in found(data)]
    except SourceError as error:
        errors = [error]
    assert isinstance(errors[0], SourceError)
    assert str(errors[0]).startswith(message)


def test_load_takes_one_and_load_all_takes_many(tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.jsonl"
    line = json.dumps(SMALL.to_dict())
    one.write_text(line, encoding="utf-8")
    two.write_text(f"{line}\n{line}\n", encoding="utf-8")
    assert load(one).id == SMALL.id
    assert load(one).name == "one"
    assert [spec.name for spec in load_all(two)] == ["two:1", "two:2"]
    with pytest.raises(SourceError, match=r"holds 2 architectures; use zen_cli\.load_all"):
        load(two)
    with pytest.raises(SourceError, match="no such file"):
        load(tmp_path / "none.json")
    one.write_text('{"blocks": 3}', encoding="utf-8")
    with pytest.raises(SpecError, match=r"one\.json:1: blocks: must be an array"):
        load(one)


def test_a_file_name_that_is_no_text_still_names_a_network(tmp_path: Path) -> None:
    path = tmp_path / "a\udcff\n\x07b.json"
    path.write_text(json.dumps(SMALL.to_dict()), encoding="utf-8")
    record = score(load(path), estimator="mean-field")
    assert json.loads(record.to_bytes())["name"] == "a???b"
