"""The table of targets: what `TARGETS` holds, and which of them can be made here.

Importing it imports neither torch nor what networks are made of, so that help and completion can list targets at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from ..errors import UsageError, nearest
from .target import ReadTarget, Target
from .to_json import SpecFile
from .to_mermaid import FlowChart
from .to_onnx import OnnxModel
from .to_plainnet import StructureString
from .to_pt2 import ExportedProgram
from .to_safetensors import Safetensors
from .to_svg import Drawing
from .to_timm import TimmFile
from .to_torch import TorchFile
from .to_torchscript import TorchScript

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        TorchFile(),
        TimmFile(),
        ExportedProgram(),
        TorchScript(),
        OnnxModel(),
        Safetensors(),
        SpecFile(),
        StructureString(),
        FlowChart(),
        Drawing(),
    )
}


def register(target: Target) -> None:
    """Adds a target to the table.

    Raises:
        TypeError: its name is taken, or its files cannot be checked.
    """
    if target.check is None and not isinstance(target, ReadTarget):
        raise TypeError(f"target {target.name}: has no check; give it one, or make it a ReadTarget")
    if target.name in TARGETS:
        raise TypeError(f"target {target.name}: is registered twice")
    TARGETS[target.name] = target


def find_targets(names: Sequence[str]) -> list[Target]:
    """The targets of `["torch,onnx", "svg"]`, each once, in order, with all that they need installed.

    Raises:
        UsageError: none, an unknown one, or one that needs a package which is not installed.
    """
    words = [word.strip() for name in names for word in name.split(",")]
    words = list(dict.fromkeys(word for word in words if word))
    if not words:
        raise UsageError(f"to: missing; use one or several of {', '.join(TARGETS)}")
    for word in words:
        if word not in TARGETS:
            raise UsageError(f"to: unknown {word!r}; {nearest(word, TARGETS)}")
    targets = [TARGETS[word] for word in words]
    for target in targets:
        missing = [name for name in target.needs if find_spec(name) is None]
        if missing:
            raise UsageError(
                f"to: {target.name} needs {' and '.join(missing)}; install with: pip install 'zen-cli[{target.extra}]'"
            )
        if (target.has_weights or target.check is not None) and find_spec("torch") is None:
            free = [row.name for row in TARGETS.values() if row.check is None]
            raise UsageError(
                f"to: {target.name} needs torch to be made and checked; pip install torch, or use {', '.join(free)}"
            )
    return targets
