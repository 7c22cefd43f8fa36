"""From items that were read to files that are checked and in place: plan, make, check, write."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import SourceError, UsageError, nearest
from ..formats.files import write_files
from ..formats.reading import Item
from ..net.spec import ArchSpec
from .check import Finding, Written, check_running, check_text
from .files import check_places, is_folder, module_name
from .registry import TARGETS, Target, find_targets
from .source_network import Network


class Wish(NamedTuple):
    """What the user asked for besides the targets: `out` as written, or None for stdout; where weights come from."""

    out: str | None = None
    weights: str | None = None
    seed: int = 0
    force: bool = False


class Export(NamedTuple):
    """One file that is done: its network, target, place (None: `data` goes to stdout), and what its check found."""

    network: Network
    target: str
    path: Path | None
    data: bytes
    finding: Finding


class _Planned(NamedTuple):
    network: Network
    target: Target
    kind: str
    path: Path | None


def export(
    specs: Iterable[ArchSpec | Item],
    targets: Sequence[str],
    wish: Wish | None = None,
    on_step: Callable[[str], None] | None = None,
) -> list[Export]:
    """Exports architectures: everything is made and checked in a temporary folder before the first file is placed.

    Args:
        specs: architectures, or items as `io.read` gives them.
        targets: names of targets.
        wish: where to, with which weights.
        on_step: called with a few words about what begins.

    Raises:
        InputError: whatever of the above cannot be; nothing is written then.
        RunError: what was exported did not pass its check; nothing is written then.
    """
    wish = wish or Wish()
    say = on_step or (lambda _: None)
    chosen = find_targets(targets)
    items = [_item(item) for item in specs]
    if not items:
        raise SourceError("nothing to export; give a spec, a record or a structure string")
    weights = _weights(wish.weights, chosen, len(items))
    planned = _plan(items, chosen, wish, weights)
    check_places([row.path for row in planned if row.path is not None], force=wish.force)
    with tempfile.TemporaryDirectory(prefix="zen-export-") as name:
        folder = Path(name)
        made = [_make(row, folder, number, say) for number, row in enumerate(planned)]
        findings = _check(made, folder, say)
        done = [
            Export(row.network, file.kind, row.path, file.path.read_bytes(), finding)
            for row, file, finding in zip(planned, made, findings, strict=True)
        ]
    files = {row.path: row.data for row in done if row.path is not None}
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_files(files, force=wish.force)
    return done


def _item(item: ArchSpec | Item) -> Item:
    if isinstance(item, ArchSpec):
        return Item(item.name or item.id, item)
    if item.error is not None:
        raise item.error
    return item


def _weights(text: str | None, targets: Sequence[Target], count: int) -> str:
    """`none`, `seed` or the path of a checkpoint; by default those that the targets cannot do without."""
    needing = next((target for target in targets if target.has_weights), None)
    if text is None:
        return "seed" if needing is not None else "none"
    if text == "none" and needing is not None:
        raise UsageError(f"--weights: none, but {needing.name} files hold weights; use seed or a checkpoint")
    if text in ("seed", "none"):
        return text
    if not os.path.exists(text):
        hint = nearest(text, ("seed", "none")) if "/" not in text and "." not in text else "use seed, none or a file"
        raise UsageError(f"--weights: {text!r} is no file; {hint}")
    if count > 1:
        raise UsageError(f"--weights: one checkpoint for {count} networks; export them one by one")
    return text


def _plan(items: Sequence[Item], targets: Sequence[Target], wish: Wish, weights: str) -> list[_Planned]:
    several = len(items) > 1
    if wish.out is None:
        _check_stdout(items, targets, weights)
    out = Path(wish.out) if wish.out is not None else None
    folder = out is not None and is_folder(out, wish.out or "", several or len(targets) > 1)
    if out is not None and folder and several and out.suffix in {target.suffix for target in TARGETS.values()}:
        raise UsageError(f"-o {out}: {len(items)} networks for one file name; name a folder")
    rows: list[_Planned] = []
    first: dict[str, str] = {}
    for item in items:
        assert item.spec is not None
        if item.spec.id in first and several:
            raise UsageError(
                f"{item.where}: is the network of {first[item.spec.id]} (id {item.spec.id}), two networks for one file "
                "name; give it once"
            )
        first[item.spec.id] = item.where
        stem = f"zennet_{item.spec.id}" if several else module_name(item.spec)
        if out is not None and not folder:
            stem = out.name.removesuffix(targets[0].suffix)
            if targets[0].name in ("torch", "timm"):
                _check_module(out)
        checkpoint = None if weights in ("seed", "none") else Path(weights)
        network = Network(item.spec, item.record, item.where, stem, wish.seed, checkpoint)
        for target in targets:
            path = None if out is None else out / f"{stem}{target.suffix}" if folder else out
            rows.append(_Planned(network, target, target.name, path))
        wanted = wish.weights is not None and weights != "none"
        if wanted and out is not None and any(target.name in ("torch", "timm") for target in targets):
            beside = out / f"{stem}.pt" if folder else out.with_suffix(".pt")
            rows.append(_Planned(network, TARGETS["torch"], "weights", beside))
    return rows


def _check_module(out: Path) -> None:
    if out.suffix != ".py":
        raise UsageError(f"-o {out}: is no name of a Python file; use {out.stem}.py, or a folder, such as {out.stem}/")
    if not out.stem.isidentifier():
        raise UsageError(f"-o {out}: Python cannot import {out.stem!r}; use letters, digits and _ in the name")


def _check_stdout(items: Sequence[Item], targets: Sequence[Target], weights: str) -> None:
    if len(targets) > 1:
        raise UsageError(f"-o: missing; {len(targets)} targets need a folder, such as -o out/")
    target = targets[0]
    if not target.is_text:
        raise UsageError(f"-o: missing; {target.name} is not text, name a file, such as -o net{target.suffix}")
    if len(items) > 1 and target.name not in ("json", "plainnet"):
        raise UsageError(f"-o: missing; {len(items)} networks need a folder, such as -o out/")
    if weights != "none":
        raise UsageError("-o: missing; weights are not text, name a folder, such as -o out/")


def _make(row: _Planned, folder: Path, number: int, say: Callable[[str], None]) -> Written:
    say(f"{row.network.where}: {row.kind}")
    place = folder / str(number)
    place.mkdir()
    path = place / (row.path.name if row.path is not None else f"{row.network.module_name}{row.target.suffix}")
    path.write_bytes(_state_dict(row.network) if row.kind == "weights" else row.target.write(row.network))
    return Written(row.network, row.target.name, row.kind, path)


def _state_dict(network: Network) -> bytes:
    import io

    import torch

    buffer = io.BytesIO()
    torch.save(network.tensors, buffer)
    return buffer.getvalue()


def _check(made: Sequence[Written], folder: Path, say: Callable[[str], None]) -> list[Finding]:
    running = [file for file in made if TARGETS[file.target].runs]
    found: dict[Any, Finding] = {}
    if running:
        say("checking in a fresh process")
        found = dict(zip(running, check_running(running, folder), strict=True))
    return [found[file] if file in found else check_text(file) for file in made]
