"""Other programs' files: Python literals, YAML, structures of TinyNAS; nothing in them is run, a fault is one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli import Zen
from hypothesis import given
from hypothesis import strategies as st
from strategies import specs

from zen_cli import ArchSpec
from zen_cli.formats.base import Overrides
from zen_cli.formats.literal import read_literal
from zen_cli.formats.reading import Item, read
from zen_cli.net.spec import parse_spec

Write = Callable[..., str]
SPEC = {"resolution": 32, "num_classes": 10, "blocks": [{"op": "conv", "width": 8}]}


def items(folder: Path, text: str, name: str = "nets.txt") -> list[Item]:
    path = folder / name
    path.write_text(text)
    return list(read([str(path)]))


def only(folder: Path, text: str, name: str = "nets.txt") -> Item:
    (item,) = items(folder, text, name)
    return item


def fault(folder: Path, text: str, name: str = "nets.txt") -> str:
    item = only(folder, text, name)
    assert item.error is not None
    assert item.error.exit_code == 2
    message = str(item.error)
    assert message.isprintable()
    return message.removeprefix(f"{folder}/")


# Python literals.


@given(specs())
def test_a_spec_that_python_printed_is_the_same_spec(spec: ArchSpec) -> None:
    assert parse_spec(read_literal(repr(spec.to_dict()).encode())) == spec


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_literals_are_read_as_json_types(value: Any) -> None:
    assert read_literal(ascii(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[{'class': __import__('os').system('touch ran'), 'in': 3}]", "holds a call, which is not run"),
        ("{'a': open}", "holds a name, which is not run"),
        ("{'a': [x for x in (1,)]}", "holds a name, which is not run"),
        ("{'a': 3j}", "holds a complex, which JSON cannot hold"),
        ("{'a': {1, 2}}", "holds a set, which JSON cannot hold"),
        ("{'a': 1e999}", "holds a number that is not finite"),
        ("{'a': None, 3: 4}", "holds the key 3, which is no string"),
        ("{'a': 'b}", "cannot be read (line 1"),
        ("{'a': " + "9" * 10_000 + "}", "cannot be read"),
        ("{'a': " + "-" * 500_000 + "1}", "cannot be read"),
        ("{'a': " + "(" * 500_000 + ")" * 500_000 + "}", "nested deeper than 64 levels"),
        ("['" + "a" * 2**20 + "']", "longer than 1 MiB; write it as JSON"),
    ],
    ids=range(12),
)
def test_a_literal_that_is_more_is_one_line_and_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    message = fault(tmp_path, text)
    assert message.startswith("nets.txt:1: is a Python literal that ")
    assert words in message
    assert not (tmp_path / "ran").exists()


# YAML.


def test_a_spec_in_yaml_is_the_same_as_in_json(tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="needs PyYAML")
    text = "# a network\nresolution: 32\nnum_classes: 10\nblocks:\n  - {op: conv, width: 8}\n"
    item = only(tmp_path, text, "small.yaml")
    assert item.spec is not None
    assert item.spec.to_dict() == ArchSpec.model_validate({**SPEC, "name": "small"}).to_dict()
    two = items(tmp_path, f"---\n{text}---\n{text}".replace("resolution: 32", "resolution: 64", 1))
    assert [item.spec.resolution for item in two if item.spec is not None] == [64, 32]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: !!python/object/apply:os.system [touch ran]\n", ":2: has the tag tag:yaml.org,2002:python/object"),
        ("a: !!python/object/apply:os.system [touch ran]\n", ":1: has the tag tag:yaml.org,2002:python/object"),
        ("a: &x [1]\nb: [*x, *x]\n", ":1: has an anchor or an alias, which is not read; write the value out"),
        ("a: 1\nb: " + "[" * 200 + "]" * 200, ":2: nested deeper than 64 levels"),
        ("a: 1\nb: " + "[" * 90_000, ":2: n"),
        ("a: 1\nb: [1, 2\n", "not valid YAML, "),
        ("a: 2024-02-30\nb: 1\n", "not valid YAML, "),
        ("a: 2024-02-20\nb: 1\n", ":1: holds a date, which JSON cannot hold"),
        ("a: .inf\nb: 1\n", ":1: holds a number that is not finite"),
        ("1: 2\na: 1\n", "neither JSON nor a structure string"),
        ("---\n1: 2\n", ":1: holds the key 1, which is no string"),
        ("a: 1\nb:\n" + "- 1\n" * 300_000, ": is YAML of more than 1 MiB"),
    ],
    ids=range(12),
)
def test_yaml_that_is_more_is_one_line_and_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    pytest.importorskip("yaml", reason="needs PyYAML")
    monkeypatch.chdir(tmp_path)
    assert words in fault(tmp_path, text, "a.yaml")
    assert not (tmp_path / "ran").exists()


def test_yaml_without_pyyaml_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert "is YAML, which needs PyYAML; install it with: pip install 'zen-cli[yaml]'" in fault(tmp_path, "---\na: 1\n")


# TinyNAS.

STEM = {"class": "ConvKXBNRELU", "in": 3, "k": 3, "out": 24, "s": 2, "nbitsA": 8, "nbitsW": 8}
UNITS = {"class": "SuperResK1KXK1", "inner_class": "ResK1KXK1", "in": 24, "out": 64, "btn": 16, "k": 5, "s": 2, "L": 3}
STRUCTURE = [STEM, UNITS]


def tinynas(**changes: Any) -> list[dict[str, Any]]:
    return [STEM, {**UNITS, **changes}]


def test_a_structure_is_the_network_that_its_classes_say(tmp_path: Path) -> None:
    rows = [
        *STRUCTURE,
        {"class": "SuperResConvKXKX", "in": 64, "out": 96, "btn": 32, "k": 3, "L": 2},
        {"class": "ResK1DWSEK1", "in": 96, "out": 96, "btn": 192, "k": 3},
        {"class": "SuperResK1KX", "in": 96, "out": 128, "btn": 40, "k": 3, "s": 2, "L": 2},
        {"class": "ConvKXBN", "in": 128, "out": 256, "k": 1},
    ]
    blocks = [
        {"op": "conv", "width": 24, "stride": 2},
        {"op": "bottleneck", "width": 64, "mid_width": 16, "kernel": 5, "depth": 3, "stride": 2},
        {"op": "basic", "width": 96, "mid_width": 32, "depth": 2},
        {
            "op": "mbconv",
            "width": 96,
            "mid_width": 192,
            "shortcut": "identity",
            "activation": "silu",
            "se": {"ratio": 0.25, "divisor": 8, "activation": "silu"},
        },
        {"op": "conv", "kernel": 1, "width": 40},
        {"op": "conv", "width": 128, "stride": 2},
        {"op": "conv", "kernel": 1, "width": 40},
        {"op": "conv", "width": 128},
        {"op": "conv", "kernel": 1, "width": 256, "linear": True},
    ]
    wanted = only(tmp_path, json.dumps({"blocks": blocks})).spec
    assert wanted is not None
    for text in (json.dumps(rows), repr(rows), repr({"best_structures": [rows], "space_arch": "CnnNet"})):
        item = only(tmp_path, text.replace("}, {", "},\n {"))
        assert item.spec is not None
        assert item.spec.id == wanted.id
        assert [note.text.partition(" ")[0] for note in item.notes] == ["assumed", "left", "wrote", "wrote"]


def test_each_of_several_structures_is_a_network(tmp_path: Path) -> None:
    found = items(tmp_path, json.dumps({"best_structures": [STRUCTURE, tinynas(L=1)]}))
    assert [item.spec.blocks[1].depth for item in found if item.spec is not None] == [3, 1]
    assert found[1].where.endswith(": best_structures[1]")
    assert len(items(tmp_path, json.dumps([STRUCTURE, STRUCTURE]))) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class": "SuperResK1DWK1", "out": 24}, "left out the shortcuts of inverted residuals that pool"),
        ({"class": "SuperResK1DWSEK1", "btn": 88}, "rounded widths of squeeze-and-excitation"),
        ({"class": "SuperResK1DWSEK1", "btn": 96}, ""),
        ({"class": "SuperResK1DWK1"}, ""),
        ({"class": "SuperResKXKX", "act": "swish"}, "put the stride of units KXKX on their first convolution"),
    ],
    ids=range(5),
)
def test_what_a_spec_does_not_say_of_a_structure_is_said(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    item = only(tmp_path, json.dumps(tinynas(**changes)))
    assert item.spec is not None
    lost = [note.text for note in item.notes if not note.fields and "nbits" not in note.text]
    assert any(words in text for text in lost) if words else not lost


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (tinynas(L=0), "[1].L: must be a whole number of at least 1, not 0"),
        (tinynas(L=10**6), "[1].L: 1000000 units are too many; use at most 1000"),
        (tinynas(k=4), "as a spec: blocks[1].kernel: 4 is even"),
        (tinynas(s="2"), '[1].s: must be a whole number of at least 1, not "2"'),
        (tinynas(btn=None), "[1].btn: missing; add it"),
        (tinynas(g=2), "[1].g: groups in every convolution"),
        (tinynas(p=0), "[1].p: a spec pads k // 2, here 2"),
        (tinynas(**{"in": 16}), "[1].in: 16 is not 24, which the block before gives"),
        (tinynas(kernel=3), "[1].kernel: unknown key; known: "),
        (tinynas(**{"class": "ConvKXBNRELU3D"}), "[1].class: 'ConvKXBNRELU3D' is not known; known: ConvKXBNRELU, "),
        (tinynas(**{"class": ["a"]}), "[1].class: \"['a']\" is not known"),
        ({"best_structures": []}, "best_structures: must hold lists of blocks"),
        ({"best_structures": [3]}, "best_structures[0]: an architecture is a JSON object"),
        (UNITS | {"in": 3, "s": 3}, "assumed"),
    ],
    ids=range(14),
)
def test_what_is_wrong_with_a_structure_is_said_with_its_place(tmp_path: Path, value: Any, words: str) -> None:
    if words == "assumed":  # one block alone is a network
        assert only(tmp_path, json.dumps(value)).spec is not None
    else:
        assert words in fault(tmp_path, json.dumps(value))


def test_a_structure_goes_through_the_commands(zen: Zen, write: Write) -> None:
    write("net.txt", repr(STRUCTURE).replace("}, {", "},\n {"))
    done = zen.score("net.txt", "--resolution", "32", "--num-classes", "10")
    assert done.rows[0]["arch"]["blocks"][1]["op"] == "bottleneck"
    assert "left out the numbers of bits (nbitsA, nbitsW)" in done.err
    assert zen.score("--quiet", "net.txt").err == ""


# TransNAS.


@pytest.mark.parametrize(
    ("code", "params", "macs"),
    [
        ("64-41414-basic", 14_029_163, 2_226_648_576),
        ("64-44-basic", 2_664_043, 890_743_552),
        ("64-3333-basic", 633_131, 227_017_408),
    ],
)
def test_a_code_costs_what_the_benchmarks_own_network_costs(code: str, params: int, macs: int) -> None:
    (item,) = read([code])
    assert item.spec is not None
    assert (item.spec.name, item.spec.cost.params, item.spec.cost.macs) == (code, params, macs)
    (item,) = read([code], Overrides(num_classes=10))
    assert item.spec is not None
    assert item.spec.num_classes == 10


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("64-41414-3_33_333", "has cells, which blocks cannot express; end it in -basic"),
        ("63-4-basic", "width 63 is odd"),
        ("999998-44-basic", "as a spec: blocks[0].width: 499999 is too large"),
        ("8-3333333333-basic", "on a 1 x 1 map shrinks it to nothing"),
    ],
)
def test_a_code_that_is_no_network_of_blocks_is_one_line(code: str, words: str) -> None:
    (item,) = read([code])
    assert words in str(item.error)


def test_codes_are_lines_of_a_file(tmp_path: Path) -> None:
    found = items(tmp_path, "64-44-basic\n\n64-1-basic\n")
    assert [item.spec is not None for item in found] == [True, True]
    assert found[1].spec is not None
    assert not any(unit.projection for unit in found[1].spec.units)  # it keeps the shape of the stem
