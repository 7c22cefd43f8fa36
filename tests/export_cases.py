"""Networks that the tests of export share: random specs of every kind of block, small enough to run in milliseconds."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from zen_cli.net.spec import ArchSpec, parse_spec

WIDTHS = st.sampled_from([4, 6, 8, 12, 16])


@st.composite
def blocks(draw: st.DrawFn) -> dict[str, Any]:
    op = draw(st.sampled_from(["conv", "basic", "bottleneck", "mbconv"]))
    block: dict[str, Any] = {
        "op": op,
        "kernel": draw(st.sampled_from([1, 3, 5])),
        "width": draw(WIDTHS),
        "stride": draw(st.sampled_from([1, 1, 2])),
        "depth": draw(st.integers(1, 3)),
    }
    if op in ("basic", "bottleneck"):
        block["mid_width"] = draw(WIDTHS)
    if op == "bottleneck":
        block["groups"] = draw(st.sampled_from([1, 2]))
    if op == "mbconv":
        block["expansion"] = draw(st.sampled_from([1, 2, 3]))
        if draw(st.booleans()):
            block |= {"depth": 2 * block["depth"], "pair_width": draw(WIDTHS)}
    if draw(st.booleans()):
        block["se"] = draw(st.sampled_from([0.25, 0.5]))
    return block


@st.composite
def specs(draw: st.DrawFn) -> ArchSpec:
    return parse_spec(
        {
            "resolution": draw(st.sampled_from([17, 18, 32])),
            "in_channels": draw(st.sampled_from([1, 3])),
            "num_classes": draw(st.sampled_from([2, 10])),
            "blocks": draw(st.lists(blocks(), min_size=1, max_size=5)),
        }
    )


EVERYTHING = parse_spec(
    {
        "name": "every block",
        "resolution": 32,
        "num_classes": 10,
        "blocks": [
            {"op": "conv", "width": 8},
            {"op": "basic", "width": 12, "mid_width": 8, "depth": 2},
            {"op": "bottleneck", "width": 16, "mid_width": 8, "stride": 2, "depth": 3, "groups": 4, "se": 0.25},
            {"op": "mbconv", "width": 16, "pair_width": 24, "expansion": 2, "stride": 2, "depth": 4, "se": 0.25},
            {"op": "mbconv", "width": 16, "expansion": 2, "depth": 2},
            {"op": "conv", "kernel": 1, "width": 32, "depth": 2, "se": 0.5},
        ],
    }
)
PLAIN = parse_spec(
    {
        "name": "plain",
        "resolution": 32,
        "num_classes": 10,
        "blocks": [
            {"op": "conv", "width": 8},
            {"op": "bottleneck", "width": 16, "mid_width": 8, "stride": 2, "depth": 2},
            {"op": "conv", "kernel": 1, "width": 32},
        ],
    }
)


def with_se(spec: ArchSpec) -> ArchSpec:
    """The network with squeeze-and-excitation in every residual unit."""
    data = spec.to_dict()
    gated = [{**block, "se": 0.25} if block["op"] != "conv" else block for block in data["blocks"]]
    return parse_spec({**data, "blocks": gated})
