"""Target `mermaid`: a flow chart that pages of Markdown draw."""

from __future__ import annotations

from collections.abc import Iterator

from ..units import format_count
from .about import title
from .layout import Part, Placed, lay_out
from .source_network import Network

_IMAGE_STYLE = "fill:#f1f3f5,stroke:#868e96,color:#212529"


def write(network: Network) -> bytes:
    """The chart."""
    return ("\n".join(_lines(network)) + "\n").encode()


def _lines(network: Network) -> Iterator[str]:
    spec, total = network.spec, network.cost
    params, macs = format_count(total.params), format_count(total.macs)
    yield f"%% {title(spec)}: {params} parameters, {macs} MACs, id {spec.id}"
    yield "flowchart TB"
    side = f"{spec.resolution} x {spec.resolution}"
    yield f'  image(["image<br/>{spec.in_channels} x {side}"]):::image'
    last = "image"
    for part in lay_out(spec).parts:
        yield f'  subgraph {part.name}["{_part_label(part)}"]'
        yield "    direction LR"
        for placed in part.blocks:
            yield f'    b{placed.number}["{_block_label(placed)}"]:::{placed.block.op}'
        if len(part.blocks) > 1:
            yield "    " + " --> ".join(f"b{placed.number}" for placed in part.blocks)
        yield "  end"
        yield f"  {last} --> {part.name}"
        last = part.name
    yield f'  classifier(["average pooling<br/>linear, {spec.num_classes} classes"]):::image'
    yield f"  {last} --> classifier"
    yield f"  classDef image {_IMAGE_STYLE}"
    for name, kind in sorted({block.op: type(block) for block in spec.blocks}.items()):
        yield f"  classDef {name} {kind.chart_style}"


def _part_label(part: Part) -> str:
    return f"{part.name} · {part.side} x {part.side} · {part.width} channels"


def _block_label(placed: Placed) -> str:
    block, unit = placed.block, placed.units[0]
    details = [f"{block.depth} x {block.op} {block.kernel}x{block.kernel}"]
    widths = f"{unit.in_width} → {block.width}" + (f", {unit.mid_width} inside" if block.is_residual else "")
    details.append(widths)
    extra = [f"stride {block.stride}"] if block.stride > 1 else []
    extra += [f"{unit.groups} groups"] if block.gene.group_width else []
    extra += ["SE"] if unit.squeeze else []
    return "<br/>".join([*details, *([", ".join(extra)] if extra else [])])
