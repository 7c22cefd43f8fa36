"""Exports random networks of every built-in space, and published ones, to every target; prints what the checks saw.

    python benchmarks/export_check.py --count 50
    python benchmarks/export_check.py --count 0 --published tests/data/published.json
    python benchmarks/export_check.py --count 0 --published tests/data/published.json --name zennet-0.5M --to pt2

Each file is loaded in a fresh process that cannot import zen, runs on batches of 1 and 8 (and, where the target takes
any size, on another resolution), and is compared with the training-form module; parameters and MACs are counted again.
A file that does not agree ends the run with an error, so a table is of all networks. Every other network of a
space has squeeze-and-excitation; published ones are exported both without and with it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

from zen_cli.errors import SpecError
from zen_cli.exporters.check import TOLERANCE
from zen_cli.exporters.plan import ExportOptions
from zen_cli.exporters.run import ExportedFile, export
from zen_cli.exporters.table import TARGETS
from zen_cli.formats.plainnet import parse_plainnet, to_plainnet
from zen_cli.nas.space import BUILTIN, load_space, to_spec
from zen_cli.net.spec import ArchSpec, parse_spec

SE = 0.25
CHUNK, SMALL = 10, 64
MUTATIONS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=50, help="random networks of each space")
    parser.add_argument("--space", action="append", choices=BUILTIN, help="spaces (default: all built-in ones)")
    parser.add_argument("--resolution", type=int, default=32, help="of the random networks")
    parser.add_argument(
        "--published", type=Path, help="a JSON list of networks with structure, resolution, num_classes"
    )
    parser.add_argument("--name", action="append", help="published networks (default: all of the list)")
    parser.add_argument("--to", default=",".join(name for name in TARGETS if is_installed(name)), help="targets")
    parser.add_argument("--out", type=Path, help="write the table there as Markdown too")
    options = parser.parse_args()
    groups = {
        f"{name}, {options.count} random networks at {options.resolution}": members(load_space(name), options)
        for name in options.space or BUILTIN
        if options.count
    }
    if options.published is not None:
        for name, se in (("published", False), ("published with SE", True)):
            specs = published(options.published, se=se)
            groups[name] = [spec for spec in specs if options.name is None or spec.name in options.name]
    lines = [f"| networks | target | files | largest difference (allowed {TOLERANCE:g}) | runs | s a file |"]
    lines.append("|---|---|---|---|---|---|")
    for name, specs in groups.items():
        rows, seconds = run(specs, options.to.split(","), name)
        lines += table(name, rows, seconds)
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out is not None:
        options.out.write_text(text)


def is_installed(name: str) -> bool:
    """Whether what a target needs is installed."""
    return all(find_spec(module) is not None for module in TARGETS[name].needs)


def members(space: Any, options: argparse.Namespace) -> list[ArchSpec]:
    """Random members: a walk of mutations from the seed; every other one with squeeze-and-excitation."""
    rows = []
    for index in range(options.count):
        rng, base = Random(index), space.seed(options.resolution)
        genome = space.start(base)
        for _ in range(MUTATIONS):
            genome = space.mutate(genome, rng)
        spec = to_spec(space.genes(genome, base), base, f"{space.name}-{index}").replace(resolution=options.resolution)
        rows.append(with_se(spec) if index % 2 else spec)
    return rows


def published(path: Path, *, se: bool) -> Iterator[ArchSpec]:
    """The networks of a file of published structure strings."""
    for row in json.loads(path.read_bytes()):
        spec = parse_plainnet(
            row["structure"], name=row["name"], resolution=row["resolution"], num_classes=row["num_classes"]
        )
        yield with_se(spec) if se else spec


def with_se(spec: ArchSpec) -> ArchSpec:
    """The network with squeeze-and-excitation in every residual unit."""
    data = spec.to_dict()
    blocks = [{**block, "se": SE} if block["op"] != "conv" else block for block in data["blocks"]]
    return parse_spec({**data, "blocks": blocks})


def run(specs: list[ArchSpec], targets: list[str], name: str) -> tuple[list[ExportedFile], float]:
    """Exports in chunks, each checked by one child process; plainnet only what it can express."""
    rows: list[ExportedFile] = []
    started = time.perf_counter()
    size = CHUNK if all(spec.resolution <= SMALL for spec in specs) else 1  # large ones fill the memory
    for begin in range(0, len(specs), size):
        chunk = specs[begin : begin + size]
        with tempfile.TemporaryDirectory() as folder:
            rest = [target for target in targets if target != "plainnet"]
            rows += export(chunk, rest, ExportOptions(f"{folder}/rest/", "seed"))
            plain = [spec for spec in chunk if is_plain(spec)]
            if "plainnet" in targets and plain:
                rows += export(plain, ["plainnet"], ExportOptions(f"{folder}/plain/"))
        print(f"{name}: {min(begin + size, len(specs))} of {len(specs)}", file=sys.stderr, flush=True)
    return rows, time.perf_counter() - started


def is_plain(spec: ArchSpec) -> bool:
    """Whether a structure string can express the network."""
    try:
        return bool(to_plainnet(spec))
    except SpecError:
        return False


def table(name: str, rows: list[ExportedFile], seconds: float) -> Iterator[str]:
    """A row for each kind of file."""
    for target in dict.fromkeys(row.target for row in rows):
        own = [row for row in rows if row.target == target]
        differences = [row.finding.difference for row in own if row.finding.difference is not None]
        worst = f"{max(differences):.1e}" if differences else own[0].finding.words
        batches = sorted({shape[0] for row in own for shape in row.finding.shapes})
        sides = max(len({shape[-1] for shape in row.finding.shapes}) for row in own)
        text = f"batch {', '.join(map(str, batches))}; {sides} side{'s' * (sides > 1)}" if differences else "-"
        yield f"| {name} | {target} | {len(own)} | {worst} | {text} | {seconds / len(rows):.1f} |"


if __name__ == "__main__":
    main()
