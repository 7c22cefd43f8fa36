"""Finds convolutional networks without training and without data.

    from zen_cli import export, load, score, search

    print(score(load("arch.json"), draws=8))
    best, *_ = search(preset="cifar-1m", verify=0)
    export(best.arch, to="onnx", out="best.onnx")

Names are imported where they are first used; torch only by a Monte-Carlo score or by `build`. `__version__` is one too.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import SearchResult, export, load_target, search
    from .errors import ZenError
    from .formats.loading import load, load_all
    from .formats.plainnet import parse_plainnet, to_plainnet
    from .metrics.records import ScoreRecord
    from .metrics.scoring import score
    from .net.counting import Cost
    from .net.module import build
    from .net.network import cost
    from .net.spec import ArchSpec, parse_spec

# torch works without numpy, which zen never asks for, but says this when it is imported.
warnings.filterwarnings("ignore", message="Failed to initialize NumPy", category=UserWarning)

__all__ = [
    "ArchSpec",
    "Cost",
    "ScoreRecord",
    "SearchResult",
    "ZenError",
    "build",
    "cost",
    "export",
    "load",
    "load_all",
    "load_target",
    "parse_plainnet",
    "parse_spec",
    "score",
    "search",
    "to_plainnet",
]

_HOMES = {
    "ArchSpec": "net.spec",
    "Cost": "net.counting",
    "ScoreRecord": "metrics.records",
    "ZenError": "errors",
    "SearchResult": "api",
    "build": "net.module",
    "cost": "net.network",
    "export": "api",
    "load": "formats.loading",
    "load_all": "formats.loading",
    "load_target": "api",
    "parse_plainnet": "formats.plainnet",
    "parse_spec": "net.spec",
    "score": "metrics.scoring",
    "search": "api",
    "to_plainnet": "formats.plainnet",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from .version import zen_version

        return zen_version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
