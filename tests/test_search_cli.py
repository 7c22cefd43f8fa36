"""`zen search` as users meet it: what a mistake looks like, what goes where, and the words on the screen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli import ENVIRONMENT, Zen
from forks import bare_server, fork_server

from zen_cli.formats.plainnet import parse_plainnet
from zen_cli.nas.presets import presets
from zen_cli.net.notation import notation
from zen_cli.net.spec import parse_spec
from zen_cli.ui.bars import sparkline
from zen_cli.units import format_count, format_seconds

SMALL = [
    "--space",
    "zennet-resnet",
    "--resolution",
    "16",
    "--num-classes",
    "10",
    "--max-params",
    "200k",
    "--max-sublayers",
    "10",
]
QUICK = [*SMALL, "--budget", "2000evals", "--verify", "0"]
EVOLVED = ["--algorithm", "evolution"]  # where it does not matter that the exact search comes first

BAD: list[tuple[list[str], list[str]]] = [
    (["--budget", "30parsec"], ["--budget", "unknown unit", "30parsec", "gpu-day"]),
    (["--budget", "0.5gpu-year"], ["--budget", "unknown unit"]),
    (["--budget", "480000"], ["--budget", "unknown unit"]),
    (["--budget", "0s"], ["--budget", "too small"]),
    (["--budget", "-5s"], ["--budget", "too small"]),
    (["--budget", "0evals"], ["--budget", "too small"]),
    (["--budget", "0.5evals"], ["--budget", "too small"]),
    (["--budget", "much"], ["--budget", "much", "not a number"]),
    (["--budget", "1e999s"], ["--budget", "too large"]),
    (["--budget", ""], ["--budget"]),
    (["--max-params", "0"], ["--max-params", "too small"]),
    (["--max-params", "-1M"], ["--max-params", "too small"]),
    (["--max-params", "1Q"], ["--max-params", "unknown suffix"]),
    (["--max-params", "1.5"], ["--max-params", "whole number"]),
    (["--max-params", "many"], ["--max-params", "not a number"]),
    (["--max-macs", "nan"], ["--max-macs"]),
    (["--max-macs", "1e999"], ["--max-macs", "too large"]),
    (["--max-layers", "0"], ["--max-layers"]),
    (["--max-sublayers", "-3"], ["--max-sublayers"]),
    (["--max-depth-width-ratio", "0"], ["--max-depth-width-ratio: '0' is out of range"]),
    (["--max-depth-width-ratio", "nan"], ["--max-depth-width-ratio"]),
    (["--max-params", "1k"], ["--max-params", "1k", "smallest value found"]),
    (["--preset", "cifar1m"], ["--preset", 'did you mean "cifar-1m"']),
    (["--space", "moblie"], ["--space", 'did you mean "mobile"']),
    (["--space", "missing.json"], ["missing.json", "cannot be read"]),
    (["--algorithm", "evolutoin"], ["--algorithm", 'did you mean "evolution"']),
    (["--proxy", "balancd"], ["--proxy", "balanced"]),
    (["--objective", "balancd"], ["--objective", "balanced"]),
    (["--max-flops", "many"], ["--max-flops"]),
    (["--estimator", "meanfield"], ["--estimator", "mean-field"]),
    (["--convention", "papre"], ["--convention", "paper"]),
    (["--format", "xml"], ["--format: unknown 'xml'; known: csv, json, jsonl, table"]),
    (["--patience", "0"], ["--patience", "0"]),
    (["--population", "0"], ["--population"]),
    (["--lineages", "0"], ["--lineages"]),
    (["--verify", "-1"], ["--verify"]),
    (["--top", "0"], ["--top"]),
    (["--gap", "5%%"], ["--gap"]),
    (["--gap", "120%"], ["--gap", "between"]),
    (["--gap", "1"], ["--gap", "1% or 100%"]),
    (["--verify", "-1"], ["--verify: '-1' is too small; use at least 0"]),
    (["--lineages", "70000"], ["--lineages: '70000' is too large; use at most 65536"]),
    (["--resolution", "0"], ["--resolution"]),
    (["--resolution", "3x4"], ["--resolution: a search takes square images, not 3 x 4; give one side"]),
    (["--resolution", "2"], ["1 x 1 map"]),
    (["--num-classes", "0"], ["--num-classes"]),
    (["--seed", "-1"], ["--seed"]),
    (["--alpha", "0"], ["--alpha"]),
    (["--resume", "nowhere"], ["--resume", "nowhere", "no run directory"]),
    (["--bound", "--proxy", "balanced"], ["--bound"]),
    (["--bound", "--space", "regnet", "--max-sublayers", "30"], ["regnet"]),
    (["--no-such-option"], ["--no-such-option"]),
    (["--max-params"], ["--max-params"]),
    (["words"], ["words"]),
]


@pytest.mark.parametrize(("words", "named"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_a_mistake_is_one_line_and_exit_2(zen: Zen, words: list[str], named: list[str]) -> None:
    zen("search", *SMALL, "--verify", "0", "--quiet", *words).fails(*named)
    assert list(zen.folder.iterdir()) == []


def test_a_space_of_a_user(zen: Zen, write: Any) -> None:
    space = json.loads(subprocess_space())
    write("mine.json", {**space, "name": "mine", "kernels": [3, 9]})
    done = zen("search", *QUICK, *EVOLVED, "--space", "mine.json")
    assert done.code == 0, done.err
    kernels = {block["kernel"] for row in done.rows for block in row["arch"]["blocks"]}
    assert kernels <= {1, 3, 9}
    assert {row["search"]["space"] for row in done.rows} == {"mine"}
    check = zen("search", "--check", *SMALL, "--space", "mine.json")
    assert check.code == 0
    assert "the space mine is sound" in check.err
    assert check.out.count("C3-") >= 5
    write("bad.json", {**space, "kernels": [3, 4]})
    for words in ([*QUICK, *EVOLVED], ["--check"]):
        zen("search", *words, "--space", "bad.json").fails("bad.json: kernels", "even")


def test_a_space_with_one_seed_is_searched_for_the_input_of_that_seed(zen: Zen, write: Any) -> None:
    space = json.loads(subprocess_space())
    seed = {**space["seeds"][0], "resolution": 48, "num_classes": 7}
    write("mine.json", {**space, "seeds": [seed]})
    words = ["search", "--space", "mine.json", "--budget", "100evals", "--verify", "0", "--top", "1", *EVOLVED]
    for more, expected in (([], (48, 7)), (["--resolution", "32", "--num-classes", "3"], (32, 3))):
        (row,) = zen(*words, "--max-sublayers", "20", *more).rows
        assert (row["arch"]["resolution"], row["arch"]["num_classes"]) == expected


def test_ctrl_c_while_verifying_hands_over_what_the_search_found(zen: Zen) -> None:
    script = (
        "import zen_cli.nas.verify as verify\n"
        "def stop(*_, **more): raise KeyboardInterrupt\n"
        "verify.race = stop\n"
        "from zen_cli.cli import main; main()\n"
    )
    words = [*SMALL, "--budget", "2000evals", "--out", "run"]
    code, out, err = fork_server().run(zen.folder, script, "search", *words)
    assert code == 130
    assert err.endswith("zen: stopped while verifying; these are the scores of the search\n")
    unverified = zen("search", *words[:-2], "--verify", "0")
    assert out == unverified.out == (zen.folder / "run" / "results.jsonl").read_text()


def test_it_says_how_many_of_the_verified_might_as_well_stand_first(zen: Zen) -> None:
    words = [*SMALL, *EVOLVED, "--budget", "2000evals", "--batch-size", "2", "--precision", "0.5"]
    done = zen("search", *words, "--top", "8")
    scores = [(row["zen"]["value"], row["zen"]["std_error"]) for row in done.rows]
    best, error = scores[0]
    assert all(error is not None for _, error in scores)
    close = sum(best - value <= 2 * (error**2 + other**2) ** 0.5 for value, other in scores)
    assert close > 1
    assert f"{close} of {len(scores)} verified networks are within two standard errors of the first" in done.err
    one = zen("search", *words, "--top", "1")  # what is counted does not depend on what is shown
    assert f"{close} of {len(scores)} verified networks are within two standard errors of the first" in one.err


def test_it_says_how_sure_it_is_that_the_first_is_the_best_of_the_verified(zen: Zen) -> None:
    words = [*SMALL, *EVOLVED, "--budget", "2000evals", "--batch-size", "2", "--draws", "3", "--verify", "4"]
    done = zen("search", *words, "--tolerance", "50")
    race = done.rows[0]["search"]["race"]
    assert (race["ending"], race["tolerance"], race["draws"]) == ("tolerance", 50.0, 12)
    assert f"the first is within {race['below']:.2g} nats of the best of 4 verified networks, at 95%" in done.err
    open_ = zen("search", *words, "--tolerance", "0")
    race = open_.rows[0]["search"]["race"]
    assert (race["ending"], race["draws"]) == ("draws", 24)
    assert f"{race['rivals']} others may be better; more draws, or a budget of time, decide it" in open_.err
    assert max(row["zen"]["draws"] for row in open_.rows if row["zen"]["draws"]) >= 6


def test_a_long_budget_ends_when_the_gap_is_proven_and_the_race_decided(zen: Zen) -> None:
    words = ["--space", "zennet-resnet", "--resolution", "16", "--num-classes", "10", "--max-params", "60k"]
    words += ["--max-macs", "3M", "--max-sublayers", "6", "--verify", "2", "--batch-size", "2", "--tolerance", "20"]
    script = "import zen_cli.nas.request as request\nrequest.MOST_EVALUATIONS = 4000\n"
    script += "from zen_cli.cli import main; main()\n"
    _, out, err = fork_server().run(zen.folder, script, "search", *words, "--budget", "0.5gpu-day")
    first = json.loads(out.splitlines()[0])["search"]
    assert first["stopped"] == "gap"
    assert 0 <= first["gap"] <= 0.005
    assert first["race"]["ending"] == "tolerance"
    assert "of the budget; more of it would gain little" in err


def subprocess_space() -> str:
    from zen_cli.nas.space import load_space

    return load_space("zennet-resnet").model_dump_json(by_alias=True)


def test_the_answer_is_score_records_best_first_that_zen_score_reads(zen: Zen) -> None:
    done = zen("search", *QUICK, "--algorithm", "evolution", "--top", "4", "--quiet")
    assert (done.code, done.err) == (0, "")
    rows = done.rows
    assert len(rows) == 4
    assert len({row["id"] for row in rows}) == 4
    assert [row["zen"]["value"] for row in rows] == sorted((row["zen"]["value"] for row in rows), reverse=True)
    for row in rows:
        assert row["schema"] == "zen-score/1"
        assert row["cost"]["params"] <= 200_000
        assert row["cost"]["sublayers"] <= 10
        assert row["search"] == {
            "space": "zennet-resnet",
            "algorithm": "evolution",
            "estimator": "mean-field",
            "limits": {"params": 200_000, "sublayers": 10},
            "budget": {"evaluations": 2000},
            "seed": 0,
            "evaluations": 2000,
            "stopped": "evaluations",
            "score": row["zen"]["value"],
        } | {key: None for key in ("proxy", "bound", "gap") if key in row["search"]}
    again = zen.score("-", stdin=done.out).rows
    assert [row["zen"]["value"] for row in again] == [row["zen"]["value"] for row in rows]
    assert [row["id"] for row in again] == [row["id"] for row in rows]


def test_the_same_seed_is_the_same_bytes(zen: Zen) -> None:
    first = zen("search", *QUICK, "--quiet").out
    assert first == zen("search", *QUICK, "--quiet").out
    assert first == zen("search", *QUICK, "--out", "run").out
    assert first == (zen.folder / "run" / "results.jsonl").read_text()
    assert first != zen("search", *QUICK, "--quiet", "--seed", "1").out


def test_no_two_networks_of_an_answer_are_the_same_layers_in_other_blocks(zen: Zen) -> None:
    words = ["--space", "zennet-mobile", "--resolution", "64", "--max-macs", "40M", "--max-sublayers", "12"]
    rows = zen("search", *words, "--budget", "30kevals", "--verify", "0", "--top", "12").rows
    layers = {(parse_spec(row["arch"]).chain, row["cost"]["params"], row["cost"]["macs"]) for row in rows}
    assert len(layers) == len(rows) == 12


def test_a_closed_pipe_ends_it_quietly(zen: Zen) -> None:
    command = f"{sys.executable} -m zen_cli search {' '.join(QUICK + EVOLVED)} --top 300 --quiet --format jsonl"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -1"],
        cwd=zen.folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    "more",
    [[], ["--space", "zennet-mobile"], ["--space", "regnet", "--max-sublayers", "30"], ["--out", "run"]],
    ids=" ".join,
)
def test_a_search_by_a_closed_form_never_imports_torch(tmp_path: Path, more: list[str]) -> None:
    script = (
        "import sys\n"
        f"sys.argv = ['zen', 'search', *{[*QUICK, *more]!r}]\n"
        "from zen_cli.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "sys.exit(code or ('torch' in sys.modules and 'torch was imported'))"
    )
    code, _, err = bare_server().run(tmp_path, script)
    assert code == 0, err


def test_without_a_limit_on_depth_it_says_why_one_is_needed(zen: Zen) -> None:
    words = ["--space", "zennet-resnet", "--resolution", "16", "--max-params", "200k"]
    words += ["--budget", "500evals", "--verify", "0", *EVOLVED]
    done = zen("search", *words)
    assert done.code == 0
    warning = done.err.splitlines()[0]
    assert warning.startswith("zen: warning: no limit on depth")
    assert "--max-sublayers" in warning
    assert zen("search", *words, "--quiet").err == ""
    for limit in (["--max-layers", "20"], ["--max-depth-width-ratio", "0.5"], ["--max-sublayers", "8"]):
        assert "warning" not in zen("search", *words, *limit).err


def test_the_screen_of_a_pipe_is_plain_lines(zen: Zen) -> None:
    done = zen("search", *QUICK, "--algorithm", "evolution")
    lines = done.err.splitlines()
    assert all(line.startswith("zen: ") for line in lines)
    assert "done after 2,000 evaluations" in lines[0]
    assert lines[1].startswith("zen: C3-")
    assert "\x1b" not in done.err


def test_a_preset_is_a_problem_in_one_word_and_options_overrule_it(zen: Zen) -> None:
    words = ["--preset", "cifar-1m", "--budget", "600evals", "--verify", "0", "--top", "1", *EVOLVED]
    done = zen("search", *words)
    (row,) = done.rows
    assert row["search"]["limits"] == {"params": 1_050_000, "macs": 160_000_000, "sublayers": 18}
    assert row["search"]["budget"] == {"evaluations": 600}
    assert (row["arch"]["resolution"], row["arch"]["num_classes"]) == (32, 100)
    assert "published for cifar-1m: ZenNet-1M" in done.err
    done = zen("search", *words, "--max-params", "0.5M")
    (row,) = done.rows
    assert row["search"]["limits"]["params"] == 500_000
    assert "published" not in done.err  # another problem, not to be compared
    listed = zen("search", "--list-presets").rows
    assert [row["preset"] for row in listed] == list(presets())


def test_published_networks_keep_the_budgets_of_their_presets() -> None:

    for preset in presets().values():
        if preset.published is not None:
            total = preset.published.cost
            for name, limit in preset.limits.items():
                assert limit is None or getattr(total, name) <= limit, (preset.name, name, getattr(total, name), limit)


def test_exact_proves_a_gap_and_bound_adds_one_to_an_evolution(zen: Zen) -> None:
    small = ["--space", "zennet-resnet", "--resolution", "16", "--num-classes", "10"]
    small += ["--max-params", "60k", "--max-sublayers", "6"]
    words = [*small, "--verify", "0", "--top", "1"]
    exact = zen("search", *words, "--algorithm", "exact", "--gap", "5%")
    assert exact.code == 0, exact.err
    (best,) = exact.rows
    evolved = zen("search", *words, "--budget", "4000evals", "--bound")
    assert evolved.code == 0, evolved.err
    (other,) = evolved.rows
    for row in (best, other):
        search = row["search"]
        assert search["bound"] >= max(best["zen"]["value"], other["zen"]["value"])
        assert search["gap"] == pytest.approx((search["bound"] - search["score"]) / search["score"])
    assert best["search"]["gap"] <= 0.05
    assert "no network of this space exceeds" in evolved.err


def test_a_time_budget_ends_the_search_and_says_so(zen: Zen) -> None:
    done = zen("search", *SMALL, "--budget", "0.3s", "--budget", "1gpu-day", "--verify", "0", "--top", "1")
    assert done.code == 0
    assert done.rows[0]["search"]["stopped"] == "time"
    assert "time is up" in done.err


def test_patience_ends_the_search(zen: Zen) -> None:
    tiny = [
        "--algorithm",
        "evolution",
        "--space",
        "zennet-resnet",
        "--resolution",
        "16",
        "--num-classes",
        "10",
        "--max-params",
        "15k",
        "--max-sublayers",
        "6",
        "--lineages",
        "2",
    ]
    done = zen("search", *tiny, "--patience", "1", "--budget", "2Mevals", "--verify", "0", "--top", "1", "--quiet")
    assert done.rows[0]["search"]["stopped"] == "patience"


# Words.


def test_counts_and_seconds_are_written_for_people() -> None:
    assert [format_count(value) for value in (18, 1_039_932, 999_999, 4e8)] == ["18", "1.04M", "1.00M", "400M"]
    assert [format_seconds(value) for value in (8.12, 200, 7500)] == ["8.1 s", "3 min 20 s", "2 h 5 min"]


def test_the_notation_names_what_defines_a_block() -> None:
    spec = parse_plainnet(
        "SuperConvK3BNRELU(3,88,1,1)SuperResK1K7K1(88,120,1,16,1)SuperResK3K3(120,64,2,32,3)"
        "SuperResIDWE4K5(64,96,2,80,2)SuperConvK1BNRELU(96,512,1,1)",
        resolution=32,
    )
    assert notation(spec) == "C3-88 B7-120/16x2 R3-64/32x3s2 M5-96(80)e4x4s2 C1-512"
    grouped = {"op": "bottleneck", "width": 64, "mid_width": 48, "group_width": 16, "depth": 2}
    assert "B3-64/48g16x2" in notation(parse_spec({"resolution": 8, "blocks": [grouped]}))


def test_the_sparkline_rises_with_the_values() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"
    assert len(set(sparkline([5.0, 5.0, 5.0]))) == 1
    assert sparkline([1.0]) in "▁▂▃▄▅▆▇█"
    line = sparkline(list(range(1000)), width=60)
    assert len(line) == 60
    assert list(line) == sorted(line)
    assert (line[0], line[-1]) == ("▁", "█")
