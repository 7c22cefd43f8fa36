"""The networks of the study in train.py: what searches return, random members of two spaces, and hand-made ones.

All are residual networks for 28x28 images in one channel, whose trunk begins at 14x14, with 90 to 100% of `MACS`. The
ruled space has the default design rules; the free one also has kernels 5 and 7, free stems and heads, and necks.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from train_model import CLASSES, SIDE

from zen_cli import ArchSpec, cost, parse_spec
from zen_cli.nas.answer import search
from zen_cli.nas.request import check_request
from zen_cli.nas.space import parse_space, to_spec

MACS, LEAST = 500_000, 0.9
RANDOM_FREE, RANDOM_RULED = 24, 12
MOVES, MOST_DEPTH = 300, 32
KEPT = Path(__file__).parent / "results" / "train_picks.json"
PICKS: dict[str, dict[str, Any]] = {
    "default rule": {"rules": True},
    "even, rules": {"rules": True, "proxy": "even"},
    "zen, rules": {"rules": True, "evenness": "off", "max_layers": 24},
    "balanced, rules": {"rules": True, "proxy": "balanced", "max_layers": 24},
    "macs, rules": {"rules": True, "proxy": "macs"},
    "zen": {"rules": False, "max_layers": 24},
    "even": {"rules": False, "proxy": "even"},
    "balanced": {"rules": False, "proxy": "balanced", "max_layers": 24},
}
HAND_MADE: tuple[tuple[str, tuple[int, ...], tuple[int, ...], int], ...] = (
    ("basic", (5, 10, 20), (2, 2, 1), 1),
    ("basic", (8, 8, 16), (1, 1, 2), 1),
    ("bottleneck", (8, 16, 32), (2, 2, 4), 2),
    ("bottleneck", (12, 24, 48), (2, 4, 4), 4),
    ("bottleneck", (16, 24, 32), (4, 2, 4), 4),
)


class Network(NamedTuple):
    """A network of the study and its kind."""

    kind: str
    spec: ArchSpec


def space_document(*, rules: bool) -> dict[str, Any]:
    """The space with or without design rules."""
    span = {"min": 4, "max": 128, "step": 4}
    return {
        "kind": "blocks",
        "name": "ruled" if rules else "free",
        "seeds": [_document("basic", (4, 8, 16), (1, 1, 1))],
        "ops": ["basic", "bottleneck"],
        "kernels": [3] if rules else [3, 5, 7],
        "width": span,
        "mid_width": span,
        "stem_width": None if rules else span,
        "head_width": None if rules else {"min": 4, "max": 256, "step": 4},
        "rules": {} if rules else None,
    }


def picks() -> Iterator[Network]:
    """What a search of the default budget returns first, for each problem of `PICKS`.

    Searches take longer than training, so what they found is kept in a file; delete it to search anew.
    """
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    if kept.keys() != PICKS.keys():
        kept = {network.kind: network.spec.to_dict() for network in find_picks()}
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    yield from (Network(kind, parse_spec(document)) for kind, document in kept.items())


def find_picks() -> Iterator[Network]:
    """The searches."""
    with TemporaryDirectory() as folder:
        for kind, problem in PICKS.items():
            path = Path(folder, "space.json")
            more = dict(problem)
            path.write_text(json.dumps(space_document(rules=more.pop("rules"))), encoding="utf-8")
            settings = check_request({"space": str(path), "max_macs": MACS, "verify": 0, "top": 1, **more})
            yield Network(kind, search(settings).candidates[0].spec)


def randoms() -> Iterator[Network]:
    """Random members, those within the rules between the others."""
    for seed in range(RANDOM_FREE):
        yield Network("random", find_random(seed, rules=False))
        if seed * RANDOM_RULED // RANDOM_FREE != (seed - 1) * RANDOM_RULED // RANDOM_FREE:
            yield Network("random, rules", find_random(seed, rules=True))


def find_random(seed: int, *, rules: bool) -> ArchSpec:
    """Where a random walk within the limit is when, after 300 moves, it first has 90% of the limit."""
    space, rng = parse_space(space_document(rules=rules)), random.Random(seed)
    model = space.seed(SIDE)
    genome, moves = space.start(model), 0
    while True:
        candidate = space.neighbour(genome, rng)
        spec = to_spec(space.genes(candidate, model), model)
        moves += 1
        if cost(spec).macs <= MACS and sum(block.depth for block in spec.blocks) <= MOST_DEPTH:
            genome = candidate
            if moves >= MOVES and cost(spec).macs >= LEAST * MACS:
                return spec


def hand_made() -> Iterator[Network]:
    """Residual networks as a person would draw them: no stage is narrower than the one before."""
    for op, widths, depths, squeeze in HAND_MADE:
        yield Network("hand-made", parse_spec(_document(op, widths, depths, squeeze)))


def _document(op: str, widths: tuple[int, ...], depths: tuple[int, ...], squeeze: int = 1) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [{"op": "conv", "width": 8, "stride": 2}]
    for index, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        stride = 1 if index == 0 else 2
        blocks.append({"op": op, "width": width, "mid_width": width // squeeze, "depth": depth, "stride": stride})
    blocks.append({"op": "conv", "kernel": 1, "width": 64})
    return {"resolution": SIDE, "in_channels": 1, "num_classes": CLASSES, "blocks": blocks}
