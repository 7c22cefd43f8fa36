"""Laws of structure strings: what is read can be written back, and what cannot be written is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import specs

from zen_cli import ArchSpec, parse_plainnet, to_plainnet
from zen_cli.errors import SpecError


@st.composite
def structures(draw: st.DrawFn) -> str:
    """Structure strings that the format allows."""
    number = st.integers(1, 64)
    text, width = "", draw(st.integers(1, 4))
    for _ in range(draw(st.integers(1, 5))):
        out, stride, mid, depth = draw(number), draw(st.integers(1, 2)), draw(number), draw(st.integers(1, 4))
        kernel, expansion = draw(st.sampled_from([1, 3, 5, 7])), draw(st.integers(1, 6))
        name = draw(
            st.sampled_from(
                [f"SuperResK1K{kernel}K1", f"SuperResK{kernel}K{kernel}", f"SuperResIDWE{expansion}K{kernel}"]
            )
        )
        if draw(st.booleans()):
            text += f"SuperConvK{kernel}BNRELU({width},{out},{stride},{depth})"
        else:
            text += f"{name}({width},{out},{stride},{mid},{depth})"
        width = out
    return text


@given(structures())
def test_a_string_reads_and_writes_back_to_itself(text: str) -> None:
    spec = parse_plainnet(text)
    assert to_plainnet(spec) == text
    assert parse_plainnet(to_plainnet(spec)).id == spec.id


@given(specs())
def test_a_spec_comes_back_from_its_string_or_is_refused_with_the_reason(spec: ArchSpec) -> None:
    try:
        text = to_plainnet(spec)
    except SpecError as error:
        assert "a structure string cannot express" in str(error)
        return
    back = parse_plainnet(text, resolution=spec.resolution, num_classes=spec.num_classes)
    assert back.id == spec.id
    assert back.sublayers == spec.sublayers


@given(structures(), st.sampled_from([" ", "\t", "  "]))
def test_spaces_and_names_of_blocks_make_no_difference(text: str, space: str) -> None:
    spaced = text.replace("(", f"{space}({space}stage1|").replace(",", f",{space}").replace(")", f"{space}){space}")
    assert parse_plainnet(spaced).id == parse_plainnet(text).id


def test_published_strings_write_back(published: list[dict[str, Any]]) -> None:
    for fact in published:
        assert to_plainnet(parse_plainnet(fact["structure"])) == fact["structure"]


STEM = "SuperConvK3BNRELU(3,16,2,1)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SuperConvK3BNRELU(3,16,2,1)SuperResK3K4(16,8,1,8,1)", "column 28: SuperResK3K4 has two kernels"),
        (STEM + "SuperRseK3K3(16,8,1,8,1)", 'column 28: unknown block SuperRseK3K3; did you mean "SuperResK3K3"?'),
        (STEM + "SuperResK3K3(8,8,1,8,1)", "column 41: SuperResK3K3 takes 8 channels but the block before gives 16"),
        (STEM + "SuperResK3K3(16,8,1,8)", "column 41: SuperResK3K3 takes 5 numbers (in,out,stride,mid,depth), not 4"),
        (STEM + "SuperResK3K3(16,x,1,8,1)", 'column 44: "x" is not a whole number'),
        (STEM + "SuperResK3K3(16,-8,1,8,1)", 'column 44: "-8" is not a whole number'),
        (STEM + "SuperResK3K3(16,8,1,8,1", "column 28: not a block"),
        (STEM + "SuperResK4K4(16,8,1,8,1)", "column 28: blocks[1].kernel: 4 is even"),
        (STEM + "SuperResK3K3(16,8,1,8,0)", "column 28: blocks[1].depth: 0 is too small"),
        (STEM + "SuperResK3K3(16,999999999999,1,8,1)", "column 28: blocks[1].width: 999999999999 is too large"),
        ("SuperConvK" + "9" * 5000 + "BNRELU(3,8,1,1)", "column 1: unknown block SuperConvK9999"),
        ("", "an empty structure string"),
    ],
    ids=lambda value: value[-40:],
)
def test_a_typo_is_named_with_its_column(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_plainnet(text, "line 1")
    assert str(caught.value).startswith(f"line 1: {message}")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ({"op": "conv", "width": 8, "se": 0.25}, "squeeze-and-excitation"),
        ({"op": "bottleneck", "width": 8, "mid_width": 8}, "an odd number of bottleneck units"),
        ({"op": "bottleneck", "width": 8, "mid_width": 8, "groups": 2, "depth": 2}, "groups"),
        ({"op": "mbconv", "width": 8, "mid_width": 8, "depth": 2}, "mid_width in place of expansion"),
    ],
)
def test_what_the_format_lacks_is_named(block: dict[str, Any], reason: str) -> None:
    spec = ArchSpec.model_validate({"blocks": [block]})
    with pytest.raises(SpecError, match=rf"blocks\[0\]: .*{reason}.*json"):
        to_plainnet(spec)
