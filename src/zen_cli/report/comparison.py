"""Networks side by side: their numbers, their stages, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from ..errors import ScoreError
from ..exporters.layout import lay_out
from ..metrics.columns import Kind
from ..metrics.evenness import network_evenness
from ..metrics.records import ScoreRecord
from ..net.network import Network
from ..net.spec import ArchSpec
from ..target.latency import latency_ms
from ..target.model import Target
from .documents import network_part
from .layers import layer_rows
from .stages import StageRow, by_map, most_live, stage_rows

SCHEMA = "zen-compare/1"
ABSENT_STAGE = "none"
_NOT_COMPARED = ("schema", "name", "blocks")  # of the keys of a network


class Quantity(NamedTuple):
    """A number by which networks are compared: its name in documents, its title and unit, how it is written."""

    name: str
    title: str
    kind: Kind


QUANTITIES = (
    Quantity("zen", "Zen, closed form (nats)", "nats"),
    Quantity("zen_measured", "Zen, Monte-Carlo (nats)", "nats"),
    Quantity("zen_std_error", "± s.e. (nats)", "nats"),
    Quantity("evenness", "evenness (nats of MACs)", "nats"),
    Quantity("params", "params", "count"),
    Quantity("macs", "MACs", "count"),
    Quantity("activations", "activations", "count"),
    Quantity("bytes", "bytes moved (float32)", "count"),
    Quantity("memory", "live memory (float32)", "count"),
    Quantity("latency_ms", "predicted latency (ms)", "real"),
    Quantity("layers", "layers in the chain", "integer"),
    Quantity("units", "units", "integer"),
    Quantity("resolution", "input side", "integer"),
    Quantity("num_classes", "classes", "integer"),
    Quantity("receptive_field", "receptive field", "integer"),
)


class Compared(NamedTuple):
    """A network with all that is compared; a number that it does not have is None."""

    network: Network
    numbers: Mapping[str, float | int | None]
    stages: Sequence[StageRow]

    @property
    def label(self) -> str:
        """What it is called."""
        return self.network.name or self.network.id

    def to_dict(self) -> dict[str, Any]:
        """The row of a document."""
        stages = [row.to_dict() for row in self.stages]
        return {"schema": SCHEMA, **network_part(self.network), **self.numbers, "stages": stages}


def compare(
    network: Network,
    scored: ScoreRecord,
    measured: ScoreRecord | None = None,
    *,
    maps: bool = False,
    target: Target | None = None,
) -> Compared:
    """All that is compared of one network.

    Args:
        network: any.
        scored: its record by the closed form.
        measured: its record by random networks, if there is one.
        maps: whether its stages are those of equal maps, so that a network without blocks can be beside it.
        target: one that predicts times, for the latency of a network of blocks.
    """
    layers = layer_rows(network, scored.zen.convention)
    stages = stage_rows(network, by_map(layers) if maps else layers)
    spec, fields = network.spec, [row.receptive_field for row in layers if row.receptive_field is not None]
    numbers: dict[str, float | int | None] = {
        "zen": scored.zen.value,
        "zen_measured": None if measured is None else measured.zen.value,
        "zen_std_error": None if measured is None else measured.zen.std_error,
        "evenness": None if spec is None else _evenness(spec),
        **{name: getattr(network.cost, name) for name in ("params", "macs", "activations", "layers")},
        "bytes": sum(row.bytes for row in layers),
        "memory": most_live(layers),
        "latency_ms": None if spec is None or target is None else latency_ms(target, spec),
        "units": None if spec is None else len(spec.units),
        "resolution": max(network.chain[0].in_size),
        "num_classes": None if spec is None else spec.num_classes,
        "receptive_field": max(fields[-1]) if fields else None,
    }
    return Compared(network, numbers, stages)


def _evenness(spec: ArchSpec) -> float | None:
    try:
        return network_evenness(spec.genes, spec.in_channels, spec.resolution).value
    except ScoreError:
        return None


def differences(first: Network, second: Network) -> list[str]:
    """What differs between two networks of blocks, a line for each block that was changed, added or removed."""
    one, two = first.spec, second.spec
    if one is None or two is None:
        return ["one of the two is not written as blocks; compare the numbers"] if first.id != second.id else []
    before, after = ({**spec.to_dict(), **dict.fromkeys(_NOT_COMPARED)} for spec in (one, two))
    return [*_changes(before, after, ": "), *_block_lines(_named_blocks(one), _named_blocks(two))]


class _Named(NamedTuple):
    stage: str
    fields: dict[str, Any]

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, str(value)) for name, value in self.fields.items())

    def text(self) -> str:
        return ", ".join(f"{name} {_text(value)}" for name, value in self.fields.items())


def _named_blocks(spec: ArchSpec) -> list[_Named]:
    """The blocks in order, with the stage of each."""
    return [
        _Named(section.name, {"op": row.block.op, **row.block.model_dump(exclude_none=True, exclude={"op"})})
        for section in lay_out(spec).sections
        for row in section.blocks
    ]


def _block_lines(one: Sequence[_Named], two: Sequence[_Named]) -> Iterator[str]:
    matcher = SequenceMatcher(None, [row.key for row in one], [row.key for row in two], autojunk=False)
    for tag, begin, end, other, last in matcher.get_opcodes():
        if tag == "equal":
            continue
        before, after = one[begin:end], two[other:last]
        common = min(len(before), len(after))
        for row, new in zip(before, after, strict=False):
            place = row.stage if row.stage == new.stage else f"{row.stage} → {new.stage}"
            yield f"{place}: {', '.join(_changes(row.fields, new.fields))}"
        yield from (f"{row.stage}: without {row.text()}" for row in before[common:])
        yield from (f"{row.stage}: with {row.text()}" for row in after[common:])


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], mark: str = " ") -> list[str]:
    names = dict.fromkeys([*before, *after])
    rows = [(name, before.get(name), after.get(name)) for name in names]
    return [f"{name}{mark}{_text(old)} → {_text(new)}" for name, old, new in rows if old != new]


def _text(value: object) -> str:
    """The value of a key of a spec in words; a dash where the key is not written."""
    if isinstance(value, Mapping):
        return f"({', '.join(f'{name} {_text(inner)}' for name, inner in value.items())})"
    return "-" if value is None else {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
