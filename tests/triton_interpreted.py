"""Run by test_engine_kernels with TRITON_INTERPRET=1: networks by the Triton kernels, on the CPU. Prints a JSON object.

Memory that the kernels are given holds NaN, so that a score is a number only if nothing is read that was not written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from engine_reference import plain_chain, settings
from plan_tools import expected, odd_chain, plan_of, wide_chain
from triton.runtime import interpreter

from zen_cli.metrics.monte_carlo import KeyedChain, fused, kernels
from zen_cli.metrics.monte_carlo.dispatch import score_plain
from zen_cli.metrics.monte_carlo.draws import Draw
from zen_cli.metrics.monte_carlo.plan import Offsets
from zen_cli.metrics.settings import PrecisionMode, ScoreSettings
from zen_cli.net.layers import Chain

CHAINS = [plain_chain(depth=2), odd_chain(), wide_chain()]
LAYERS, DRAWS = 70, 20  # more terms than `totals` adds at once, in draws enough that another order would be seen


def run(chains: list[Chain], seeds: list[int], options: ScoreSettings, mode: PrecisionMode = "float32") -> list[float]:
    scores: list[float] = fused.score_plan(*plan_of(chains, seeds, options), options, mode).tolist()
    return scores


def broken(copy: int, convention: str) -> list[float]:
    """Scores where a number of one copy of the images is none, or infinite."""
    scores = []
    for wrong in (float("nan"), float("inf")):
        options = settings(batch_size=1, convention=convention)
        tables, numbers = plan_of([plain_chain(depth=1)], [0], options)
        images, *_, weights, _ = tables.offsets[0].tolist()
        numbers[images + copy * (weights - images) // 2] = wrong
        scores.append(fused.score_plan(tables, numbers, options, "float32").item())
    return scores


def total(depth: int, options: ScoreSettings) -> tuple[list[float], list[float]]:
    """Totals of random terms beside draws of so many layers, and their sums."""
    generator = torch.Generator().manual_seed(0)
    terms, found = (
        torch.rand(DRAWS, size, generator=generator, dtype=torch.float64) for size in (LAYERS, options.batch_size)
    )
    sigmas = torch.full((DRAWS, depth), float("nan"), dtype=torch.float64)
    sigmas[:, :LAYERS] = terms
    offsets = torch.zeros(DRAWS, len(Offsets._fields), dtype=torch.int64)
    offsets[:, Offsets._fields.index("layers")] = LAYERS
    scores = sigmas.new_empty(DRAWS)
    kernels.totals[DRAWS,](scores, sigmas, found, offsets, depth, options.batch_size, **fused.FUSION)
    return scores.tolist(), (terms.sum(1) + found.mean(1).log()).tolist()


def interpret_fast() -> None:
    """Spares the interpreter what takes most of its time and changes no result; this process does nothing else.

    It keeps what it puts in place of Triton's language, which it does again at each call of a function, and it does not
    compute whether integers overflow, of which it tells nobody unless it debugs.
    """
    replace: Callable[[Any], object] = interpreter._patch_lang
    done = set()

    def replace_once(function: Any) -> SimpleNamespace:
        if id(function.__globals__) not in done:
            done.add(id(function.__globals__))
            replace(function)
        return SimpleNamespace(restore=lambda: None)

    interpreter._patch_lang = replace_once
    object.__setattr__(interpreter.interpreter_builder.options, "sanitize_overflow", False)  # its options are frozen


def main() -> None:
    interpret_fast()
    empty = torch.empty
    torch.empty = lambda *size, **kind: empty(*size, **kind).fill_(float("nan"))  # type: ignore[assignment]
    seeds = list(range(len(CHAINS)))
    found: dict[str, list[list[float]]] = {}
    options = settings(batch_size=3)
    alone = [run([chain], [seed], options)[0] for chain, seed in zip(CHAINS, seeds, strict=True)]
    found["beside others"] = [alone, run(CHAINS[::-1], seeds[::-1], options)[::-1]]
    found["beside deeper ones"] = [total(depth, options)[0] for depth in (LAYERS, 2 * LAYERS)]
    found["totals"] = list(total(LAYERS, options))
    found["paper, l2"] = [alone, expected(CHAINS, seeds, options)]
    draws = [Draw(KeyedChain(str(seed), CHAINS[seed], ""), number) for seed, number in ((0, 0), (0, 1), (1, 0))]
    fused.MAX_DRAWS = 2
    cpu = torch.device("cpu")
    fused_scores = fused.score_fused(draws, options, "float32", cpu)
    found["draws"] = [fused_scores, score_plain(draws, options, "float32", cpu)]
    found["nothing finite"] = [broken(copy, convention) for copy in (0, 1) for convention in ("paper", "zennas")]
    fused.has_tf32 = lambda device: True
    options = settings(batch_size=3, alpha=0.1, convention="zennas", norm="l1")
    odd, wide = ((CHAINS[at : at + 1], seeds[at : at + 1]) for at in (1, 2))
    found["zennas, l1, float32 in three products"] = [run(CHAINS, seeds, options), expected(CHAINS, seeds, options)]
    options = settings(batch_size=3, alpha=0.1)
    found["tf32"] = [run(*wide, options, "tf32"), expected(*wide, options)]
    found["float16"] = [run(*odd, options, "float16"), expected(*odd, options)]
    print(json.dumps(found))  # with NaN, as only Python reads it


if __name__ == "__main__":
    main()
