"""Tables as lines: what fits, what is never broken, what is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.ui.layout import ABSENT, Field, Sheet, cells, fit, lay_out, wrap

WORDS = st.text(st.sampled_from("abcXYZ0123456789-_.σ猫"), min_size=1, max_size=14).filter(ABSENT.__ne__)
TEXTS = st.lists(WORDS, min_size=0, max_size=12).map(" ".join)
WIDTHS = st.integers(40, 130)


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    """A table whose first column is what must be typed."""
    rows = draw(st.integers(1, 6))

    def column(values: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
        return st.lists(values, min_size=rows, max_size=rows)

    fields = [Field("name", draw(column(WORDS)), right=False)]
    for index in range(draw(st.integers(0, 6))):
        wraps = draw(st.booleans())
        values = draw(column(TEXTS if wraps else WORDS))
        fields.append(Field(f"t{index}", values, draw(st.booleans()), draw(st.integers(0, 3)), wraps))
    sections = {rows - 1: "section"} if rows > 1 and draw(st.booleans()) else {}
    return Sheet(fields, draw(TEXTS), [draw(TEXTS)], sections)


@given(sheets(), WIDTHS)
def test_every_line_fits_the_width(sheet: Sheet, width: int) -> None:
    for line in lay_out(sheet, width):
        assert cells(line.text) <= width


@given(sheets(), WIDTHS)
def test_every_cell_that_is_shown_is_whole_and_names_always_are(sheet: Sheet, width: int) -> None:
    text = [line.text.split() for line in lay_out(sheet, width)]
    words = {word for line in text for word in line}
    kept, left_out = fit(sheet.fields, width)
    shown = sheet.fields if kept is None else kept
    assert sheet.fields[0] in shown
    for field in shown:
        for cell in field.cells:
            assert words >= set(cell.split())
    assert {field.title for field in sheet.fields} == {field.title for field in shown} | set(left_out)
    assert not any(field.drop == 0 for field in sheet.fields if field not in shown)


@given(sheets(), st.integers(0, 90))
def test_a_wider_table_shows_no_less(sheet: Sheet, more: int) -> None:
    _, left_out = fit(sheet.fields, 40)
    _, at_more = fit(sheet.fields, 40 + more)
    if fit(sheet.fields, 40)[0] is not None:
        assert set(at_more) <= set(left_out)


@given(TEXTS, st.integers(1, 60))
def test_wrapping_keeps_every_word_whole_and_in_order(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert " ".join(lines).split() == text.split()
    assert all(cells(line) <= width or " " not in line for line in lines)


def test_columns_are_aligned_and_the_least_important_are_left_out_first() -> None:
    sheet = Sheet(
        [
            Field("network", ["a", "long-name"], right=False),
            Field("zen", ["9.50", "12.25"]),
            Field("params", ["322 ", "4.63M"], drop=1),
            Field("id", ["0123456789", "abcdefghij"], drop=2),
        ],
        captions=["caption"],
    )
    assert [line.text for line in lay_out(sheet, 60)] == [
        "network      zen  params          id",
        "────────────────────────────────────",
        "a           9.50    322   0123456789",
        "long-name  12.25   4.63M  abcdefghij",
        "caption",
    ]
    assert [line.text for line in lay_out(sheet, 30)] == [
        "network      zen  params",
        "────────────────────────",
        "a           9.50    322",
        "long-name  12.25   4.63M",
        "caption",
        "left out for lack of width: id",
    ]
    assert [line.text for line in lay_out(sheet, 14)][:3] == ["a", "  zen 9.50", "  params 322"]


def test_rows_as_several_lines_leave_out_what_there_is_not() -> None:
    sheet = Sheet([Field("network", ["x" * 30]), Field("zen", ["1.00"]), Field("± s.e.", [ABSENT]), Field("", [""])])
    assert [line.text for line in lay_out(sheet, 20)] == ["x" * 30, "  zen 1.00"]


def test_a_section_parts_the_rows() -> None:
    sheet = Sheet([Field("network", ["a", "b"], right=False)], sections={1: "not verified"})
    assert [line.text for line in lay_out(sheet, 40)][2:] == ["a", "── not verified ", "b"]


@pytest.mark.parametrize("mark", ["\x1b", "\x9b", "\u202e", "\u2028", "\n", "\x00", "\x7f"])
def test_nothing_that_a_terminal_obeys_leaves(mark: str) -> None:
    text = f"a{mark}[31mb"
    for line in lay_out(Sheet([Field(text, [text])], text, [text]), 40):
        assert mark not in line.text
