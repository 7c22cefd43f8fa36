"""Laws of messages: one printable line of a bounded length, whatever they quote, and the names that are printable."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from zen_cli import ArchSpec, parse_spec
from zen_cli.errors import MAX_MESSAGE, PRINTABLE, RunError, SpecError, UsageError, nearest, one_line, printable

BLOCKS = [{"op": "conv", "width": 8}]


@given(st.text(max_size=60) | st.text(alphabet="a\n\r\t\x1b\x85\x9b\u2028\u2029\u202e\u2066\ufeff\ud800 ", max_size=60))
def test_a_message_is_one_printable_line(text: str) -> None:
    message = str(UsageError(f"field: {text}; fix"))
    assert message == one_line(message)
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in message)
    assert not set(message) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert message.startswith("field: ")
    message.encode()


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_a_message_keeps_the_letters_of_every_language(text: str) -> None:
    kept = "".join(char for char in text if unicodedata.category(char)[0] in "LNMP" and char not in "\u061c")
    assert one_line(kept) == kept == printable(kept)


@given(st.integers(0, 5000))
def test_a_long_message_is_cut_in_the_middle(length: int) -> None:
    message = str(RunError("field: " + "x" * length + "; fix"))
    assert len(message) <= MAX_MESSAGE + 20
    assert message.startswith("field: ")
    assert message.endswith("; fix")


@given(st.characters())
def test_python_pydantic_and_the_cleaning_agree_on_what_is_printable(char: str) -> None:
    text = f"a{char}b"
    is_clean = printable(text) == text
    assert is_clean == (re.fullmatch(PRINTABLE, text) is not None and not "\ud800" <= char <= "\udfff")
    try:
        parse_spec({"name": text, "blocks": BLOCKS})
    except SpecError as error:
        assert not is_clean
        assert str(error) == "name: holds a control character; use printable text"
    else:
        assert is_clean


@pytest.mark.parametrize("name", ["é ü", "漢字", "👩‍👩‍👧", "Zen\u00a0net", "ק", "شبكة", "a/b:c", "x" * 200])
def test_names_of_every_language_are_names(name: str) -> None:
    assert parse_spec({"name": name, "blocks": BLOCKS}).name == name


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\x9b2J", "a\u202eb", "a\u2028b", "a\nb", "a\x7f", "\ufeffa", "a\n"])
def test_names_that_move_the_cursor_or_reorder_text_are_none(name: str) -> None:
    with pytest.raises(SpecError, match="name: holds a control character"):
        parse_spec({"name": name, "blocks": BLOCKS})
    with pytest.raises(ValidationError):
        TypeAdapter(ArchSpec).validate_python({"name": name, "blocks": BLOCKS})


def test_a_hint_for_a_huge_word_looks_at_its_beginning() -> None:
    assert nearest("kernal", ["kernel", "width"]) == 'did you mean "kernel"?'
    assert nearest("k" * 10**7, ["kernel", "width"]) == "known: kernel, width"
