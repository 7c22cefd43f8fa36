"""Run by test_engine_kernels: compiles the Triton kernels for cards that need not be there.

Prints one JSON object: for each card and kernel the shared memory that it takes, in bytes.
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from zen_cli.metrics.monte_carlo import fused, kernels

POINTERS = {
    **dict.fromkeys(("numbers", "maps", "stats", "moments", "variances"), "*fp32"),
    **dict.fromkeys(("shapes", "steps", "offsets", "order"), "*i64"),
    **dict.fromkeys(("scores", "sigmas", "found"), "*fp64"),
    "eps": "fp32",
}
WIDE: dict[str, Any] = {"FIRST": False, "COLUMNS": 64, "INNER": 32, "ALIGNED": True}
KERNELS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "convolve": (kernels.convolve, "*fp32", WIDE),
    "convolve, narrow": (kernels.convolve, "*fp32", {**WIDE, "COLUMNS": 16, "INNER": 16}),
    "convolve, images": (kernels.convolve, "*fp32", {**WIDE, "FIRST": True, "INNER": 16, "ALIGNED": False}),
    "convolve, tf32": (kernels.convolve, "*fp32", {**WIDE, "PRODUCTS": 1}),
    "convolve, float16": (kernels.convolve, "*fp16", {**WIDE, "PRODUCTS": 0}),
    "convolve, bfloat16": (kernels.convolve, "*bf16", {**WIDE, "PRODUCTS": 0}),
}
# Another card multiplies these by the same instructions.
LEFT_OUT = {80: ("convolve, float16",), 90: ("convolve, float16", "convolve, images")}
# These multiply no matrices: what they become depends little on the card, so they are compiled for one.
WITHOUT_PRODUCTS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "depthwise": (kernels.depthwise, "*fp32", {"FIRST": False, "ALIGNED": True}),
    "depthwise, images": (kernels.depthwise, "*fp32", {"FIRST": True, "ALIGNED": False}),
    "join": (kernels.join, "*fp32", {}),
    "log_sigmas": (kernels.log_sigmas, "*fp32", {"PAPER": False}),
    "distances": (kernels.distances, "*fp32", {"L1": False}),
    "totals": (kernels.totals, "*fp32", {}),
}


def shared_bytes(kernel: Any, maps: str, flags: dict[str, Any], card: int) -> int:
    names = list(inspect.signature(kernel.fn).parameters)
    types = {**POINTERS, "maps": maps, **dict.fromkeys(flags, "constexpr")}
    signature = {name: types.get(name, "i32") for name in names}
    aligned = {(at,): [["tt.divisibility", 16]] for at, name in enumerate(names) if signature[name].startswith("*")}
    constants = {(names.index(name),): value for name, value in flags.items()}
    source = ASTSource(kernel, signature, constants, aligned)
    options = fused.options_of(divmod(card, 10)) if "FIRST" in flags else fused.FUSION
    return int(triton.compile(source, target=GPUTarget("cuda", card, 32), options=options).metadata.shared)


if __name__ == "__main__":
    found: dict[str, dict[str, int]] = {}
    for card in map(int, sys.argv[1:]):  # the oldest first
        products = {"PRODUCTS": 3 if card >= 80 else 0}
        rows = {
            name: (kernel, maps, {**products, **flags})
            for name, (kernel, maps, flags) in KERNELS.items()
            if name not in LEFT_OUT.get(card, ()) and (card >= 80 or flags.get("PRODUCTS") != 1)
        }
        rows |= {} if found else WITHOUT_PRODUCTS
        found[str(card)] = {name: shared_bytes(*row, card) for name, row in rows.items()}
    print(json.dumps(found))
