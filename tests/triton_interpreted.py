"""Run by test_engine_kernels with TRITON_INTERPRET=1: networks by the Triton kernels, on the CPU. Prints a JSON object.

Memory that the kernels are given holds NaN, so that a score is a number only if nothing is read that nobody wrote.
"""

from __future__ import annotations

import json

import torch
from engine_reference import plain_chain, settings
from lanes_tools import expected, odd_chain, some_lanes, wide_chain

from zen_cli.chain import Chain
from zen_cli.engine import Network, fused
from zen_cli.engine.network import Draw
from zen_cli.engine.together import score_plain
from zen_cli.records import PrecisionMode, ScoreSettings

CHAINS = [plain_chain(depth=2), odd_chain(), wide_chain()]


def run(chains: list[Chain], seeds: list[int], wishes: ScoreSettings, mode: PrecisionMode = "float32") -> list[float]:
    scores: list[float] = fused.score_lanes(*some_lanes(chains, seeds, wishes), wishes, mode).tolist()
    return scores


def main() -> None:
    empty = torch.empty
    torch.empty = lambda *size, **kind: empty(*size, **kind).fill_(float("nan"))  # type: ignore[assignment]
    seeds = list(range(len(CHAINS)))
    found: dict[str, list[list[float]]] = {}
    wishes = settings(batch_size=3)
    alone = [run([chain], [seed], wishes)[0] for chain, seed in zip(CHAINS, seeds, strict=True)]
    lanes, numbers = some_lanes(CHAINS[::-1], seeds[::-1], wishes)
    large = fused.score_lanes(lanes._replace(large=True), numbers, wishes, "float32").tolist()
    found["beside others, and counted in 64 bits"] = [alone, run(CHAINS, seeds, wishes), large[::-1]]
    found["paper, l2"] = [alone, expected(CHAINS, seeds, wishes)]
    draws = [Draw(Network(str(seed), CHAINS[seed], ""), number) for seed in (0, 1) for number in (0, 1)]
    fused.MAX_LANES = 3
    cpu = torch.device("cpu")
    fused_scores = fused.score_fused(draws, wishes, "float32", cpu)
    found["draws"] = [fused_scores, score_plain(draws, wishes, "float32", cpu)]
    wishes = settings(batch_size=3, convention="zennas", norm="l1")
    found["zennas, l1"] = [run(CHAINS, seeds, wishes), expected(CHAINS, seeds, wishes)]
    wishes = settings(batch_size=3, alpha=0.1)
    fused.has_tf32 = lambda device: True
    found["tf32"] = [run(CHAINS, seeds, wishes, "tf32"), expected(CHAINS, seeds, wishes)]
    found["float16"] = [run(CHAINS, seeds, wishes, "float16"), expected(CHAINS, seeds, wishes)]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
