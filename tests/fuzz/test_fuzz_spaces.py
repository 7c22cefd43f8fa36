"""Any space is refused or searched: what a search of a sound space finds are members, written and read back."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from fuzz_tools import Done, fuzz, nasty, zen
from hypothesis import strategies as st

from zen_cli import parse_spec
from zen_cli.nas.space import genome_of, load_space, parse_space

TINY: dict[str, Any] = {
    "schema": "zen-space/1",
    "kind": "blocks",
    "name": "tiny",
    "seeds": [
        {
            "resolution": 16,
            "num_classes": 4,
            "blocks": [
                {"op": "conv", "width": 16},
                {"op": "bottleneck", "width": 32, "mid_width": 16, "depth": 2, "stride": 2},
                {"op": "mbconv", "width": 24, "expansion": 2, "depth": 2},
                {"op": "conv", "kernel": 1, "width": 32},
            ],
        }
    ],
    "ops": ["basic", "bottleneck", "mbconv"],
    "kernels": [3, 5],
    "expansions": [2, 3],
    "group_widths": [0, 8],
    "width": {"max": 64},
    "mid_width": {"max": 64},
}
REGNET = {"schema": "zen-space/1", "kind": "regnet", "name": "r"}
numbers = st.sampled_from([0, 1, 2, 3, 5, 8, 16, 64, 100, 101, 1000, 8192, 65_536, 10**6, 2**63, -1, 0.5, 1e308])
spans = st.fixed_dictionaries(
    {"min": numbers, "max": numbers},
    optional={
        "step": numbers,
        "reach": numbers,
        "factors": st.lists(numbers, max_size=2),
        "steps": st.lists(numbers, max_size=2),
    },
)
lists = st.lists(numbers | st.sampled_from(["basic", "mbconv", "conv"]), max_size=3)
fields = st.sampled_from(
    [
        *(
            "width",
            "mid_width",
            "stem_width",
            "head_width",
            "depth",
            "slope",
            "factor",
            "initial_width",
            "kernels",
            "ops",
        ),
        *(
            "expansions",
            "group_widths",
            "ratios",
            "max_blocks",
            "split_at",
            "stages",
            "kernel",
            "stem_width",
            "se",
            "name",
        ),
        *("pair_widths", "small_image", "summary", "seeds"),
    ]
)


def search(document: dict[str, Any], *words: str) -> Done:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "space.json"
        path.write_bytes(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
        limits = ("--max-sublayers", "40", "--resolution", "16", "--num-classes", "4")
        return zen("search", "--space", str(path), *limits, "--budget", "96evals", "--verify", "0", *words).check()


@fuzz(
    150,
    st.sampled_from([TINY, REGNET]),
    st.dictionaries(fields, numbers | spans | lists | nasty, min_size=1, max_size=3),
)
def test_any_change_to_a_space_is_refused_or_searched(space: dict[str, Any], changes: dict[str, Any]) -> None:
    document = {**space, **changes}
    done = search(document)
    if done.code == 0:
        found = parse_space(json.loads(json.dumps(document)))
        for line in done.out.splitlines():
            row = orjson.loads(line)
            spec = parse_spec(row["arch"])
            assert spec.id == row["id"]
            if row["search"]["space"] and hasattr(found, "seeds"):
                assert found.excludes(genome_of(spec), found.seed(16)) == ""
        score = ("score", "--estimator", "mean-field", "--quiet", "-")
        again = zen(*score, stdin=done.out).check()
        assert again.code == 0
        assert zen(*score, stdin=again.out).out == again.out


FAULTS = {
    "no member": (
        {**REGNET, "stages": 8, "factor": {"min": 300, "max": 300}, "slope": {"min": 1, "max": 2}},
        "no member",
    ),
    "endless": (
        {**REGNET, "stages": 8, "slope": {"min": 1, "max": 1_000_000}, "depth": {"min": 8, "max": 10**5}},
        "slope",
    ),
    "no growth": ({**REGNET, "factor": {"min": 100, "max": 100}}, "factor.min: 100 is too small"),
    "no steps": ({**TINY, "depth": {"max": 5, "steps": []}}, "depth.steps: is empty"),
    "many ops": ({**TINY, "ops": ["basic"] * 100_000}, "ops: holds 100000 items"),
    "name": ({**TINY, "name": "a\x1b[2J\nb"}, "name: holds a control character"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_space_that_is_not_sound_is_refused_when_it_is_read(name: str) -> None:
    document, message = FAULTS[name]
    done = search(document)
    assert (done.code, done.out) == (2, b"")
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_the_built_in_spaces_are_sound() -> None:
    for name in ("resnet", "mobile", "regnet"):
        assert search({**load_space(name).to_dict(), "name": "é 漢字"}, "--resolution", "32").code == 0
