"""Random specs for hypothesis: small enough to build, rich enough to hold every kind of block."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from zen_cli.net.spec import ArchSpec, parse_spec

OPS = ("conv", "basic", "bottleneck", "mbconv")


def specs(
    *,
    max_width: int = 24,
    max_resolution: int = 16,
    max_blocks: int = 4,
    ops: tuple[str, ...] = OPS,
    se: bool = True,
) -> st.SearchStrategy[ArchSpec]:
    """Valid specs: blocks of `ops`, strides that leave a map, groups that divide, `se` where it is allowed."""
    return _spec_dicts(max_width, max_resolution, max_blocks, ops, se).map(parse_spec)


def blocks(
    *, max_width: int = 24, ops: tuple[str, ...] = OPS, se: bool = True, max_stride: int = 3
) -> st.SearchStrategy[dict[str, Any]]:
    """One block as JSON types."""
    return st.sampled_from(ops).flatmap(lambda op: _block(op, max_width, se, max_stride))


@st.composite
def _spec_dicts(
    draw: st.DrawFn, max_width: int, max_resolution: int, max_blocks: int, ops: tuple[str, ...], se: bool
) -> dict[str, Any]:
    resolution = side = draw(st.integers(1, max_resolution))
    rows = []
    for _ in range(draw(st.integers(1, max_blocks))):
        block = draw(blocks(max_width=max_width, ops=ops, se=se, max_stride=3 if side > 1 else 1))
        side = (side - 1) // block.get("stride", 1) + 1
        rows.append(block)
    return {
        "resolution": resolution,
        "in_channels": draw(st.integers(1, 4)),
        "num_classes": draw(st.integers(1, 12)),
        "blocks": rows,
    }


@st.composite
def _block(draw: st.DrawFn, op: str, max_width: int, se: bool, max_stride: int) -> dict[str, Any]:
    width = st.integers(1, max_width)
    block: dict[str, Any] = {"op": op, "width": draw(width), "kernel": draw(st.sampled_from([1, 3, 5]))}
    if draw(st.booleans()):
        block["stride"] = draw(st.integers(1, max_stride))
    depth = draw(st.integers(1, 3))
    if op == "basic":
        block["mid_width"] = draw(width)
    elif op == "bottleneck":
        groups, share = draw(st.integers(1, 3)), draw(st.integers(1, max(1, max_width // 3)))
        block["mid_width"] = groups * share
        block |= draw(st.sampled_from([{}, {"groups": groups}, {"group_width": share}]))
    elif op == "mbconv":
        block |= draw(st.sampled_from([{"expansion": draw(st.integers(1, 3))}, {"mid_width": draw(width)}]))
        if draw(st.booleans()):
            block["pair_width"] = draw(width)
            depth *= 2
    if se and draw(st.booleans()):
        block["se"] = draw(st.sampled_from([0.25, 0.5, 1]))
    return {**block, "depth": depth}
