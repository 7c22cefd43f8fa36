"""Sums of a network over its blocks: what closed-form metrics and limits are functions of.

A search proposes networks a hundred thousand times a second; what it knows of one is the sum of its blocks' terms, each
computed once and looked up afterwards. A closed-form metric is a function of that sum and of the last feature map.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from ..errors import ScoreError
from ..net.classifier import Classifier
from ..net.counting import Cost, classifier_cost, fits
from ..net.layers import Side, mean_side, shrink
from ..net.network import Network, label
from ..net.ops import Gene
from ..net.spec import ArchSpec
from .block_terms import Terms, block_terms, layer_terms
from .mean_field import log_delta, score_chain

MAX_CACHED_BLOCKS = 16_384

BlockCache: TypeAlias = dict[tuple[Gene, int, Side, bool], tuple[Terms, Side]]


class StageTerms(NamedTuple):
    """Blocks at one resolution: from one that down-samples, or the first, up to the next that does.

    log_fan_in: the sum over the network's layers from the image to the end of this stage.
    width, side: the stage's last feature map; of one that is not square, the root of its area.
    """

    log_fan_in: float
    width: int
    side: float


class NetworkTerms(NamedTuple):
    """The sum over a network, classifier included; its last feature map, `width` x `side` x `side`; its stages.

    genes, image, classifier: its blocks, channels and side of the image, and what follows the last map, for a metric
        that is no function of these sums.
    side: of a map that is not square, the root of its area. A network that is not written as blocks has neither
        `stages` nor `genes`; a metric that looks at them says so by `needs_blocks`.
    """

    total: Terms
    width: int
    side: float
    stages: tuple[StageTerms, ...]
    genes: tuple[Gene, ...]
    image: tuple[int, Side]
    classifier: Classifier

    def zen(self, norm: str, alpha: float) -> float:
        """The closed form of the Zen-score in nats; arguments as for `score_and_count`."""
        return self.total.log_gain + log_delta(norm, alpha, self.total.layers, self.width, self.side**2)


def score_spec(spec: ArchSpec, *, convention: str = "paper", norm: str = "frobenius", alpha: float = 0.01) -> float:
    """The closed-form Zen-score of a network in nats; arguments and errors as for `score_and_count`."""
    return score_and_count(spec, convention=convention, norm=norm, alpha=alpha)[0]


def score_and_count(network: Network, *, convention: str, norm: str, alpha: float) -> tuple[float, Cost]:
    """The closed-form Zen-score of a network in nats, and its exact cost.

    Args:
        network: a spec, or another network, whose chain is then taken.
        convention: `paper` or `zennas`, see `mean_field.log_sigma`.
        norm: `frobenius` or `l1`.
        alpha: size of the perturbation, in standard deviations of the input.

    Raises:
        ScoreError: the score is not a finite number.
        SpecError: a cost that does not fit into 64 bits, or a chain that has no closed form.
    """
    if network.spec is None:
        return score_chain(network.chain, convention=convention, norm=norm, alpha=alpha).value, network.cost
    terms = spec_terms(network.spec, convention)
    value = terms.zen(norm, alpha)
    if not math.isfinite(value):
        raise ScoreError(f"the mean-field score of {label(network)} is {value}; use another alpha")
    return value, fits(terms.total.cost, label(network))


def spec_terms(spec: ArchSpec, convention: str = "paper") -> NetworkTerms:
    """The terms of a network."""
    return network_terms(spec.genes, spec.in_channels, spec.resolution, spec.classifier, convention)


def chain_terms(network: Network, convention: str = "paper") -> NetworkTerms:
    """The terms of a network of which the chain is known, with the cost that it has: no stages and no blocks."""
    layers = [layer_terms(layer, convention, index == 0) for index, layer in enumerate(network.chain)]
    total = add_rows(layers)._replace(**network.cost._asdict())
    first, last = network.chain[0], network.chain[-1]
    side, image = (math.sqrt(math.prod(size)) for size in (last.out_size, first.in_size))
    return NetworkTerms(total, last.out_width, side, (), (), (first.in_width, int(image)), Classifier(0))


def network_terms(
    genes: Sequence[Gene], in_width: int, side: Side, classifier: Classifier, convention: str = "paper"
) -> NetworkTerms:
    """The terms of blocks, of a spec or of a search, on images of `in_width` channels and this side."""
    rows, width, last_side = block_rows(genes, in_width, side, convention, {})
    total = add_rows([*rows, head_terms(width, classifier)])
    stages = stages_of(genes, rows, in_width, side)
    return NetworkTerms(total, width, mean_side(last_side), stages, tuple(genes), (in_width, side), classifier)


def block_rows(
    genes: Iterable[Gene], in_width: int, side: Side, convention: str, known: BlockCache
) -> tuple[list[Terms], int, Side]:
    """The terms of each block on images of `in_width` channels and this side; width and side of the last feature map.

    Args:
        genes: the blocks.
        in_width: channels of the image.
        side: of the image.
        convention: `paper` or `zennas`.
        known: blocks that were computed in this convention; those that are new are added. The networks of a search have
            most of their blocks in common, so that a search does little here but looking blocks up.
    """
    rows, first, lookup = [], True, known.get
    for gene in genes:
        key = (gene, in_width, side, first)
        found = lookup(key)
        if found is None:
            if len(known) >= MAX_CACHED_BLOCKS:
                known.clear()
            found = known[key] = block_terms(gene, in_width, side, convention, first)
        row, side = found
        rows.append(row)
        in_width, first = gene.width, False
    return rows, in_width, side


@lru_cache(maxsize=4096)
def head_terms(width: int, classifier: Classifier) -> Terms:
    """The terms of the classifier after a map of this width."""
    head = classifier_cost(width, classifier)
    return Terms(params=head.params, macs=head.macs)


def add_rows(rows: Iterable[Terms]) -> Terms:
    """The sum over blocks; floats from left to right, as `plain_sum` does, by loops that are fast."""
    columns = zip(*rows)  # noqa: B905 - rows are equally long, and looking for it takes a third of the time
    gains, maps, fan_ins, params, macs, activations, layers, sublayers = columns
    log_gain = log_maps = log_fan_in = 0.0
    for value in gains:
        log_gain += value
    for value in maps:
        log_maps += value
    for value in fan_ins:
        log_fan_in += value
    return Terms(log_gain, log_maps, log_fan_in, sum(params), sum(macs), sum(activations), sum(layers), sum(sublayers))


def stages_of(genes: Sequence[Gene], rows: Sequence[Terms], in_width: int, side: Side) -> tuple[StageTerms, ...]:
    """The stages of blocks with these terms; other arguments as for `block_rows`."""
    stages, log_fan_in = [], 0.0
    for index, (gene, row) in enumerate(zip(genes, rows, strict=True)):
        if gene.stride > 1:
            if index:
                stages.append(StageTerms(log_fan_in, in_width, mean_side(side)))
            side = shrink(side, gene.stride)
        log_fan_in += row.log_fan_in
        in_width = gene.width
    return (*stages, StageTerms(log_fan_in, in_width, mean_side(side)))
