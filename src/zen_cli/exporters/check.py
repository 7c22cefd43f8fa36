"""Checks what was exported against the module it came from, in a fresh process that cannot import this package."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import RunError
from ..formats.plainnet import parse_plainnet
from ..net.spec import parse_spec
from .source_network import Network

TOLERANCE = 1e-4
ROUNDINGS, MOST_TOLERANCE = 4, 1e-2


class Written(NamedTuple):
    """A file that waits in a temporary folder: its network, the target it belongs to, and what it is."""

    network: Network
    target: str
    kind: str
    path: Path


class Finding(NamedTuple):
    """What a check saw: the largest difference over the largest logit, on which images; words where nothing runs.

    `rounding` is what float32 itself does to the network, where that is why more than the tolerance was let pass.
    """

    difference: float | None
    shapes: tuple[tuple[int, ...], ...] = ()
    words: str = ""
    rounding: float | None = None

    def text(self) -> str:
        """The finding for people."""
        if self.difference is None:
            return self.words
        runs = ", ".join(f"{shape[0]} x {shape[2]} x {shape[3]}" for shape in self.shapes)
        cause = "" if self.rounding is None else f" (float32 itself is off by {self.rounding:.0e})"
        agrees = f"agrees to {self.difference:.0e}{cause}" if self.difference else "agrees exactly"
        return f"{agrees} on {runs}; parameters and MACs counted again"


def check_running(files: Sequence[Written], folder: Path) -> list[Finding]:
    """Loads, runs and counts files in one child process.

    Args:
        files: in any order; those of one network need not stand together.
        folder: a temporary folder for the job.

    Raises:
        RunError: a file does not load, does not run, or is not the network that it was exported from.
    """
    networks = list(dict.fromkeys(file.network for file in files))
    order = [(network, [file for file in files if file.network is network]) for network in networks]
    jobs = [_job(network, own, folder, number) for number, (network, own) in enumerate(order)]
    (folder / "job.json").write_text(json.dumps(jobs))
    script = folder / "check_exported.py"
    shutil.copyfile(Path(__file__).with_name("checker.py"), script)
    command = [sys.executable, str(script), str(folder)]
    child = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if child.returncode:
        raise RunError(f"the check of exported files failed: {_last_line(child.stderr)}")
    rows = iter(json.loads((folder / "result.json").read_text()))
    found = {file: _judge(file, next(rows)) for _, own in order for file in own}
    return [found[file] for file in files]


def check_text(file: Written) -> Finding:
    """Reads a spec, structure string or drawing back.

    Raises:
        RunError: it is not the network that it was exported from.
    """
    data, spec = file.path.read_bytes(), file.network.spec
    if file.target in ("json", "plainnet"):
        again = (
            parse_spec(json.loads(data))
            if file.target == "json"
            else parse_plainnet(data.decode(), resolution=spec.resolution, num_classes=spec.num_classes)
        )
        if again.id != spec.id or again.cost != spec.cost:
            raise RunError(f"{file.network.where}: {file.target} reads back as another network; please report it")
        return Finding(None, words="read back: the same network, parameters and MACs")
    if file.target == "svg":
        ElementTree.fromstring(data)
        return Finding(None, words="well-formed XML")
    return Finding(None, words="a drawing, nothing to run")


def _job(network: Network, files: list[Written], folder: Path, number: int) -> dict[str, object]:
    import torch

    with torch.no_grad():
        cases = [(images, network.reference(images)) for images in network.images]
    path, source = folder / f"reference{number}.pt", folder / f"network{number}.py"
    torch.save({"tensors": network.tensors, "cases": cases}, path)
    source.write_text(network.source)
    return {
        "reference": str(path),
        "source": str(source),
        "files": [[file.kind, str(file.path)] for file in files],
    }


def _judge(file: Written, row: dict[str, object]) -> Finding:
    where, total = f"{file.network.where}: {file.target}", file.network.cost
    if "error" in row:
        raise RunError(f"{where}: does not pass its check: {row['error']}")
    for key, wanted in (("params", total.params), ("macs", total.macs)):
        if row[key] != wanted:
            raise RunError(f"{where}: the exported network has {row[key]} {key}, not {wanted}; please report it")
    difference = row["difference"]
    assert isinstance(difference, float)
    rounding = None
    if not difference <= TOLERANCE:
        rounding = file.network.rounding
        if not difference <= min(ROUNDINGS * rounding, MOST_TOLERANCE):
            raise RunError(f"{where}: {_blame(difference, rounding)}")
    shapes = row["shapes"]
    assert isinstance(shapes, list)
    return Finding(difference, tuple(tuple(shape) for shape in shapes), rounding=rounding)


def _blame(difference: float, rounding: float) -> str:
    """What to say of a file whose logits differ so much, where float32 itself is off by `rounding`."""
    if ROUNDINGS * rounding > MOST_TOLERANCE:
        return (
            f"cannot be checked, for these weights amplify float32 rounding to {rounding:.1e} of the largest output; "
            "train the torch target and export its checkpoint with --weights"
        )
    return (
        f"differs from the network by {difference:.1e} of its largest output, more than {TOLERANCE:g} and than "
        f"float32, which is off by {rounding:.1e}; please report it"
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "the process ended without a word"
