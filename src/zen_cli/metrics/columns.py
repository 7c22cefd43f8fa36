"""The columns of a flat record: what `row()` holds, a table shows, CSV writes and `--sort` takes, in one table.

To add a column, add its line to `COLUMNS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, KeysView, Mapping
from itertools import chain
from typing import Any, Literal, NamedTuple, TypeAlias

from ..errors import UsageError, nearest
from ..net.layers import Pair, mean_side, side_key

Scalar: TypeAlias = str | int | float | None
Kind: TypeAlias = Literal["text", "words", "integer", "count", "bytes", "nats", "real", "share"]
Direction: TypeAlias = Literal["higher", "lower"]


class Column(NamedTuple):
    """One value of a record.

    `path` leads to it through attributes and keys; `title` heads it in tables; `kind` is how it is written there
    (`words` may be broken at spaces, `text` never); `better` says which end of an order is its beginning.
    """

    name: str
    path: tuple[str, ...]
    title: str
    kind: Kind = "text"
    better: Direction = "lower"

    def of(self, record: Any) -> Scalar:
        """The value in a record, None where the record has no such part; a pair, as of sides, as 432x768."""
        value = self._find(record)
        return side_key(value) if isinstance(value, tuple) else value

    def rank(self, record: Any) -> Scalar:
        """The value to order records by: of a pair of sides that of the square of the same area."""
        value = self._find(record)
        return mean_side(value) if isinstance(value, tuple) else value

    def _find(self, record: Any) -> Scalar | Pair:
        value = record
        for step in self.path:
            value = value.get(step) if isinstance(value, dict) else getattr(value, step, None)
            if value is None:
                return None
        return value  # type: ignore[no-any-return]  # a path ends at a scalar or a pair of sides


def _column(path: str, title: str = "", kind: Kind = "text", *, name: str = "", better: Direction = "lower") -> Column:
    steps = tuple(path.split("."))
    return Column(name or steps[-1], steps, title or steps[-1].replace("_", " "), kind, better)


_NETWORK = (
    _column("name", "network"),
    _column("id"),
    _column("zen.value", "zen (nats)", "nats", name="zen", better="higher"),
    _column("zen.std_error", "± s.e.", "nats"),
    _column("cost.params", kind="count"),
    _column("cost.macs", "MACs", "count"),
    _column("cost.activations", "acts", "count"),
    _column("cost.layers", kind="integer"),
    _column("cost.sublayers", kind="integer"),
    _column("cost.weights", kind="bytes"),
    _column("cost.memory", kind="bytes"),
    _column("cost.dtype"),
    _column("arch.resolution", "input", "integer"),
    _column("arch.num_classes", "classes", "integer"),
    _column("zen.estimator"),
    _column("zen.convention"),
    _column("zen.norm"),
    _column("zen.alpha", kind="real"),
    _column("zen.batch_size", "images", "integer"),
    _column("zen.draws", kind="integer"),
    _column("zen.seed", kind="integer"),
    _column("zen.device"),
    _column("zen.precision_mode", "precision"),
    _column("structure", kind="words"),
)
_SEARCH = (
    _column("search.space"),
    _column("search.algorithm"),
    _column("search.estimator", "searched by", name="search_estimator"),
    _column("search.proxy", "searched by", name="search_proxy"),
    _column("search.score", "search score", "real", name="search_score", better="higher"),
    _column("search.bound", kind="nats"),
    _column("search.gap", kind="share"),
    _column("search.latency.predicted_ms", "predicted (ms)", "real"),
    _column("search.latency.measured_ms", "measured (ms)", "real"),
    _column("search.latency.spread", "± of ms", "share"),
    _column("search.seed", "search seed", "integer", name="search_seed"),
    _column("search.evaluations", kind="integer"),
    _column("search.stopped", "ended by"),
    _column("search.role"),
)
COLUMNS: dict[str, Column] = {column.name: column for column in (*_NETWORK, *_SEARCH)}


def columns_of(proxies: Iterable[tuple[str, Direction]] = (), *, search: bool = False) -> dict[str, Column]:
    """The columns of records by name.

    Args:
        proxies: (name, direction) of the other zero-shot scores in the records.
        search: whether a search made the records.
    """
    rows = [*_NETWORK, *(_SEARCH if search else ()), *chain.from_iterable(proxy_columns(proxies))]
    return {row.name: row for row in rows}


def proxy_columns(proxies: Iterable[tuple[str, Direction]]) -> Iterator[tuple[Column, Column]]:
    """The column of each proxy, and that of its standard error.

    It has the proxy's name, with `proxy_` before it where another column has that name.
    """
    for proxy, better in proxies:
        name = f"proxy_{proxy}" if proxy in COLUMNS else proxy
        arrow = "↑" if better == "higher" else "↓"
        yield (
            Column(name, ("proxies", proxy, "value"), f"{proxy} {arrow}", "real", better),
            Column(f"{name}_std_error", ("proxies", proxy, "std_error"), "± s.e.", "real"),
        )


def find_column(name: str, known: Mapping[str, Column], where: str) -> Column:
    """The column of a name.

    Raises:
        UsageError: there is none; `where` is the field that named it.
    """
    if name not in known:
        raise UsageError(f"{where}: unknown column {name!r}; {nearest(name, known)}")
    return known[name]


@Mapping.register
class FlatRow(ABC):
    """What has a flat row is a mapping of its columns, so that `pandas.DataFrame(records)` has them."""

    @abstractmethod
    def row(self) -> dict[str, Scalar]:
        """The values by column."""

    def __getitem__(self, name: str) -> Scalar:
        return self.row()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.row())

    def __len__(self) -> int:
        return len(self.row())

    def keys(self) -> KeysView[str]:
        """The columns."""
        return self.row().keys()
