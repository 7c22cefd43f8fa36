"""What can be exported: one row a target, one module a target, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from ..errors import UsageError, nearest
from .source_network import Network


class Target(NamedTuple):
    """One kind of file.

    `is_text` says that it may go to a terminal or a pipe, `has_weights` that weights stand in it, `runs` that it is a
    network that can be run and compared; `extra` is what must be installed for it, with the modules that come with it.
    """

    name: str
    suffix: str
    summary: str
    is_text: bool = False
    has_weights: bool = False
    runs: bool = True
    extra: str | None = None
    modules: tuple[str, ...] = ()

    def write(self, network: Network) -> bytes:
        """The file of a network."""
        data: bytes = import_module(f".to_{self.name}", __package__).write(network)
        return data


TARGETS = {
    target.name: target
    for target in (
        Target("torch", ".py", "a readable Python file that needs PyTorch alone", is_text=True),
        Target(
            "timm", "_timm.py", "a Python file that registers with timm", is_text=True, extra="timm", modules=("timm",)
        ),
        Target("pt2", ".pt2", "a torch.export program", has_weights=True),
        Target("torchscript", ".torchscript", "a traced TorchScript module", has_weights=True),
        Target("onnx", ".onnx", "an ONNX model", has_weights=True, extra="onnx", modules=("onnx", "onnxruntime")),
        Target(
            "safetensors", ".safetensors", "weights", has_weights=True, extra="safetensors", modules=("safetensors",)
        ),
        Target("json", ".json", "the spec", is_text=True, runs=False),
        Target("plainnet", ".txt", "a structure string", is_text=True, runs=False),
        Target("mermaid", ".mmd", "a flow chart", is_text=True, runs=False),
        Target("svg", ".svg", "a drawing", is_text=True, runs=False),
    )
}


def find_targets(names: Sequence[str]) -> list[Target]:
    """The targets of `--to torch,onnx --to svg`, each once, in order, all of them installed.

    Raises:
        UsageError: none, an unknown one, or one whose extra is not installed.
    """
    words = [word.strip() for name in names for word in name.split(",")]
    words = list(dict.fromkeys(word for word in words if word))
    if not words:
        raise UsageError(f"--to: missing; use one or several of {', '.join(TARGETS)}")
    for word in words:
        if word not in TARGETS:
            raise UsageError(f"--to: unknown {word!r}; {nearest(word, TARGETS)}")
    targets = [TARGETS[word] for word in words]
    for target in targets:
        missing = [module for module in target.modules if find_spec(module) is None]
        if missing:
            raise UsageError(
                f"--to {target.name}: needs {' and '.join(missing)}; "
                f"install with: pip install 'zen-cli[{target.extra}]'"
            )
    return targets
