"""Charts as Vega-Lite documents, by altair. To add one, add a function and its line in `CHARTS`.

A chart is `Any` here, because altair is an extra. It has its data by name, `networks`, `history` or `layers`, so that a
page holds each data set once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..errors import UsageError
from .labels import SIDES, sides_of
from .layers import LayerRow, layer_rows
from .subject import COSTS, Shown, Subject

# Colours of Okabe and Ito, which most colour-blind readers tell apart; shapes say the same.
GROUPS = {
    "population": ("#8a97a6", "circle", "population"),
    "network": ("#0072b2", "circle", "network"),
    "reference": ("#d55e00", "triangle-up", "for comparison"),
    "answer": ("#009e73", "diamond", "answer"),
}
BOUND_COLOR = "#b8508a"
WIDTH, HEIGHT = 460, 300
NAMED = ("reference", "network")  # the groups whose names are written beside their points
MOST_NAMES = 16  # so many of them at most
MARGIN, LETTERS = 44, 20  # pixels beside the points where names are written, and how much of a name is seen
_NEEDS = {"altair": "altair", "vl-convert-python": "vl_convert"}
PICKED = "picked"  # the signal of the charts of networks that holds the index of the network that is shown
Document: TypeAlias = dict[str, Any]


def require_altair() -> None:
    """Fails where the packages that draw are missing.

    Raises:
        UsageError: they are not installed.
    """
    from importlib.util import find_spec

    missing = [package for package, module in _NEEDS.items() if find_spec(module) is None]
    if missing:
        raise UsageError(f"report: needs {' and '.join(missing)}; install with: pip install 'zen-cli[report]'")


def charts(subject: Subject) -> dict[str, Document]:
    """The charts that there is something to show in, by name, without data."""
    return {name: _document(make(subject)) for name, (make, needs) in CHARTS.items() if needs(subject)}


def data_sets(subject: Subject) -> dict[str, list[dict[str, Any]]]:
    """The rows of all charts, by the name of the data set; `layers` is that of the first network."""
    return {
        "networks": [network_row(index, row) for index, row in enumerate(subject.shown)],
        "history": [dict(row) for row in subject.history],
        "layers": _first_rows(subject),
    }


def network_row(index: int, row: Shown) -> dict[str, Any]:
    """What the charts know of a network."""
    cost = row.network.cost
    costs = {name: getattr(cost, name) for name in COSTS}
    found = {"index": index, "label": row.label, "group": row.group, "value": row.value, **costs, "layers": cost.layers}
    search = None if row.record is None else row.record.search
    return found if search is None or not search.front or search.bound is None else {**found, "bound": search.bound}


def breakdown_rows(layers: Sequence[LayerRow]) -> list[dict[str, Any]]:
    """Those of a network's layers that have a share of the score."""
    rows = [layer for layer in layers if layer.log_sigma is not None]
    return [
        {"number": number, "layer": row.layer, "stage": row.stage, "conv": row.conv, "share": row.log_sigma}
        for number, row in enumerate(rows, start=1)
    ]


def _first_rows(subject: Subject) -> list[dict[str, Any]]:
    return breakdown_rows(layer_rows(subject.shown[0].network))


def _cost_chart(cost: str) -> Callable[[Subject], Any]:
    def make(subject: Subject) -> Any:
        import altair as alt

        used = {row.group for row in subject.shown}
        groups = [name for name in GROUPS if name in used]
        scale = alt.Scale(domain=groups, range=[GROUPS[name][0] for name in groups])
        shapes = alt.Scale(domain=groups, range=[GROUPS[name][1] for name in groups])
        words = {name: GROUPS[name][2] for name in groups}
        text = f"{words}[datum.label] || datum.label"
        legend = alt.Legend(title=None, orient="top", labelExpr=text)
        spread, margin = is_spread(cost, subject), MARGIN if has_names(subject) else 14
        x = alt.X(
            f"{cost}:Q",
            title=f"{COSTS[cost]}{' (log scale)' if spread else ''}",
            scale=alt.Scale(type="log", nice=False, padding=margin)
            if spread
            else alt.Scale(zero=False, nice=False, padding=margin),
            axis=alt.Axis(format="~s", tickCount=5),
        )
        points = (
            alt.Chart(alt.NamedData("networks"))
            .mark_point(filled=True, size=55, opacity=0.85, cursor="pointer")
            .encode(
                x=x,
                y=alt.Y("value:Q", title=subject.measure, scale=alt.Scale(zero=False, padding=10)),
                color=alt.Color("group:N", scale=scale, legend=legend),
                shape=alt.Shape("group:N", scale=shapes, legend=legend),
                size=alt.condition("datum.group == 'population'", alt.value(28), alt.value(95)),
                stroke=alt.condition("datum.index == picked", alt.value("#e6007a"), alt.value("#fff")),
                strokeWidth=alt.condition("datum.index == picked", alt.value(2.5), alt.value(0.4)),
                order=alt.Order("group:N", sort="descending"),
                tooltip=[
                    alt.Tooltip("label:N", title="network"),
                    alt.Tooltip("value:Q", title=subject.measure, format=".2f"),
                    *(alt.Tooltip(f"{name}:Q", title=title, format=".3s") for name, title in COSTS.items()),
                    alt.Tooltip("layers:Q", title="layers"),
                ],
            )
        )
        marks = [*_name_parts(cost, subject), *_limit_parts(cost, subject), *_bound_parts(cost, subject)]
        parts: list[Any] = [points, *marks]
        return alt.layer(*parts).add_params(alt.param(name=PICKED, value=-1))

    return make


def _name_parts(cost: str, subject: Subject) -> list[Any]:
    """The names of the networks that somebody named or published, where they are few."""
    import altair as alt

    if not has_names(subject):
        return []
    points = [(getattr(row.network.cost, cost), row.value) for row in subject.shown]
    names = {index: row.label[:LETTERS] for index, row in enumerate(subject.shown) if row.group in NAMED}
    parts = []
    for name, places in sides_of(points, names, is_log=is_spread(cost, subject), margin=MARGIN).items():
        if places:
            side, data = SIDES[name], alt.Chart(alt.NamedData("networks"))
            mark = data.transform_filter(f"indexof({places}, datum.index) >= 0").mark_text(
                align=side.align, dx=side.dx, dy=side.dy, baseline="middle", fontSize=10, limit=110
            )
            parts.append(mark.encode(x=f"{cost}:Q", y="value:Q", text="label:N"))
    return parts


def is_spread(cost: str, subject: Subject) -> bool:
    """Whether the costs differ so much that their scale is logarithmic."""
    values = [getattr(row.network.cost, cost) for row in subject.shown]
    return bool(max(values) > 20 * max(1, min(values)))


def has_names(subject: Subject) -> bool:
    """Whether there are networks whose names are written beside their points."""
    return 0 < sum(row.group in NAMED for row in subject.shown) <= MOST_NAMES


def _limit_parts(cost: str, subject: Subject) -> list[Any]:
    import altair as alt

    if cost not in subject.limits:
        return []
    data = alt.InlineData(values=[{"limit": subject.limits[cost], "text": "limit"}])
    rule = alt.Chart(data).mark_rule(strokeDash=[5, 4], color="#8a97a6").encode(x="limit:Q")
    mark = alt.Chart(data).mark_text(align="right", dx=-5, dy=-6, baseline="bottom", angle=0, color="#5b6b7b")
    return [rule, mark.encode(x="limit:Q", y=alt.value(HEIGHT), text="text:N")]


def _bound_parts(cost: str, subject: Subject) -> list[Any]:
    """The proven bound as a line; of a front, whose networks have bounds of their own, as a tick over each network."""
    import altair as alt

    searches = [row.record.search for row in subject.shown if row.record is not None and row.record.search is not None]
    if any(search.front is not None and cost in search.front for search in searches):
        data = alt.Chart(alt.NamedData("networks")).transform_filter("isValid(datum.bound)")
        tip = [alt.Tooltip("label:N", title="network"), alt.Tooltip("bound:Q", title="proven bound", format=".2f")]
        tick = data.mark_tick(orient="horizontal", size=18, thickness=2, color=BOUND_COLOR)
        return [tick.encode(x=f"{cost}:Q", y="bound:Q", tooltip=tip)]
    if subject.bound is None:
        return []
    data = alt.InlineData(values=[{"bound": subject.bound, "text": "proven bound"}])
    rule = alt.Chart(data).mark_rule(strokeDash=[2, 3], color=BOUND_COLOR, strokeWidth=1.6).encode(y="bound:Q")
    mark = alt.Chart(data).mark_text(align="left", dx=5, dy=-5, baseline="bottom", color=BOUND_COLOR)
    return [rule, mark.encode(y="bound:Q", x=alt.value(0), text="text:N")]


def _history_chart(subject: Subject) -> Any:
    import altair as alt

    has_median = any("median" in row for row in subject.history)
    names = {"best": ("#009e73", "best so far"), "median": ("#8a97a6", "median of the population")}
    x = alt.X("evaluations:Q", title="evaluations", axis=alt.Axis(format="~s", tickCount=5))
    lines = []
    for name, (color, title) in names.items():
        if name == "median" and not has_median:
            continue
        line = alt.Chart(alt.NamedData("history")).mark_line(color=color, strokeWidth=2)
        y = alt.Y(f"{name}:Q", title=subject.measure, scale=alt.Scale(zero=False))
        tip = [alt.Tooltip("evaluations:Q", format=","), alt.Tooltip(f"{name}:Q", title=title, format=".2f")]
        lines.append(line.encode(x=x, y=y, tooltip=tip, color=alt.datum(title)))
    domain = [title for name, (_, title) in names.items() if name != "median" or has_median]
    colors = [color for name, (color, _) in names.items() if name != "median" or has_median]
    scale = alt.Scale(domain=domain, range=colors)
    legend = alt.Color(scale=scale, legend=alt.Legend(title=None, orient="top"))
    return alt.layer(*lines).encode(color=legend)


def _breakdown_chart(subject: Subject) -> Any:
    import altair as alt

    stages = list(dict.fromkeys(row["stage"] for row in _first_rows(subject)))
    return (
        alt.Chart(alt.NamedData("layers"))
        .mark_bar()
        .encode(
            x=alt.X(
                "number:O", title="layer of the chain", axis=alt.Axis(labelAngle=0, labelOverlap=True, ticks=False)
            ),
            y=alt.Y("share:Q", title="share of the score, log σ (nats)"),
            color=alt.Color(
                "stage:N",
                sort=stages,
                scale=alt.Scale(scheme="tableau10"),
                legend=alt.Legend(title=None, orient="top", columns=4),
            ),
            tooltip=[
                alt.Tooltip("layer:N"),
                alt.Tooltip("conv:N"),
                alt.Tooltip("share:Q", title="log σ (nats)", format=".3f"),
            ],
        )
    )


def _document(chart: Any) -> Document:
    """A chart as a document that has the width of what it is in."""
    chart = chart.properties(width="container", height=HEIGHT).configure_view(stroke=None)
    chart = chart.configure_axis(labelFontSize=11, titleFontSize=12, titleFontWeight="normal", gridOpacity=0.5)
    document: Document = chart.to_dict(validate=True, context={"data_transformers": []})
    return {**document, "background": "transparent", "autosize": {"type": "fit-x", "contains": "padding"}}


def drawn(document: Document, data: Mapping[str, Sequence[Mapping[str, Any]]], kind: str) -> bytes:
    """A chart as a file of its own, `svg` or `png`, on white."""
    import vl_convert

    whole = {**document, "datasets": {**document.get("datasets", {}), **data}, "width": WIDTH, "background": "white"}
    del whole["autosize"]
    if kind == "svg":
        return str(vl_convert.vegalite_to_svg(whole)).encode()
    return bytes(vl_convert.vegalite_to_png(whole, scale=2))


CHARTS: dict[str, tuple[Callable[[Subject], Any], Callable[[Subject], bool]]] = {
    **{cost: (_cost_chart(cost), lambda subject: len(subject.shown) > 1) for cost in COSTS},
    "history": (_history_chart, lambda subject: len(subject.history) > 1),
    "breakdown": (_breakdown_chart, lambda subject: bool(_first_rows(subject))),
}
