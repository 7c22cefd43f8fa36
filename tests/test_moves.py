"""The moves of a space of blocks: each kind is made about as often as its share, and keeps what it promises to keep."""

from __future__ import annotations

from random import Random

import pytest

from zen_cli.nas.space import BlockSpace, Genome, load_space
from zen_cli.nas.space.genes import genome_of

STEPS = 4000


@pytest.fixture(params=["resnet", "mobile", "zennet-resnet", "zennet-mobile"])
def walk(request: pytest.FixtureRequest) -> list[tuple[Genome, Genome]]:
    """Pairs of a deep member and a neighbour of it."""
    space = load_space(request.param)
    assert isinstance(space, BlockSpace)
    stem, *blocks, head = genome_of(space.seed(224))
    start = (stem, *(gene.with_sublayers(3) for gene in blocks), head)
    random = Random(0)
    return [(start, space.neighbour(start, random)) for _ in range(STEPS)]


def changes(before: Genome, after: Genome) -> list[int]:
    """The blocks that differ, of genomes with as many blocks."""
    if len(before) != len(after):
        return []
    return [index for index, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]


def test_sublayers_move_from_one_block_to_another(walk: list[tuple[Genome, Genome]]) -> None:
    """One in ten moves; by chance two mutations look like one in every few hundred."""
    moved = 0
    for before, after in walk:
        places = changes(before, after)
        if len(places) == 2:
            deltas = [after[index].sublayers - before[index].sublayers for index in places]
            same = all(after[i] == before[i].with_sublayers(after[i].sublayers) for i in places)
            moved += same and sorted(deltas) == [-1, 1]
    inner = len(walk[0][0]) - 2
    assert moved == pytest.approx(STEPS * 0.1 * (1 - 1 / inner), rel=0.25)


def test_one_width_grows_while_another_shrinks(walk: list[tuple[Genome, Genome]]) -> None:
    """Three in ten moves, without those where a width has no room, or both changes meet in one block."""
    traded = 0
    for before, after in walk:
        places = changes(before, after)
        if len(places) == 2:
            grown = [
                (new.width > old.width or new.mid > old.mid) - (new.width < old.width or new.mid < old.mid)
                for old, new in ((before[index], after[index]) for index in places)
            ]
            traded += sorted(grown) == [-1, 1] and all(after[i].depth == before[i].depth for i in places)
    assert 0.1 * STEPS < traded < 0.35 * STEPS
