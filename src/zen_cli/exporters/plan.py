"""What an export makes and where it goes: names of files, and whether they may be written."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from keyword import iskeyword
from pathlib import Path
from typing import NamedTuple

from ..errors import OutputError, UsageError, nearest
from ..formats.files import check_output
from ..formats.reading import Item
from ..net.spec import ArchSpec
from .source import ExportSource
from .table import TARGETS
from .target import LineTarget, Target
from .to_state_dict import STATE_DICT

_MAX_STEM = 60
MAX_SEED = 2**63 - 2
# Packages that torch and the packages of the targets import: a file of such a name would be imported instead of them.
RESERVED = frozenset(
    [
        "PIL",
        "_distutils_hack",
        "_yaml",
        "anyio",
        "certifi",
        "charset_normalizer",
        "coloredlogs",
        "cuda",
        "filelock",
        "flatbuffers",
        "fsspec",
        "functorch",
        "google",
        "h11",
        "hf_xet",
        "httpcore",
        "httpx",
        "huggingface_hub",
        "humanfriendly",
        "idna",
        "isympy",
        "jinja2",
        "markupsafe",
        "ml_dtypes",
        "mpmath",
        "networkx",
        "numpy",
        "nvidia",
        "onnx",
        "onnxruntime",
        "onnxscript",
        "optree",
        "packaging",
        "pkg_resources",
        "psutil",
        "requests",
        "safetensors",
        "scipy",
        "setuptools",
        "shellingham",
        "sniffio",
        "sympy",
        "timm",
        "torch",
        "torchaudio",
        "torchgen",
        "torchvision",
        "tqdm",
        "triton",
        "typer",
        "typing_extensions",
        "urllib3",
        "yaml",
        "zen_cli",
    ]
)


class ExportOptions(NamedTuple):
    """What an export does besides its targets.

    Attributes:
        out: a file, or a folder, as written; None or `-` for stdout.
        weights: `seed`, `none`, or a checkpoint; None for seed where a target has weights.
        seed: of the weights.
        force: overwrite files that exist.
        opset: of ONNX files; None for the lowest that a network needs.
        merge: batch normalisations and parallel branches become part of convolutions, in files that only run.
    """

    out: str | None = None
    weights: str | None = None
    seed: int = 0
    force: bool = False
    opset: int | None = None
    merge: bool = False

    @property
    def path(self) -> Path | None:
        """`out` as a path."""
        return None if self.out in (None, "-") else Path(str(self.out))


class PlannedFile(NamedTuple):
    """A file to make: its target, the name that it states, and its path, or None for stdout."""

    target: Target
    stem: str
    path: Path | None


class PlannedNetwork(NamedTuple):
    """A network and its files."""

    source: ExportSource
    files: tuple[PlannedFile, ...]


def plan(items: Sequence[Item], targets: Sequence[Target], options: ExportOptions) -> list[PlannedNetwork]:
    """The files of all networks.

    Raises:
        UsageError: options that contradict each other, or two files of one name.
        OutputError: a file that may not be written.
    """
    if not 0 <= options.seed <= MAX_SEED:
        raise UsageError(f"seed: {options.seed} is out of range; use 0 to {MAX_SEED}")
    weights = _weights(targets, options, len(items))
    if options.opset is not None and not any(target.name == "onnx" for target in targets):
        raise UsageError("opset: is of ONNX files; add the target onnx, or leave it out")
    for target in targets if options.merge else ():
        if not target.can_merge:
            able = ", ".join(row.name for row in TARGETS.values() if row.can_merge)
            raise UsageError(f"merge: is for files that only run ({able}), and not for {target.name}; leave one out")
    if options.path is None:
        _check_stdout(items, targets, weights)
    rows: list[PlannedNetwork] = []
    first: dict[str, str] = {}
    for item in items:
        assert item.spec is not None
        if item.spec.id in first:
            raise UsageError(
                f"{item.where}: is the network of {first[item.spec.id]} (id {item.spec.id}), two networks for one file "
                "name; give it once"
            )
        first[item.spec.id] = item.where
        checkpoint = None if weights in ("seed", "none") else Path(weights)
        source = ExportSource(
            item.spec,
            item.record,
            where=item.where,
            seed=options.seed,
            checkpoint=checkpoint,
            opset=options.opset,
            merge=options.merge,
        )
        for target in targets:
            _check_units(item, target)
        has_state_dict = options.weights is not None and weights != "none" and options.path is not None
        files = _files(item.spec, targets, options, several=len(items) > 1, has_state_dict=has_state_dict)
        rows.append(PlannedNetwork(source, tuple(files)))
    _check_places([file.path for row in rows for file in row.files if file.path is not None], force=options.force)
    return rows


def module_name(spec: ArchSpec) -> str:
    """The stem of a network's file names: its name or its id, as an identifier that Python can import."""
    stem = re.sub(r"[^a-z0-9]+", "_", (spec.name or "").lower()).strip("_")[:_MAX_STEM].strip("_")
    if not stem:
        return f"zennet_{spec.id}"
    return f"zennet_{stem}" if stem[0].isdigit() or iskeyword(stem) or _shadows(stem) else stem


def _shadows(stem: str) -> bool:
    """Whether a module of this name would be imported instead of one that exported files need."""
    names = RESERVED | sys.stdlib_module_names
    return stem in names or stem.lower() in {name.lower() for name in names}


def _weights(targets: Sequence[Target], options: ExportOptions, count: int) -> str:
    """`none`, `seed` or the path of a checkpoint; by default those that the targets cannot do without."""
    text, needing = options.weights, next((target for target in targets if target.has_weights), None)
    if text is None:
        return "seed" if needing is not None else "none"
    if text == "none":
        if needing is not None:
            raise UsageError(f"weights: none, but {needing.name} files have weights; use seed or a checkpoint")
        return text
    if needing is None and not any(target.is_python for target in targets):
        raise UsageError(f"weights: {targets[0].name} files have none; leave it out")
    if text == "seed":
        return text
    if not os.path.exists(text):
        hint = nearest(text, ("seed", "none")) if "/" not in text and "." not in text else "use seed, none or a file"
        raise UsageError(f"weights: {text!r} is no file; {hint}")
    if count > 1:
        raise UsageError(f"weights: one checkpoint for {count} networks; export them one by one")
    return text


def _files(
    spec: ArchSpec, targets: Sequence[Target], options: ExportOptions, *, several: bool, has_state_dict: bool
) -> list[PlannedFile]:
    out = options.path
    stem = f"zennet_{spec.id}" if several else module_name(spec)
    if out is None:
        return [PlannedFile(target, (stem + target.suffix).removesuffix(".py"), None) for target in targets]
    is_folder = out.is_dir() or str(options.out).endswith(("/", os.sep)) or several or len(targets) > 1
    if is_folder:
        if several and out.suffix in {target.suffix for target in TARGETS.values()}:
            raise UsageError(f"out: {out} is one file name for several networks; name a folder")
        paths = [(target, out / f"{stem}{target.suffix}") for target in targets]
    else:
        paths = [(targets[0], out)]
    files = []
    for target, path in paths:
        if target.is_python:
            _check_module(path)
        files.append(PlannedFile(target, path.stem, path))
    if has_state_dict and any(target.is_python for target in targets):
        files.append(PlannedFile(STATE_DICT, stem, out / f"{stem}.pt" if is_folder else out.with_suffix(".pt")))
    return files


def _check_units(item: Item, target: Target) -> None:
    count = len(item.spec.units) if item.spec is not None else 0
    if target.most_units is not None and count > target.most_units:
        bound = f"PyTorch takes many minutes for more than {target.most_units:,}"
        raise UsageError(f"{item.where}: {target.name}: {count:,} units, and {bound}; use torch or onnx")


def _check_module(path: Path) -> None:
    if path.suffix != ".py":
        raise UsageError(
            f"out: {path} is no name of a Python file; use {path.stem}.py, or a folder, such as {path.stem}/"
        )
    if not path.stem.isidentifier() or iskeyword(path.stem):
        raise UsageError(f"out: {path}: Python cannot import {path.stem!r}; use letters, digits and _ in the name")
    if _shadows(path.stem):
        raise UsageError(
            f"out: {path}: Python would import it instead of {path.stem}; use another name, such as net_{path.name}"
        )


def _check_stdout(items: Sequence[Item], targets: Sequence[Target], weights: str) -> None:
    if len(targets) > 1:
        raise UsageError(f"out: missing; {len(targets)} targets need a folder, such as out/")
    target = targets[0]
    if not target.is_text:
        raise UsageError(f"out: missing; {target.name} is not text, name a file, such as net{target.suffix}")
    if len(items) > 1 and not isinstance(target, LineTarget):
        raise UsageError(f"out: missing; {len(items)} networks need a folder, such as out/")
    if weights != "none":
        raise UsageError("out: missing; weights are not text, name a folder, such as out/")


def _check_places(paths: Sequence[Path], *, force: bool) -> None:
    """Fails early, before anything is computed, where a file could not be written in the end."""
    seen: set[Path] = set()
    for path in paths:
        if path in seen:
            raise UsageError(f"{path}: two networks for one file name; give one of them, or a folder as out")
        seen.add(path)
        place = path.parent
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise OutputError(f"{path.parent}: cannot be written, {place} is not a folder; choose another place")
        if not path.parent.exists():
            if not os.access(place, os.W_OK | os.X_OK):
                raise OutputError(f"{path.parent}: cannot be written, permission denied in {place}")
            continue
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; name a file, or end it with / to write into it")
        check_output(path, force=force)
