"""Run by test_engine_kernels with TRITON_INTERPRET=1: networks by the Triton kernels, on the CPU. Prints a JSON object.

Memory that the kernels are given holds NaN, so that a score is a number only if nothing is read that nobody wrote.
"""

from __future__ import annotations

import json

import torch
from engine_reference import plain_chain, settings
from lanes_tools import expected, odd_chain, some_lanes, wide_chain

from zen_cli.metrics.monte_carlo import KeyedChain, fused
from zen_cli.metrics.monte_carlo.dispatch import score_plain
from zen_cli.metrics.monte_carlo.draws import Draw
from zen_cli.metrics.settings import PrecisionMode, ScoreSettings
from zen_cli.net.layers import Chain, ConvLayer

CHAINS = [plain_chain(depth=2), odd_chain(), wide_chain()]
DEEP = [(ConvLayer(2, 2, (1, 1), (2, 2), activation=False),) * depth for depth in (60, 66)]


def run(chains: list[Chain], seeds: list[int], wishes: ScoreSettings, mode: PrecisionMode = "float32") -> list[float]:
    scores: list[float] = fused.score_lanes(*some_lanes(chains, seeds, wishes), wishes, mode).tolist()
    return scores


def broken(half: int, convention: str) -> list[float]:
    """Scores where a number of one half of the images is none, or infinite."""
    scores = []
    for wrong in (float("nan"), float("inf")):
        wishes = settings(batch_size=1, convention=convention)
        tables, numbers = some_lanes(CHAINS[:1], [0], wishes)
        images, *_, weights, _ = tables.places[0].tolist()
        numbers[images + half * (weights - images) // 2] = wrong
        scores.append(fused.score_lanes(tables, numbers, wishes, "float32").item())
    return scores


def main() -> None:
    empty = torch.empty
    torch.empty = lambda *size, **kind: empty(*size, **kind).fill_(float("nan"))  # type: ignore[assignment]
    seeds = list(range(len(CHAINS)))
    found: dict[str, list[list[float]]] = {}
    wishes = settings(batch_size=3)
    alone = [run([chain], [seed], wishes)[0] for chain, seed in zip(CHAINS, seeds, strict=True)]
    found["beside others"] = [alone, run(CHAINS, seeds, wishes), run(CHAINS[::-1], seeds[::-1], wishes)[::-1]]
    found["beside deeper ones"] = [run(DEEP[:1], [0], wishes), run(DEEP, [0, 1], wishes)[:1]]
    found["paper, l2"] = [alone, expected(CHAINS, seeds, wishes)]
    draws = [Draw(KeyedChain(str(seed), CHAINS[seed], ""), number) for seed in (0, 1) for number in (0, 1)]
    fused.MAX_LANES = 3
    cpu = torch.device("cpu")
    fused_scores = fused.score_fused(draws, wishes, "float32", cpu)
    found["draws"] = [fused_scores, score_plain(draws, wishes, "float32", cpu)]
    wishes = settings(batch_size=3, convention="zennas", norm="l1")
    found["zennas, l1"] = [run(CHAINS, seeds, wishes), expected(CHAINS, seeds, wishes)]
    found["nothing finite"] = [broken(half, convention) for half in (0, 1) for convention in ("paper", "zennas")]
    wishes = settings(batch_size=3, alpha=0.1)
    fused.has_tf32 = lambda device: True
    found["float32 in three products"] = [run(CHAINS, seeds, wishes), expected(CHAINS, seeds, wishes)]
    found["tf32"] = [run(CHAINS, seeds, wishes, "tf32"), expected(CHAINS, seeds, wishes)]
    found["float16"] = [run(CHAINS, seeds, wishes, "float16"), expected(CHAINS, seeds, wishes)]
    print(json.dumps(found))  # with NaN, as only Python reads it


if __name__ == "__main__":
    main()
