"""Whether `zen search --budget 5s` keeps its time: every estimator, metric and algorithm, and the first Ctrl-C.

A search may go on for a tenth of its budget and one network. What it does after its budget, what one network takes, and
what is done after Ctrl-C are counted in processor seconds, so that other programs on the machine do not matter; the
time on the clock is shown as well. Each search runs in a process of its own with everything imported; one network is
the best one found by it or by the search that Ctrl-C ended, measured once more. The verification may take its first
look at the race, which is `--draws` draws of each finalist. `--only=WORD` takes the cases with this word, `--seconds N`
another budget.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from zen_cli.metrics.registry import BUILT_IN, limitable

SECONDS = 5
SHARE = 0.1  # of the budget, that a search may take more
SPACES = ("--space mobile", "--space resnet", "--space regnet")
LATEST = 900  # seconds until a search is ended by force
QUIET = ["--no-keep", "--quiet", "--format", "jsonl"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only cases with this word")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="the budget")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--found", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--save", action="store_true", help="keep the table in RESULTS.md")
    given = parser.parse_args()
    if given.child:
        child(given.seconds, given.child.split(), given.found)
        return
    from report import publish, table

    rows, late = [], []
    for case in cases():
        if given.only not in case:
            continue
        row = measured(case, given.seconds)
        rows.append(row)
        late += [case] if "late" in row else []
        print(*row, sep=" | ", file=sys.stderr, flush=True)
    publish(
        "budgets",
        f"Searches with `--budget {given.seconds}s`. Late is one that takes more than {SHARE * given.seconds:g} s of "
        f"processor time and one network, after its budget or after Ctrl-C: {len(late)} of {len(rows)}.",
        table(["search", "on the clock", "after the budget", "answer", "after Ctrl-C", "one network", "verdict"], rows),
    )


def cases() -> list[str]:
    """Options of `zen search`: every algorithm, estimator and metric, and what is verified."""
    found = [f"{space} --algorithm {name}" for space in SPACES for name in ("auto", "evolution", "exact")]
    found += ["--preset imagenet-400m --front macs", "--preset imagenet-400m --front macs --algorithm exact"]
    found += [f"{space} --estimator monte-carlo" for space in SPACES]
    found += [f"--space resnet --proxy {name}" for name in BUILT_IN if name not in limitable()]
    found += [f"--space mobile --proxy {name}" for name in BUILT_IN if name not in ("zen", "latency")]
    return found + [f"{space} --verify 8" for space in SPACES]


def measured(case: str, seconds: int) -> list[str]:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        stop = after_interrupt(case, seconds, Path(folder))
        command = [sys.executable, __file__, "--seconds", str(seconds), f"--child={case}", "--found", f"{folder}/run"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=LATEST, check=False)
        except subprocess.TimeoutExpired:
            return [f"`{case}`", f"over {LATEST} s", *[""] * 4, "late"]
    if done.returncode:
        last = done.stderr.decode().strip().splitlines()[-1:]
        return [f"`{case}`", *[""] * 5, " ".join(["refused:", *last])[:100]]
    row = json.loads(done.stdout.splitlines()[-1])
    allowed = SHARE * seconds + row["one"]
    kept = row["after"] <= allowed and stop <= allowed and row["answer"] <= allowed + row["look"]
    columns = row["search"], row["after"], row["answer"], stop, row["one"]
    return [f"`{case}`", *(f"{value:.2f} s" for value in columns), "kept" if kept else "late"]


def child(seconds: int, words: list[str], found: Path) -> None:
    """Runs a search as the command does, and prints what its parts took; `found` is the run that Ctrl-C ended."""
    import torch  # so that the search does not wait for it

    from zen_cli import load_all
    from zen_cli.cli import main as zen
    from zen_cli.metrics import find
    from zen_cli.metrics.scoring import score_all
    from zen_cli.nas import answer
    from zen_cli.nas.settings import SearchSettings

    torch.zeros(1)
    before, kept = answer.search, list[Any]()
    spent = Spent()

    def search(settings: SearchSettings, *given: Any, **more: Any) -> Any:
        spent.begin(seconds)
        outcome = before(settings, *given, **more)
        spent.end()
        kept[:] = settings, outcome
        return outcome

    answer.search = search
    verify = [] if "--verify" in words else ["--verify", "0"]
    sys.argv = ["zen", "search", *words, *verify, "--budget", f"{seconds}s", *QUIET]
    try:
        zen()
    except SystemExit as error:
        if error.code:
            raise
    took = {"search": spent.clock, "after": spent.after, "answer": time.process_time() - spent.ended, "look": 0.0}
    settings, outcome = kept
    specs, score = [candidate.spec for candidate in outcome.candidates], settings.score
    interrupted = load_all(found / "results.jsonl")[:1] if (found / "results.jsonl").exists() else []
    took["one"] = 0.0
    for spec in (*specs[:1], *interrupted):
        began = time.process_time()
        list(find(settings.proxy or "zen").evaluate_all([spec], score))
        took["one"] = max(took["one"], time.process_time() - began)
    if settings.verify:
        began = time.process_time()
        list(score_all(specs[: settings.verify], score.model_copy(update={"estimator": "monte-carlo"})))
        took["look"] = time.process_time() - began
    print(json.dumps(took))


class Spent:
    """What a search takes: seconds on the clock, and of processor time after its budget."""

    clock = after = ended = 0.0

    def begin(self, budget: float) -> None:
        self._began, self._at_budget = time.monotonic(), list[float]()
        self._timer = threading.Timer(budget, lambda: self._at_budget.append(time.process_time()))
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        self._timer.cancel()
        self.clock, self.ended = time.monotonic() - self._began, time.process_time()
        self.after = self.ended - min(self._at_budget, default=self.ended)


def after_interrupt(case: str, seconds: int, folder: Path) -> float:
    """Processor seconds from the first Ctrl-C to the end of a search that has used twice its budget of them.

    The search is kept in `folder`/run.
    """
    words = [*case.split(), "--budget", "1h", "--out", "run", "--quiet"]
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(
            [sys.executable, "-m", "zen_cli", "search", *words], cwd=folder, stdout=nowhere, stderr=nowhere
        )
    while process.poll() is None and not (folder / "run" / "settings.json").exists():
        time.sleep(0.05)
    begun = processor_seconds(process.pid)
    while (before := processor_seconds(process.pid)) - begun < 2 * seconds:  # it also imports what it needs
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, _, usage = os.wait4(process.pid, 0)
    return max(0.0, usage.ru_utime + usage.ru_stime - before)


def processor_seconds(number: int) -> float:
    """What a process has used until now."""
    fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
