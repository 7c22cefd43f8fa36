"""SHA-256 of what commands write, one line each: to compare versions of Python, hash seeds, threads and machines.

`python benchmarks/same_bytes.py` prints the lines of this Python. It needs only what closed-form searches need; where
torch is installed, lines with measured scores follow, which promise the same bytes for one build of torch and one kind
of processor. Save and `diff` them, or let `python benchmarks/same_bytes.py --pythons PYTHON...` run this Python with
several hash seeds and threads, and the others once, and compare. `--only WORD` takes the lines with this word.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))  # so that a Python without zen can run it
VARIANTS = (("1", "1", True), ("2", "2", True), ("random", "2", False))  # of this Python: hash seed, threads, AVX-512
AVX512 = "X86_V4 AVX512_ICL AVX512_SPR"  # what NumPy from 2.4 on calls them
PACKAGES = ("numpy", "pydantic", "orjson", "torch")
TIMEOUT = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pythons", nargs="*", help="other interpreters to compare with this one")
    parser.add_argument("--only", default="", help="only commands with this word")
    parser.add_argument("--save", action="store_true", help="keep the table in RESULTS.md")
    given = parser.parse_args()
    if given.pythons is None:
        print(f"# {versions()}")
        failed = 0
        for line in digests(given.only):
            print(line, flush=True)
            failed += line.split()[1] != "0"
        sys.exit(f"{failed} commands failed" if failed else 0)
    compare(given.pythons, given.only)


def digests(only: str) -> Iterator[str]:
    """A line a command: digest, exit code, the command."""
    from same_bytes_cases import cases, prepare

    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder)
        prepare(inputs)
        for number, (files, words) in enumerate(cases(with_torch=find_spec("torch") is not None)):
            if only not in words:
                continue
            place = inputs / f"{number}"
            place.mkdir()
            out, code = run(words.split(), inputs, place)
            digest = hashlib.sha256(out)
            for file in sorted(place.glob(files)) if files else ():
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
            yield f"{digest.hexdigest()}  {code}  {words}"


def run(words: Sequence[str], inputs: Path, place: Path) -> tuple[bytes, int]:
    """What a command writes to stdout, and its exit code; `@NAME` is a prepared file."""
    command = [str(inputs / word[1:]) if word.startswith("@") else word for word in words]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "XDG_STATE_HOME": str(place / "state")}
    done = subprocess.run(
        [sys.executable, "-m", "zen_cli", *command],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT,
        check=False,
    )
    return done.stdout, done.returncode


def compare(pythons: Sequence[str], only: str) -> None:
    """Runs this Python in several ways and the others once, and publishes how many lines differ."""
    from report import publish, table

    runs = [(sys.executable, *variant) for variant in VARIANTS] + [(python, "3", "2", True) for python in pythons]
    rows, wanted = [], None
    differing: list[str] = []
    for python, hash_seed, threads, wide in runs:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": threads}
        environment |= {} if wide else {"NPY_DISABLE_CPU_FEATURES": AVX512, "ATEN_CPU_CAPABILITY": "avx2"}
        command = [python, __file__, "--only", only]
        text = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout
        head, *lines = text.splitlines()
        found = {words: digest for digest, _, words in (line.split("  ", 2) for line in lines)}
        wanted = wanted or found
        other = [words for words, digest in found.items() if wanted.get(words, digest) != digest]
        differing += other
        rows.append([head.removeprefix("# "), hash_seed, threads, "yes" if wide else "no", len(found), len(other)])
        print(*rows[-1], sep=", ", file=sys.stderr, flush=True)
    body = table(["Python", "hash seed", "threads", "AVX-512", "commands", "that differ"], rows)
    if differing:
        body += "\n\nDiffering: " + "; ".join(f"`{words}`" for words in dict.fromkeys(differing))
    publish("same_bytes", "Commands whose output is compared with that of the first row, byte by byte.", body)


def versions() -> str:
    """Versions of Python and of the packages that bytes could depend on."""
    rows = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            rows.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            rows.append(f"no {name}")
    return ", ".join(rows)


if __name__ == "__main__":
    main()
