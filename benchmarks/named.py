"""Every network that zen knows by name against the library that has it: parameters, MACs, and logits.

`python benchmarks/named.py --save`; needs `zen-cli[timm]`. Nothing is downloaded: weights are random, the same in both.
Words choose networks whose names begin with them, and `--most 60M` leaves out those with more parameters.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from library_weights import logits_of_both, model_of
from report import publish, table

from zen_cli.networks import FAMILIES
from zen_cli.trace.modules import network_of_module, without_memory
from zen_cli.units import parse_count

SIDE = 224


class Row(NamedTuple):
    """A family: its networks, how many have the same counts, and the largest difference of logits and whose it is."""

    family: str
    names: int
    equal: int
    compared: int
    worst: float
    network: str


def libraries() -> dict[str, str]:
    """The library of each name; that of torchvision first."""
    import timm
    from torchvision import models

    return {**dict.fromkeys(timm.list_models(), "timm"), **dict.fromkeys(models.list_models(), "torchvision")}


def measure(words: list[str], most: int) -> list[Row]:
    """A row for each family."""
    known, rows = libraries(), []
    for family in FAMILIES:
        names = equal = compared = 0
        worst, network = 0.0, ""
        for row in family():
            for name in (row.name, *row.aliases):
                if name not in known or not (not words or name.startswith(tuple(words))):
                    continue
                names += 1
                with without_memory():
                    traced = network_of_module(model_of(known[name], name), (3, SIDE, SIDE), source=name)
                cost = row.spec.replace(resolution=SIDE).cost
                equal += (traced.cost.params, traced.cost.macs) == (cost.params, cost.macs)
                if cost.params > most:
                    continue
                compared += 1
                expected, logits = logits_of_both(known[name], name)
                difference = float((logits - expected).abs().max() / expected.abs().max())
                if difference >= worst:
                    worst, network = difference, name
                print(f"{name}: {difference:.1e}", file=sys.stderr, flush=True)
        rows.append(Row(family.__name__, names, equal, compared, worst, network))
    return [row for row in rows if row.names]


def main() -> None:
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    most = 10**10
    if "--most" in sys.argv:
        text = sys.argv[sys.argv.index("--most") + 1]
        most = parse_count(text, "most")
        words.remove(text)
    rows = measure(words, most)
    lines = [[*row[:4], f"{row.worst:.0e}", row.network] for row in rows]
    head = ["family", "names in a library", "parameters and MACs equal", "logits compared", "largest difference", "of"]
    claim = (
        f"{sum(row.names for row in rows)} names of torchvision and timm: parameters and MACs at {SIDE} x {SIDE}, and "
        "the largest difference of logits, over the largest logit, with the same random weights."
    )
    publish("named", claim, table(head, lines))
    if any(row.equal < row.names or row.worst > 1e-5 for row in rows):
        sys.exit("a network differs")


if __name__ == "__main__":
    main()
