"""Any bytes are networks or messages: no other exception, and a network that was read writes and reads back."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
from fuzz_tools import NASTY, check_message, fuzz, nasty, zen
from hypothesis import strategies as st
from strategies import specs

from zen_cli import parse_spec
from zen_cli.errors import UsageError, ZenError
from zen_cli.formats.reading import Item, Overrides, read
from zen_cli.nas.budget import parse_budget
from zen_cli.nas.space import load_space, parse_space
from zen_cli.units import parse_count, parse_real, parse_share

STRUCTURE = "SuperConvK3BNRELU(3,16,2,1)SuperResK1K3K1(16,64,2,32,1)SuperResIDWE4K5(64,96,2,80,2)"
RECORD = {"schema": "zen-score/1", "id": "0", "name": "a", "arch": {"blocks": [{"op": "conv", "width": 8}]}}
KEYS = [
    *(
        "schema",
        "name",
        "resolution",
        "in_channels",
        "num_classes",
        "blocks",
        "op",
        "width",
        "kernel",
        "stride",
        "depth",
    ),
    *(
        "se",
        "mid_width",
        "groups",
        "group_width",
        "expansion",
        "pair_width",
        "arch",
        "class",
        "in",
        "out",
        "first_conv",
    ),
    *("best_structures", "conv", "basic", "mbconv"),
]
PIECES = [
    *(b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b"\r\n", b"#", b"\xef\xbb\xbf", b"\xff", b"\0", b"'"),
    *(b"(", b")", b"|", b" ", b"\t", b"1e999", b"-0", b"None", b"true", b"\x1b[2J", b"\xe2\x80\xa8", b"\xc2\x9b"),
    *(b'{"blocks":[{"op":"conv","width":8}]}', STRUCTURE.encode(), b"---\n", b"<svg", b"import os\n", b"PK\x03\x04"),
]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.sampled_from(["conv", "basic", "bottleneck", "mbconv", "zen-arch/1", "zen-score/2"])
    | nasty,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | nasty, inner, max_size=6),
    max_leaves=12,
)


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


documents = (
    specs(max_blocks=2).map(lambda spec: dump(spec.to_dict()))
    | st.sampled_from([STRUCTURE.encode(), dump(RECORD)])
    | values.map(dump)
)


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """Documents after each other, with some bytes cut out, replaced or repeated."""
    data = draw(st.sampled_from([b"\n", b" ", b"", b"\n\n", b","])).join(
        draw(st.lists(documents, min_size=1, max_size=4))
    )
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        data = data[:start] + draw(st.sampled_from([*PIECES, data[start:end] * 2])) + data[end:]
    return data


def check(items: Iterable[Item]) -> None:
    for item in items:
        assert (item.spec is None) == (item.error is not None)
        for note in item.notes:
            check_message(note.text)
        if item.error is not None:
            check_message(str(item.error))
        elif item.spec is not None:
            again = parse_spec(orjson.loads(orjson.dumps(item.spec.to_dict())))
            assert again == item.spec
            assert again.id == item.spec.id


def read_bytes(data: bytes, overrides: Overrides) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nets.json"
        path.write_bytes(data)
        check(read([str(path)], overrides))


overriding = st.sampled_from([Overrides(), Overrides(resolution=8), Overrides(32, 10), Overrides(resolution=0)])


@fuzz(300, spoiled(), overriding)
def test_spoiled_documents_are_networks_or_messages(data: bytes, overrides: Overrides) -> None:
    read_bytes(data, overrides)


@fuzz(200, st.binary(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join), overriding)
def test_any_bytes_are_networks_or_messages(data: bytes, overrides: Overrides) -> None:
    read_bytes(data, overrides)


@fuzz(
    200,
    st.text(max_size=30)
    | st.lists(st.sampled_from([*"(),| 3", "A", "SuperResK3K3(", "1,1"]), max_size=20).map("".join),
)
def test_any_text_as_an_argument_is_a_network_or_a_message(text: str) -> None:
    if text != "-" and not Path(text.replace("\0", "")).exists():
        check(read([text]))


@fuzz(200, values, values)
def test_any_value_is_a_space_or_a_message(value: Any, field: Any) -> None:
    valid = load_space("resnet").to_dict()
    key = KEYS[len(str(value)) % len(KEYS)]
    for document in (value, {**valid, "width": value}, {**valid, key: field}, {**valid, "seeds": [value, field]}):
        try:
            space = parse_space(document)
        except ZenError as error:
            check_message(str(error))
        else:
            assert parse_space(space.to_dict()) == space


@fuzz(300, nasty | st.text(alphabet="0123456789.eE+-_kMGTsmhd% evals", max_size=14))
def test_any_text_is_a_number_or_a_message(text: str) -> None:
    for parse in (
        lambda: parse_count(text),
        lambda: parse_share(text, "gap"),
        lambda: parse_budget([text]),
        lambda: parse_real(text, "alpha", least=0, most=1),
    ):
        try:
            parse()
        except UsageError as error:
            check_message(str(error))


@fuzz(
    60,
    st.lists(specs(max_blocks=2), min_size=1, max_size=3),
    st.sampled_from([*NASTY, "a", "é 漢字 👩‍👩‍👧"]),
    spoiled(),
)
def test_what_a_command_writes_it_reads_to_the_same_bytes(networks: list[Any], name: str, noise: bytes) -> None:
    rows = [dump({**spec.to_dict(), "name": name}) for spec in networks]
    score = ("score", "--estimator", "mean-field", "--quiet", "-")
    first = zen(*score, stdin=b"\n".join([*rows, noise])).check()
    assert zen(*score, stdin=first.out).check().out == first.out or not first.out
