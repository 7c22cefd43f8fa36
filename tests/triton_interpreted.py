"""Run by test_engine_kernels with TRITON_INTERPRET=1: the Triton kernels on a CPU, against plain torch.

Prints one line a case: draws, rows, channels, relu, the largest difference of maps and of variances.
"""

from __future__ import annotations

import torch

from zen_cli.engine.kernels import normalise_plain
from zen_cli.engine.triton_kernels import normalise

if __name__ == "__main__":
    for draws, rows, channels, relu in ((1, 1, 1, True), (2, 300, 5, True), (1, 5000, 16, False), (3, 77, 130, True)):
        x = torch.randn(draws, 2, rows, channels, generator=torch.Generator().manual_seed(rows)) * 3 + 2
        expected = x.double()
        variances = normalise_plain(expected, 1e-5, relu=relu)
        found = normalise(x, 1e-5, relu=relu)
        maps = (x - expected).abs().max().item()
        print(draws, rows, channels, relu, maps, ((found - variances) / (variances + 1e-5)).abs().max().item())
