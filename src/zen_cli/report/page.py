"""A page about a search or about networks: one file that needs nothing else and sends nothing anywhere.

The charts are drawn by Vega, which is in the file. All that is shown of a network (drawing, stages, layers, commands)
is one compressed block of JSON. What a record says is text everywhere: escaped in HTML, set as text by the script,
and a policy in the file allows no script but those that were put there.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from html import escape
from importlib.resources import files
from typing import Any

import orjson

from ..exporters.source import ExportSource
from ..exporters.svg import draw
from .charts import GROUPS, charts, data_sets, network_row
from .details import details
from .subject import COSTS, Shown, Subject

WORTH = (
    "What the score is worth: no score's pick beats a good hand-made network of the same cost. What a search gives is "
    "a network that is as good, for a limit for which nobody has drawn one."
)
WORTH_SOURCE = "docs/evidence.md of zen-cli, on tables of trained networks"
CAPTIONS = {
    "macs": "Score against multiply-adds. Click a point to see its network.",
    "params": "Score against parameters.",
    "activations": "Score against activations.",
    "history": "How the search went.",
}
BOUNDS = " A tick or a dotted line is a proven bound on the networks of the space that was searched."
FIRST_ROWS = 60


def page(subject: Subject) -> bytes:
    """The page as the bytes of an HTML file."""
    data = data_sets(subject)
    del data["layers"]
    documents = charts(subject)
    parts = Parts()
    networks = [_network(row, parts) for row in subject.shown]
    payload = {
        "networks": networks,
        "parts": [orjson.Fragment(part) for part in parts],
        "charts": documents,
        "data": data,
    }
    packed = base64.b64encode(gzip.compress(orjson.dumps(payload), mtime=0)).decode()
    scripts = [_library(), _resource("page.js")]
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    values = {
        "policy": f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:",
        "title": escape(subject.title),
        "style": _resource("page.css"),
        "problem": escape(subject.problem),
        "figures": "\n".join(_figures(subject, documents)),
        "rows": "\n".join(_rows(subject)),
        "measure": escape(subject.measure),
        "more": _more(len(subject.shown)),
        "worth": escape(WORTH),
        "source": escape(WORTH_SOURCE),
        "provenance": "\n".join(f"<li>{escape(line)}</li>" for line in subject.provenance),
        "packed": packed,
        "library": scripts[0],
        "script": scripts[1],
    }
    return _fill(_resource("page.html"), values).encode()


class Parts(dict[bytes, int]):
    """Lines of drawings and rows of tables, each kept once, because most networks of a search share most of them.

    Iterating gives them in the order of their numbers, as JSON.
    """

    def numbers(self, values: Iterable[Any]) -> list[int]:
        """The numbers of values that JSON can hold; a new value gets the next number."""
        return [self.setdefault(orjson.dumps(value), len(self)) for value in values]


def _network(row: Shown, parts: Parts) -> dict[str, Any]:
    """All that is shown of a network when it is chosen; its drawing, stages and layers as numbers of parts."""
    spec = row.network.spec
    record = None if row.record is None else row.record.to_dict()
    drawing = [] if spec is None else draw(ExportSource(spec, record))
    shown = {**details(row), "drawing": drawing}
    return {**shown, **{name: parts.numbers(shown[name]) for name in ("drawing", "stages", "layers")}}


def _figures(subject: Subject, documents: Mapping[str, Any]) -> Iterator[str]:
    has_bounds = subject.bound is not None or any("bound" in network_row(0, row) for row in subject.shown)
    for name, caption in CAPTIONS.items():
        if name in documents:
            caption += BOUNDS if has_bounds and name in COSTS else ""
            yield f'<figure><div class="chart" id="chart-{name}"></div><figcaption>{caption}</figcaption></figure>'


def _rows(subject: Subject) -> Iterator[str]:
    """The table of networks, so that a reader without scripts or without a mouse has it too."""
    for index, row in enumerate(subject.shown):
        cost = row.network.cost
        hidden = " hidden" if index >= FIRST_ROWS else ""
        cells = (f"{row.value:.2f}", f"{cost.params:,}", f"{cost.macs:,}", f"{cost.layers}")
        button = f'<button type="button" data-index="{index}">{escape(row.label)}</button>'
        numbers = "".join(f"<td>{cell}</td>" for cell in cells)
        yield f'<tr{hidden}><th scope="row">{button}</th><td class="group">{GROUPS[row.group][2]}</td>{numbers}</tr>'


def _more(count: int) -> str:
    return f'<button type="button" id="more">Show all {count:,} networks</button>' if count > FIRST_ROWS else ""


def _resource(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script; making it takes seconds."""
    import vl_convert

    return _as_script(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def _as_script(source: str) -> str:
    """JavaScript that no word of it ends: HTML reads a script up to the first end tag, wherever it is."""
    return re.sub(r"<(?=/script|!--|script)", r"\\x3c", source, flags=re.IGNORECASE)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _fill(template: str, values: Mapping[str, str]) -> str:
    """A template with `{{name}}` replaced, each once; what is put in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)
