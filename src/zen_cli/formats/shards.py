"""Splitting one stream of networks over several runs of a command that know nothing of each other."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import UsageError, shorten

MOST_SHARDS = 1_000_000
_FIX = "write K/N, such as 3/8 for the third of eight"


class Shard(NamedTuple):
    """Share `number` (from 1) of `total` of a stream.

    A network's id decides alone in which share it is, so shares are the same whatever the order of the stream, they do
    not overlap, and together they are all of it.
    """

    number: int
    total: int

    def holds(self, network_id: str) -> bool:
        """Whether a network is in this share. Ids are 16 digits of a hash, so shares are about equally large."""
        return int(network_id, 16) % self.total == self.number - 1


def parse_shard(text: str) -> Shard:
    """`3/8` as a share.

    Raises:
        UsageError: not two whole numbers, or a share that is not there.
    """
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
    if match is None:
        raise UsageError(f"shard: {shorten(text)!r} is no share; {_FIX}")
    number, count = int(match[1]), int(match[2])
    if not 1 <= count <= MOST_SHARDS:
        raise UsageError(f"shard: there cannot be {count} shares; use 1 to {MOST_SHARDS}")
    if not 1 <= number <= count:
        raise UsageError(f"shard: there is no share {number} of {count}; use 1/{count} to {count}/{count}")
    return Shard(number, count)
