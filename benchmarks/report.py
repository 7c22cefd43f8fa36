"""What every benchmark here shares: who measured, on what, and where the numbers are kept.

A benchmark ends with `publish(...)`, which prints its section; with `--save` the section also replaces the one of the
same name in RESULTS.md.
"""

from __future__ import annotations

import datetime
import os
import platform
import random
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from zen_cli import ArchSpec, parse_spec

RESULTS = Path(__file__).parent / "RESULTS.md"
FACTS = Path(os.environ.get("ZEN_FACTS", "facts"))  # a folder with tables of networks and their accuracies


def publish(name: str, claim: str, body: str) -> None:
    """Prints a section: what was measured, on what, by which command; keeps it under `--save`.

    Args:
        name: of the script, without `.py`.
        claim: the sentence that the numbers are about.
        body: Markdown.
    """
    command = " ".join(["python", f"benchmarks/{name}.py", *(word for word in sys.argv[1:] if word != "--save")])
    text = f"## {name}\n\n{claim}\n\n{body.strip()}\n\n`{command}`, {machine()}\n"
    print(text)
    if "--save" not in sys.argv:
        return
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Results\n"
    found = re.search(rf"^## {re.escape(name)}\n.*?(?=^## |\Z)", old, re.DOTALL | re.MULTILINE)
    new = f"{old.rstrip()}\n\n{text}" if found is None else old[: found.start()] + text + "\n" + old[found.end() :]
    RESULTS.write_text(new.rstrip() + "\n", encoding="utf-8")


def machine() -> str:
    """Date, processor, cores and versions."""
    model = platform.processor() or platform.machine()
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
        model = found[1].strip() if found else model
    except OSError:
        pass
    date = datetime.datetime.now(datetime.timezone.utc).date()
    python = platform.python_version()
    return f"{date}, {model}, {os.cpu_count()} cores, Python {python}, torch {version('torch')}."


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is left-aligned."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def random_spec(rng: random.Random, op: str, resolution: int = 32) -> ArchSpec:
    """A network of published shape: a stem, blocks of one kind of unit, a 1x1 convolution as head."""
    blocks: list[dict[str, object]] = [{"op": "conv", "width": 8 * rng.randint(2, 8)}]
    for index in range(rng.randint(3, 6)):
        width, pairs = 8 * rng.randint(4, 16), rng.randint(1, 3)
        block: dict[str, object] = {"op": op, "kernel": rng.choice([3, 5, 7]), "width": width, "depth": 2 * pairs}
        block["stride"] = 2 if index in (1, 2, 4) else 1
        if op == "mbconv":
            block["expansion"] = rng.choice([1, 2, 4])
        else:
            block["mid_width"] = 8 * rng.randint(2, 12)
        blocks.append(block)
    blocks.append({"op": "conv", "kernel": 1, "width": 512})
    return parse_spec({"resolution": resolution, "num_classes": 10, "blocks": blocks})
