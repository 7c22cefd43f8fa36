"""Laws of the table of formats: each value has one format, and what is read otherwise says what it is."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from cli import Zen
from hypothesis import given
from hypothesis import strategies as st
from strategies import specs

from zen_cli import ArchSpec, parse_plainnet
from zen_cli.errors import SpecError
from zen_cli.formats.base import Context
from zen_cli.formats.plainnet import StructureString
from zen_cli.formats.reading import Item, Overrides, read
from zen_cli.formats.table import FORMATS, find_format

Write = Callable[..., str]
STEM, BODY, HEAD = "SuperConvK3BNRELU(3,16,2,1)", "SuperResK1K3K1(16,64,2,32,1)", "SuperConvK1BNRELU(64,512,1,1)"
SPEC = {"resolution": 32, "num_classes": 10, "blocks": [{"op": "conv", "width": 8}]}


def items(folder: Path, data: bytes | str, **overrides: int) -> list[Item]:
    path = folder / "nets.txt"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(read([str(path)], Overrides(**overrides)))


def messages(folder: Path, data: bytes | str) -> list[str]:
    return [str(item.error).removeprefix(f"{folder}/") for item in items(folder, data) if item.error is not None]


@given(specs())
def test_a_spec_and_a_record_of_it_are_the_same_network(spec: ArchSpec) -> None:
    document = spec.to_dict()
    for value in (document, {"arch": document}, {"schema": "zen-score/1", "arch": document, "zen": {"value": 1}}):
        format_ = find_format(value)
        assert format_ is not None
        assert format_.read(value, Context("x")).network == spec


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["arch", "blocks", "class", "in", "out", "schema", "x"]), inner)
        ),
    )
)
def test_every_value_is_read_or_refused_with_its_place(value: Any) -> None:
    format_ = find_format(value)
    if format_ is None:
        assert not isinstance(value, dict)
        return
    with pytest.raises(SpecError, match=r"^here: "):  # nothing as small as this is a network
        format_.read(value, Context("here"))


def test_every_format_has_a_title_with_its_article() -> None:
    assert all(format_.title.split()[0] in ("a", "an") for format_ in FORMATS)


# Structure strings that go on in the next line.


@pytest.mark.parametrize(
    ("text", "networks", "joined"),
    [
        (STEM + BODY + HEAD, [STEM + BODY + HEAD], False),
        (f"{STEM}\n{BODY}\n{HEAD}", [STEM + BODY + HEAD], True),
        (f"{STEM}{BODY}\r\n  {HEAD}\r\n", [STEM + BODY + HEAD], True),
        ((STEM + BODY + HEAD).replace("(16,64", "(16,\n64"), [STEM + BODY + HEAD], True),
        (f"{STEM}{BODY}\n\n{HEAD}", [STEM + BODY, HEAD], False),
        (f"{STEM}{BODY}\n# a head\n{HEAD}", [STEM + BODY, HEAD], False),
        (f"{STEM}{BODY}\n{STEM}{BODY}", [STEM + BODY] * 2, False),
        (f"{STEM}{BODY}\n{HEAD}\n{STEM}{BODY}\n{HEAD}", [STEM + BODY + HEAD] * 2, True),
        (f"{HEAD.replace('512', '64')}\n" * 3, [HEAD.replace("512", "64")] * 3, False),
        (f'"{STEM}"\n"{BODY}"', [STEM, BODY], False),
        (json.dumps([STEM, BODY]), [STEM, BODY], False),
    ],
    ids=range(11),
)
def test_lines_are_one_network_where_one_takes_what_the_line_before_gives(
    tmp_path: Path, text: str, networks: list[str], joined: bool
) -> None:
    found = items(tmp_path, text)
    assert [item.spec and item.spec.id for item in found] == [parse_plainnet(network).id for network in networks]
    assert all(any("read lines as one" in note.text for note in item.notes) == joined for item in found)


def test_a_joined_network_says_so_and_a_fault_in_it_has_a_line_and_a_column(tmp_path: Path) -> None:
    (item,) = items(tmp_path, f"{STEM}\n{BODY}", resolution=32, num_classes=10)
    assert [note.text.split(";")[0] for note in item.notes] == [
        "read lines as one network where a line takes the channels which the line before gives"
    ]
    (message,) = messages(tmp_path, f"{STEM}\n{BODY}SuperConvK1BNRELU(8,512,1,1)")
    assert message.startswith("nets.txt:1: line 2, column 47: SuperConvK1BNRELU takes 8 channels")


def test_a_missing_bracket_does_not_swallow_the_next_network(tmp_path: Path) -> None:
    first, second = items(tmp_path, f"{STEM[:-1]}\n{STEM}")
    assert "column 1: not a block" in str(first.error)
    assert second.spec is not None


def test_what_a_structure_string_does_not_say_is_noted(tmp_path: Path) -> None:
    for overrides, fields in (
        ({}, ("resolution", "num_classes")),
        ({"resolution": 32}, ("num_classes",)),
        ({"num_classes": 10}, ("resolution",)),
        ({"resolution": 32, "num_classes": 10}, None),
    ):
        (item,) = items(tmp_path, STEM, **overrides)
        assert [note.fields for note in item.notes] == ([] if fields is None else [fields])
    assert not items(tmp_path, json.dumps({"blocks": SPEC["blocks"]}))[0].notes  # a spec has documented defaults


@given(st.integers(0, 60_000))
def test_a_structure_string_of_any_length_takes_linear_work(spaces: int) -> None:
    """Patterns with nested repeats took a minute for the longest of these."""
    for text in (f"A({' ' * spaces}", f"A(|{' ' * spaces}", f"A{' ' * spaces}", f"{STEM}{' ' * spaces}{BODY}x"):
        with pytest.raises(SpecError, match=r"^x: column \d+: not a block"):
            StructureString().read(text, Context("x"))


def test_a_structure_string_of_too_many_blocks_is_refused_early() -> None:
    with pytest.raises(SpecError, match=r"column 27001: more than 1000 blocks"):
        parse_plainnet("SuperConvK3BNRELU(8,8,1,1)\t" * 300_000)


# Files of other programs.


def torch_file() -> bytes:
    buffer = io.BytesIO()
    torch.save({"weight": torch.ones(2)}, buffer)
    return buffer.getvalue()


def zip_file() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "a")
    return buffer.getvalue()


SAFETENSORS = (8).to_bytes(8, "little") + b'{"a":{} }'
FOREIGN = {
    "torch": (torch_file(), "is a PyTorch file, which holds weights"),
    "zip": (zip_file(), "is a zip archive; unpack it first"),
    "pickle": (pickle.dumps({"a": 1}, protocol=4), "is a Python pickle"),
    "onnx": (b"\x08\x0a\x12\x07pytorch\x1a\x05", "is no ONNX model, or is cut off"),
    "safetensors": (SAFETENSORS, "is a safetensors file"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "is an HDF5 or Keras file"),
    "gzip": (gzip.compress(json.dumps(SPEC).encode()), "is compressed with gzip; unpack it first"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0", "is an image"),
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "is an image"),
    "pdf": (b"%PDF-1.7\n", "is a PDF document"),
    "utf-16": (json.dumps(SPEC).encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
    "binary": (b"ab\x01\x02\n" * 20, "is binary data, not text"),
    "svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">', "is an SVG drawing"),
    "html": (b"\n<!DOCTYPE html>\n<html>", "is an HTML page"),
    "xml": (b'<?xml version="1.0"?><a/>', "is XML"),
    "python": (b"import torch\n\nnet = torch.nn.Linear(1, 1)\n", "is Python source"),
    "module": (b'"""A network."""\n\nimport torch\n', "is Python source"),
    "csv": (b"name,zen,params\nsmall,12.5,400\n", "is a table without architectures"),
    "mermaid": (b"%% a network\nflowchart TB\n", "is a Mermaid chart"),
    "prose": (b"some prose\n" * 9, '"some prose" is neither JSON nor a structure string (and 8 more lines)'),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_another_kind_is_one_line_that_says_what_it_is(tmp_path: Path, name: str) -> None:
    data, words = FOREIGN[name]
    (message,) = messages(tmp_path, data)
    assert words in message
    assert message.startswith("nets.txt")
    assert ";" in message or name == "prose"
    assert message.isprintable()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            {**SPEC, "resolution": "big"},
            "resolution: must be a whole number (side of the input image, or [height, width])",
        ),
        ({**SPEC, "class": 3}, 'class: unknown key; did you mean "num_classes"?'),
    ],
    ids=range(2),
)
def test_json_of_another_program_is_one_line_that_says_what_it_is(tmp_path: Path, value: Any, words: str) -> None:
    (message,) = messages(tmp_path, json.dumps(value))
    assert words in message


def test_lines_of_a_log_before_the_first_network_are_errors_and_cost_no_network(tmp_path: Path) -> None:
    first, second = items(tmp_path, f"zen: reading\nzen: searching\n{json.dumps(SPEC)}\n")[-2:]
    assert first.error is not None
    assert second.spec is not None


# What the command says.


def test_what_was_assumed_is_said_once_and_the_options_silence_it(zen: Zen, write: Write) -> None:
    write("nets.txt", f"{STEM}\n{STEM}\n")
    done = zen.score("nets.txt", STEM)
    assert len(done.rows) == 3
    done.warns("nets.txt:1: assumed resolution 224 and num_classes 1000", "--resolution and --num-classes", code=0)
    assert zen.score("nets.txt", "--resolution", "32", "--num-classes", "10").err == ""
    zen.score("nets.txt", "--resolution", "32").warns("assumed num_classes 1000", "--num-classes", code=0)
    assert zen.score("--quiet", "nets.txt").err == ""
    assert "assumed resolution 224" in zen("export", "--to", "json", STEM).err
