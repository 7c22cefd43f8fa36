"""What an exported file says about its network: cost, score, where it came from, as lines that are safe to embed."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..net.layers import side_text
from ..net.spec import ArchSpec
from ..version import zen_version

_LONGEST = 200
_TITLE = 60


class Fact(NamedTuple):
    """A label and its text, both without quotes, backslashes and control characters."""

    label: str
    text: str


def tool() -> str:
    """The name and version of this program."""
    return f"zen {zen_version()}"


def facts(spec: ArchSpec, record: dict[str, Any] | None) -> list[Fact]:
    """Cost, score and search of a network, the latter two where its record tells them."""
    total = spec.cost
    rows = [
        Fact("id", spec.id),
        Fact("parameters", f"{total.params:,}"),
        Fact("MACs", f"{total.macs:,} for one image of {side_text(spec.resolution)}"),
        Fact("activations", f"{total.activations:,}"),
        Fact("layers", f"{total.layers} convolutions in the chain"),
    ]
    record = record or {}
    zen, search = record.get("zen"), record.get("search")
    if isinstance(zen, dict) and isinstance(zen.get("value"), (int, float)):
        rows.append(Fact("Zen-score", score_text(zen)))
    if isinstance(search, dict):
        rows.append(Fact("search", search_text(search)))
    return [Fact(row.label, safe(row.text)) for row in rows]


def score_text(zen: dict[str, Any]) -> str:
    """`193.10 +- 0.40 nats (monte-carlo, paper convention, ...)`."""
    error = zen.get("std_error")
    text = f"{zen['value']:.2f}" + (f" +- {error:.2f}" if isinstance(error, (int, float)) else "") + " nats"
    details = [str(zen["estimator"])] if zen.get("estimator") else []
    details += [f"{zen[key]} {key}" for key in ("convention", "norm") if zen.get(key)]
    details += [f"alpha {zen['alpha']}"] if zen.get("alpha") else []
    if zen.get("draws"):
        details.append(f"{zen['draws']} draws of {zen.get('batch_size')} images, seed {zen.get('seed')}")
    return f"{text} ({', '.join(details)})" if details else text


def search_text(search: dict[str, Any]) -> str:
    """`space resnet, evolution, 480,000 evaluations, seed 0, limits params 1000000`."""
    parts = [f"space {search['space']}"] if search.get("space") else []
    parts += [str(search["algorithm"])] if search.get("algorithm") else []
    if isinstance(search.get("evaluations"), int):
        parts.append(f"{search['evaluations']:,} evaluations")
    parts += [f"seed {search['seed']}"] if search.get("seed") is not None else []
    for name in ("limits", "budget"):
        rows = search.get(name)
        if isinstance(rows, dict) and rows:
            parts.append(f"{name} {', '.join(f'{key} {_number(value)}' for key, value in rows.items())}")
    for key in ("bound", "gap"):
        parts += [f"{key} {search[key]:g}"] if isinstance(search.get(key), (int, float)) else []
    return ", ".join(parts) or "no details"


def title(spec: ArchSpec) -> str:
    """What people call the network: its name, or its id."""
    return safe(spec.name or "")[:_TITLE].strip() or f"network {spec.id}"


def safe(text: str) -> str:
    """A text that cannot end a string or comment that it is in: printable ASCII without quotes, braces, backslashes.

    A file must not run what a record says.
    """
    kept = "".join(char if char.isascii() and char.isprintable() and char not in "\\\"'`{}<>" else "_" for char in text)
    return kept.strip()[:_LONGEST]


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
