"""Loads exported files in a process of its own, runs them and counts them.

The process runs a copy of this code and of the targets' `check` functions, and importing `zen_cli` fails there, so a
file that passes stands alone. A job is a folder with `job.json`: the targets and paths of files, and the paths of a
reference (`torch.save`: tensors, and cases of images and logits) and of the network as a `torch` file. Folders come as
lines of JSON on stdin; each is answered by a line of JSON with a row for each file. The process ends when stdin ends,
in the middle of a job too, so it does not outlive its parent. Shapes: B images, C channels, H x W.
"""

from __future__ import annotations

import gc
import importlib.abc
import importlib.util
import json
import math
import os
import queue
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

if TYPE_CHECKING:
    from torch import Tensor

FORBIDDEN = "zen_cli"


class Loaded(NamedTuple):
    """A file that was loaded: what runs it, its trainable numbers, its MACs for one image (None: to be measured)."""

    run: Callable[[Tensor], Tensor]
    params: int
    macs: int | None = None


class Check(NamedTuple):
    """How files of a target are loaded, and whether they take images of other sides."""

    load: Callable[[Path, dict[str, Any]], Loaded]
    any_side: bool


class Barrier(importlib.abc.MetaPathFinder):
    """Makes the program that wrote the files impossible to import."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuses one name and leaves all others to the finders after it."""
        if fullname.partition(".")[0] == FORBIDDEN:
            raise ModuleNotFoundError(f"{fullname} must not be needed here", name=fullname)
        return None


def load_source(path: Path) -> ModuleType:
    """A Python file as a module, under a name that no other module has."""
    name = f"exported_{path.parent.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_net(path: Path, tensors: dict[str, Tensor]) -> Any:
    """The network of a `torch` file with some tensors."""
    net = load_source(path).ZenNet()
    net.load_state_dict(tensors, strict=True)
    return net.eval()


def count_parameters(module: Any) -> int:
    """Trainable numbers."""
    return sum(tensor.numel() for tensor in module.parameters())


def measure_macs(run: Callable[[Tensor], Tensor], images: Tensor) -> int:
    """Multiply-adds for the images: what runs, by the formulas of PyTorch's own counter.

    That counter itself makes PyTorch import a second of its compiler, as does every mode that does not say otherwise.
    """
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        flops = 0

        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False

        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            out = func(*args, **(kwargs or {}))
            formula = flop_registry.get(func.overloadpacket)
            self.flops += 0 if formula is None else formula(*args, **(kwargs or {}), out_val=out)
            return out

    with Counter() as counter:  # type: ignore[no-untyped-call]  # as above
        run(images)
    return int(counter.flops) // 2


def check_file(check: Check, path: Path, job: dict[str, Any]) -> dict[str, Any]:
    """The row of one file: parameters, MACs, images it ran on, and the largest difference over the largest logit."""
    loaded = check.load(path, job)
    first, worst, shapes = job["cases"][0][0], 0.0, []
    for images, logits in job["cases"]:
        if images.shape[2:] != first.shape[2:] and not check.any_side:
            continue
        answer = loaded.run(images)
        assert answer.shape == logits.shape, f"logits of shape {tuple(answer.shape)}, not {tuple(logits.shape)}"
        difference = float((answer - logits).abs().max() / logits.abs().max().clamp(min=1e-30))
        worst = max(worst, difference) if math.isfinite(difference) else math.inf
        shapes.append(list(images.shape))
    macs = measure_macs(loaded.run, first) if loaded.macs is None else loaded.macs
    return {"difference": worst, "params": loaded.params, "macs": macs, "shapes": shapes}


def check_folder(folder: Path, checks: dict[str, Check]) -> list[dict[str, Any]]:
    """The rows of a job."""
    import torch

    task = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    job = {**torch.load(task["reference"], weights_only=True), "source": task["source"]}
    rows: list[dict[str, Any]] = []
    for target, path in task["files"]:
        try:
            with torch.no_grad():
                rows.append(check_file(checks[target], Path(path), job))
        except Exception as error:
            rows.append({"error": f"{type(error).__name__}: {error}"})
    assert not any(name.partition(".")[0] == FORBIDDEN for name in sys.modules), "the exporting program was imported"
    return rows


def read_jobs(stream: TextIO, jobs: queue.SimpleQueue[str]) -> None:
    """Passes lines on, and ends the process with the stream."""
    for line in stream:
        jobs.put(json.loads(line))
    os._exit(0)


def main(checks: dict[str, Check]) -> None:
    """Answers jobs until stdin ends. What exported files print goes to stderr."""
    sys.meta_path.insert(0, Barrier())
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=read_jobs, args=(sys.stdin, jobs), daemon=True).start()
    gc.disable()
    import torch  # for all jobs; to look for garbage in what stays would take a tenth of a second each time

    torch.set_num_threads(1)  # small networks would wait for cores that other programs have
    gc.freeze()
    gc.enable()
    while True:
        rows = check_folder(Path(jobs.get()), checks)
        print(json.dumps(rows), file=answers, flush=True)
        gc.collect()
