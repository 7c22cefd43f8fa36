"""A target of one's own: one class, one registration. `python extension_target.py export ...` is `zen` with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zen_cli.errors import SpecError
from zen_cli.exporters.checker import Loaded, count_parameters, load_net
from zen_cli.exporters.source import ExportSource
from zen_cli.exporters.table import register
from zen_cli.exporters.target import Target

LARGEST = 100_000


def check_numbers(path: Path, job: dict[str, Any]) -> Loaded:
    """Tensors as JSON, loaded into the module of the `torch` file."""
    import torch

    rows = json.loads(path.read_text(encoding="utf-8"))
    net = load_net(Path(job["source"]), {name: torch.tensor(row) for name, row in rows.items()})
    return Loaded(net, count_parameters(net))


class Numbers(Target):
    """Every tensor as a list of numbers."""

    name, suffix, summary = "numbers", ".numbers.json", "weights as JSON"
    has_weights = any_side = True
    check = staticmethod(check_numbers)

    def write(self, source: ExportSource, stem: str) -> bytes:
        if source.spec.cost.params > LARGEST:
            raise SpecError(f"{source.spec.cost.params:,} parameters, more than {LARGEST:,}; export to safetensors")
        return json.dumps({name: tensor.tolist() for name, tensor in source.tensors.items()}).encode()


register(Numbers())

if __name__ == "__main__":
    from zen_cli.cli import main

    main()
