"""Target `mermaid`: a flow chart that pages of Markdown draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..net.layers import side_text
from .target import ReadTarget

if TYPE_CHECKING:
    from .layout import Section, SectionBlock
    from .source import ExportSource

_IMAGE_STYLE = "fill:#f1f3f5,stroke:#868e96,color:#212529"


class FlowChart(ReadTarget):
    """A chart of sections and blocks."""

    name, suffix, summary = "mermaid", ".mmd", "a flow chart"
    is_text = True

    def write(self, source: ExportSource, stem: str) -> bytes:
        return ("\n".join(_lines(source)) + "\n").encode()

    def read_back(self, data: bytes, source: ExportSource) -> str:
        return "a drawing, nothing to run"


def _lines(source: ExportSource) -> Iterator[str]:
    from ..units import format_count
    from .about import title
    from .layout import lay_out

    spec, total = source.spec, source.spec.cost
    params, macs = format_count(total.params), format_count(total.macs)
    yield f"%% {title(spec)}: {params} parameters, {macs} MACs, id {spec.id}"
    yield "flowchart TB"
    side = side_text(spec.resolution)
    yield f'  image(["image<br/>{spec.in_channels} x {side}"]):::image'
    last = "image"
    for section in lay_out(spec).sections:
        yield f'  subgraph {section.name}["{_section_label(section)}"]'
        yield "    direction LR"
        for row in section.blocks:
            yield f'    b{row.number}["{_block_label(row)}"]:::{row.block.op}'
        if len(section.blocks) > 1:
            yield "    " + " --> ".join(f"b{row.number}" for row in section.blocks)
        yield "  end"
        yield f"  {last} --> {section.name}"
        last = section.name
    steps = "<br/>".join(spec.classifier.steps)
    yield f'  classifier(["{steps}"]):::image'
    yield f"  {last} --> classifier"
    yield f"  classDef image {_IMAGE_STYLE}"
    for name, kind in sorted({block.op: type(block) for block in spec.blocks}.items()):
        yield f"  classDef {name} {kind.chart_style}"


def _section_label(section: Section) -> str:
    return f"{section.name} · {side_text(section.side)} · {section.width} channels"


def _block_label(row: SectionBlock) -> str:
    block, unit = row.block, row.units[0]
    details = [f"{block.depth} x {block.op} {block.kernel}x{block.kernel}"]
    widths = f"{unit.in_width} → {block.width}" + (f", {unit.mid_width} inside" if block.is_residual else "")
    details.append(widths)
    extra = [f"stride {unit.stride}"] if unit.stride > 1 else []
    extra += [f"{unit.groups} groups"] if unit.groups > 1 and not unit.kind.is_depthwise else []
    extra += ["SE"] if unit.squeeze else []
    return "<br/>".join([*details, *([", ".join(extra)] if extra else [])])
