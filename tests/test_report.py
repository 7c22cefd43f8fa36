"""The page: one file that works offline, in which names are text; its charts, as files of their own too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from browser import Browser, browser
from cli import Zen
from cli_here import ZenHere

from zen_cli.nas.population import view_run
from zen_cli.nas.space import load_space, to_spec
from zen_cli.net.spec import parse_spec
from zen_cli.networks import find
from zen_cli.report.page import page
from zen_cli.report.subject import Shown, Subject, subject_of

pytest.importorskip("altair", reason="altair draws the charts: pip install 'zen-cli[report]'")
pytest.importorskip("vl_convert", reason="vl-convert-python holds Vega: pip install 'zen-cli[report]'")

EVIL = "</script><img src=x onerror='document.title=1'>\"&amp;"
SEARCH = ("search", "--preset", "cifar-1m", "--budget", "3kevals", "--verify", "0", "--population", "64", "--gap", "5%")
BLOCKS = [{"op": "conv", "width": 16, "stride": 2}, {"op": "conv", "width": 64, "kernel": 1}]


@dataclass
class Made:
    """A run, the page of it, and the names on it."""

    run: Path
    page: Path
    best: dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("report")
    answer = Zen(folder)(*SEARCH, "--out", "run", "--bound")
    assert answer.code == 0, answer.err
    evil = parse_spec({"name": EVIL, "resolution": 32, "num_classes": 100, "blocks": BLOCKS})
    file = folder / "report.html"
    file.write_bytes(page(subject_of(view_run(folder / "run"), [(evil, None, "")])))
    return Made(folder / "run", file, answer.rows[0])


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


def test_the_page_says_what_was_searched_and_by_whom(made: Made) -> None:
    text = made.page.read_text(encoding="utf-8")
    for words in ("zennet-resnet", "parameters at most 1.05M", "MACs at most 160M", "auto", made.best["name"]):
        assert words in text
    assert "docs/evidence.md" in text
    assert made.page.stat().st_size < 1.5e6


def test_a_name_with_markup_is_text_in_the_file(made: Made) -> None:
    text = made.page.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "&lt;/script&gt;&lt;img src=x" in text
    assert len(re.findall("</script", text)) == 3


def test_the_file_asks_for_nothing_elsewhere(made: Made) -> None:
    head = made.page.read_text(encoding="utf-8").partition("<style>")[0]
    assert "default-src 'none'" in head
    assert "unsafe-inline" not in re.search(r"script-src [^;]*", head)[0]  # type: ignore[index]
    body = re.sub(r"<script.*?</script>", "", made.page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)=["']?https?:""", body)


def test_the_command_makes_the_same_page(made: Made, zen_here: ZenHere) -> None:
    done = zen_here("report", str(made.run), "-o", "page.html")
    assert (done.code, done.out) == (0, "")
    assert Path("page.html").read_bytes() == page(subject_of(view_run(made.run), [], references=True))


def test_published_networks_of_about_the_same_cost_are_on_the_page_unless_they_are_unwanted(zen_here: ZenHere) -> None:
    spec = find("mobilenet_v2").spec
    shown = subject_of(None, [(spec, None, "mobilenet_v2")], references=True).shown
    assert [row.group for row in shown] == ["network", *["reference"] * 4]
    assert all(row.top1 and row.word == row.label != "mobilenet_v2" for row in shown[1:])
    assert zen_here("report", "mobilenet_v2", "-o", "with.html").code == 0
    assert zen_here("report", "mobilenet_v2", "--no-references", "-o", "without.html").code == 0
    assert [shown[1].label in Path(name).read_text(encoding="utf-8") for name in ("with.html", "without.html")] == [
        True,
        False,
    ]


def test_in_a_browser_nothing_fails_and_a_click_shows_a_network(made: Made, chromium: Browser) -> None:
    chromium.open(made.page)
    assert chromium.value("document.getElementById('name').textContent") == made.best["name"]
    assert chromium.value("document.querySelectorAll('.chart svg').length") == 5
    chromium.click("document.querySelector('#networks tbody tr:nth-child(2) button')")
    second = chromium.value("document.querySelector('#networks tbody tr:nth-child(2) button').textContent")
    chromium.wait(f"document.getElementById('name').textContent === {json.dumps(second)}")
    chromium.click("document.querySelector('#chart-macs svg .mark-symbol path:last-child')")
    chromium.wait(f"document.getElementById('name').textContent !== {json.dumps(second)}")
    chromium.wait(
        "document.getElementById('drawing').complete && document.getElementById('drawing').naturalWidth > 300"
    )
    assert "zen export" in chromium.value("document.getElementById('commands').textContent")
    assert chromium.value("document.querySelectorAll('#stages tbody tr').length") > 4
    assert chromium.faults == []
    assert chromium.requests == [made.page.resolve().as_uri()]


def test_in_a_browser_a_name_with_markup_is_text(made: Made, chromium: Browser) -> None:
    chromium.open(made.page)
    place = f"[...document.querySelectorAll('#networks button')].find((e) => e.textContent === {json.dumps(EVIL)})"
    chromium.click(place)
    chromium.wait(f"document.getElementById('name').textContent === {json.dumps(EVIL)}")
    assert chromium.value("document.querySelectorAll('img').length") == 1
    assert chromium.value("document.title") == "Search of zennet-resnet"
    assert chromium.value("document.getElementById('save').download").endswith(".json")
    assert chromium.faults == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_on_400_pixels_nothing_is_wider_than_the_page(made: Made, chromium: Browser, dark: bool) -> None:
    chromium.open(made.page, width=400, dark=dark)
    assert chromium.value("document.documentElement.scrollWidth") <= 400
    assert chromium.value("document.querySelector('#chart-macs svg').getBoundingClientRect().width") <= 400
    ink, paper = (
        sum(map(int, re.findall(r"\d+", chromium.value(f"getComputedStyle(document.body).{name}"))[:3]))
        for name in ("color", "backgroundColor")
    )
    assert abs(ink - paper) > 400
    assert (ink > paper) == dark
    label = chromium.value("getComputedStyle(document.querySelector('#chart-macs svg text')).fill")
    assert label == chromium.value("getComputedStyle(document.body).color")


def test_on_paper_there_are_ink_and_no_buttons_to_click(made: Made, chromium: Browser) -> None:
    chromium.open(made.page, dark=True)
    chromium.call("Emulation.setEmulatedMedia", media="print")
    assert chromium.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert chromium.value("getComputedStyle(document.querySelector('details')).display") == "none"


def test_charts_as_files_of_their_own(made: Made, zen_here: ZenHere) -> None:
    done = zen_here("report", str(made.run), "-o", "chart.html", "--to", "svg,png")
    assert done.code == 0
    names = ["macs", "params", "activations", "history", "breakdown"]
    assert sorted(path.name for path in Path().iterdir()) == sorted(
        f"chart.{name}.{kind}" for name in names for kind in ("svg", "png")
    )
    assert Path("chart.macs.png").read_bytes().startswith(b"\x89PNG")
    text = Path("chart.macs.svg").read_text(encoding="utf-8")
    assert "MACs" in text
    assert "proven bound" in text
    assert text.count('aria-roledescription="point"') == len(view_run(made.run).population) + _unseen(made.run)


def _unseen(run: Path) -> int:
    """The networks of an answer that are not in the population any more."""
    view = view_run(run)
    return len({row.id for row in view.records} - {spec.id for spec in view.population})


def test_a_thousand_networks_take_at_most_two_megabytes() -> None:
    """By what a page of few has, and what each of some more adds."""
    space, random = load_space("mobile"), Random(0)
    seed = space.seed(224)
    genome, shown = space.start(seed), list[Shown]()
    while len(shown) < 250:
        genome = space.mutate(genome, random)
        spec = to_spec(space.genes(genome, seed), seed, f"network-{len(shown)}")
        shown.append(Shown(spec, "population", float(len(shown))))
    few, more = (len(page(Subject("size", "How large?", "score", shown[:count], {"macs": 3e8}))) for count in (50, 250))
    assert few + (1000 - 50) * (more - few) / (250 - 50) <= 2_000_000


def test_networks_alone_have_a_page_too() -> None:
    spec = parse_spec({"name": "alone", "resolution": 16, "blocks": BLOCKS})
    subject = subject_of(None, [(spec, None, "alone.json")])
    assert (subject.title, len(subject.shown), subject.shown[0].word) == ("alone", 1, "alone.json")


def test_what_cannot_be_shown_is_one_line(made: Made, zen_here: ZenHere) -> None:
    zen_here("report", "missing.json").fails("missing.json")
    zen_here("report", str(made.run), str(made.run)).fails("second run")
    zen_here("report", str(made.run), "--to", "pdf").fails("--to", "pdf", "html")
    zen_here("report", str(made.run), "--to", ",").fails("--to", "missing")
    zen_here("report", str(made.run), "-o", "no/where.html").fails("no/where.html", "no folder")
    Path("report.html").write_text("mine")
    zen_here("report", str(made.run)).fails("report.html", "--force")
    assert Path("report.html").read_text() == "mine"
    (made.run / "settings.json").rename(made.run / "gone")
    try:
        zen_here("report", str(made.run), "-f").fails("directory")
    finally:
        (made.run / "gone").rename(made.run / "settings.json")
