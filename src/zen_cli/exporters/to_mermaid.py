"""Target `mermaid`: a flow chart that pages of Markdown draw."""

from __future__ import annotations

from collections.abc import Iterator

from ..units import format_count
from .about import title
from .layout import Part, Placed, lay_out
from .source_network import Network

_STYLES = {
    "image": "fill:#f1f3f5,stroke:#868e96,color:#212529",
    "conv": "fill:#dee2e6,stroke:#495057,color:#212529",
    "basic": "fill:#d0ebff,stroke:#1971c2,color:#0b3558",
    "bottleneck": "fill:#d3f9d8,stroke:#2f9e44,color:#123d1b",
    "mbconv": "fill:#ffe8cc,stroke:#e8590c,color:#5c2404",
}


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
    for name in ["image", *sorted({block.op for block in spec.blocks})]:
        yield f"  classDef {name} {_STYLES[name]}"


def _part_label(part: Part) -> str:
    return f"{part.name} · {part.side} x {part.side} · {part.width} channels"


def _block_label(placed: Placed) -> str:
    block, unit = placed.block, placed.units[0]
    details = [f"{block.depth} x {block.op} {block.kernel}x{block.kernel}"]
    widths = f"{unit.in_width} → {block.width}" + (f", {unit.mid_width} inside" if block.op != "conv" else "")
    details.append(widths)
    extra = [f"stride {block.stride}"] if block.stride > 1 else []
    extra += [f"{unit.groups} groups"] if block.op == "bottleneck" and unit.groups > 1 else []
    extra += ["SE"] if unit.squeeze else []
    return "<br/>".join([*details, *([", ".join(extra)] if extra else [])])
