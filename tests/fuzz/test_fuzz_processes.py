"""Whole processes under limits of memory and processor time: input that grows in what it costs, and names that hurt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fuzz_tools import zen_process

BLOCK = '{"op":"conv","width":8}'
LINE = f'{{"resolution":8,"num_classes":4,"blocks":[{BLOCK}]}}'
MANY = 3_000_000

# Each took gigabytes or hours before lengths were checked first and strings were read in one pass.
BOMBS = {
    "blocks": ('{"blocks":[' + "0," * MANY + "0]}", "blocks: holds 3000001 items; use at most 1000"),
    "keys": ("{" + ",".join(f'"k{number}":0' for number in range(300_000)) + "}", "holds 300000 keys; use at most 100"),
    "key": ('{"' + "k" * 2 * MANY + '":0}', "unknown key"),
    "value": ('{"blocks":[{"op":"' + "x" * 2 * MANY + '"}]}', "unknown op"),
    "objects": ("[" + "{}," * MANY + "{}]", "brackets; split it"),
    "brackets": ("[" * MANY, "brackets; split it"),
    "escapes": ('{"a":"' + '\\"' * MANY, "not valid JSON"),
    "string": ("A(" + " " * 2 * MANY, "column 1: not a block"),
    "names": ("A(" + "|" * 2 * MANY, "column 1: not a block"),
    "calls": ("SuperConvK3BNRELU(3,3,1,1)" * 200_000, "more than 1000 blocks"),
    "number": ('{"resolution":' + "9" * 100_000 + "}", "not valid JSON"),
    "exponent": ('{"resolution":1e999}', "not valid JSON"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_input_that_grows_in_what_it_costs_is_one_message(tmp_path: Path, name: str) -> None:
    text, message = BOMBS[name]
    done = zen_process(tmp_path, "score", "--estimator", "mean-field", "-", stdin=f"{text}\n".encode()).check()
    assert (done.code, done.out) == (2, b"")
    assert message in done.err
    assert len(done.err.splitlines()) == 1


HOSTILE = "a\x1b]0;x\x07\x9b2J\u202e\u2028b"


def test_no_name_of_a_file_or_a_key_reaches_the_terminal_as_it_is(tmp_path: Path) -> None:
    (tmp_path / f"{HOSTILE}.json").write_text(LINE, encoding="utf-8")
    key = json.dumps({HOSTILE: 0, "blocks": []})
    done = zen_process(
        tmp_path, "score", "--estimator", "mean-field", f"{HOSTILE}.json", f"{HOSTILE}.txt", "-", stdin=key.encode()
    ).check()
    assert done.code == 2
    assert json.loads(done.out)["name"] == "a?]0;x??2J??b"
    assert len(done.err.splitlines()) == 2
    again = zen_process(tmp_path, "score", "--estimator", "mean-field", "-", stdin=done.out).check()
    assert (again.code, again.out) == (0, done.out)


def test_no_name_of_an_output_reaches_the_terminal_as_it_is(tmp_path: Path) -> None:
    for out, code in ((f"{HOSTILE}.svg", 0), (f"{HOSTILE}.svg", 2), (f"{HOSTILE}/{HOSTILE}.svg", 0)):
        done = zen_process(tmp_path, "export", "--to", "svg", "-o", out, "-", stdin=LINE.encode()).check()
        assert done.code == code
