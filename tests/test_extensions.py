"""What is added by one registration works through every command, or is refused with its reason."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from cli import MAIN, Result, Zen
from forks import fork_server, script_of

from zen_cli.exporters.table import TARGETS

HERE = Path(__file__).parent
SPEC = {
    "resolution": 16,
    "num_classes": 4,
    "blocks": [
        {"op": "conv", "width": 8},
        {"op": "single", "width": 16, "stride": 2, "depth": 2, "se": 0.25},
        {"op": "conv", "kernel": 1, "width": 16},
    ],
}
SPACE = {
    "schema": "zen-space/1",
    "kind": "blocks",
    "name": "single",
    "seeds": [{**SPEC, "blocks": [SPEC["blocks"][0], {"op": "single", "width": 16, "stride": 2}, SPEC["blocks"][2]]}],  # type: ignore[index]
    "ops": ["single", "basic"],
    "kernels": [3, 5],
    "width": {"max": 64},
    "mid_width": {"max": 64},
}
MEASURED = "phi,grad_norm,snip,synflow,naswot,ntk"
CLOSED = "zen,balanced,entropy,entropy_stages,params,macs,activations,random"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.json").write_text(json.dumps(SPEC), encoding="utf-8")
    (tmp_path / "space.json").write_text(json.dumps(SPACE), encoding="utf-8")
    return tmp_path


def run(extension: str, folder: Path, *words: str) -> Result:
    before = ("extension_op",) if extension == "extension_op.py" else ()  # an op is registered before `zen` is loaded
    return Result(*fork_server(*before).run(folder, MAIN if before else script_of(HERE / extension), *words))


def test_an_op_is_scored_by_both_estimators_and_all_proxies(folder: Path) -> None:
    done = run("extension_op.py", folder, "score", "--estimator", "mean-field", "--breakdown", "net.json")
    assert (done.code, done.err) == (0, "")
    (closed,) = done.rows
    assert [row["kernel"] for row in closed["breakdown"]["layers"]] == [3, 3, 3, 1]
    assert closed["cost"]["layers"] == 4
    words = ["--draws", "8", "--batch-size", "4", "--quiet", "--proxies", f"{MEASURED},{CLOSED}", "net.json"]
    done = run("extension_op.py", folder, "score", *words)
    assert (done.code, done.err) == (0, "")
    (measured,) = done.rows
    assert set(measured["proxies"]) == {*MEASURED.split(","), *CLOSED.split(",")}
    assert abs(measured["zen"]["value"] - closed["zen"]["value"]) < 1.0
    assert measured["cost"] == closed["cost"]


def test_an_op_is_searched(folder: Path) -> None:
    words = ["search", "--space", "space.json", "--max-params", "20k", "--max-sublayers", "12", "--verify", "0"]
    done = run("extension_op.py", folder, *words, "--budget", "4kevals")
    assert done.code == 0, done.err
    ops = {block["op"] for row in done.rows for block in row["arch"]["blocks"]}
    assert ops == {"conv", "single", "basic"}


def test_without_the_registration_it_is_an_error(zen: Zen) -> None:
    done = zen("score", "-", stdin=json.dumps(SPEC))
    done.fails('blocks[1].op: unknown op "single"', "known: basic, bottleneck, conv, fused, mbconv")


WALK = ["search", "--preset", "cifar-1m", "--algorithm", "random-walk", "--verify", "0", "--top", "1"]


def test_an_algorithm_is_searched_by_and_resumed(folder: Path) -> None:
    whole = run("extension_algorithm.py", folder, *WALK, "--budget", "2048evals")
    assert whole.code == 0, whole.err
    (row,) = whole.rows
    assert (row["search"]["algorithm"], row["search"]["evaluations"]) == ("random-walk", 2048)
    assert row["cost"]["params"] <= 1_050_000
    half = run("extension_algorithm.py", folder, *WALK, "--budget", "1024evals", "--out", "run")
    assert half.code == 0, half.err
    rest = run("extension_algorithm.py", folder, "search", "--resume", "run", "--budget", "2048evals")
    assert (rest.code, rest.out) == (0, whole.out)


def test_an_algorithm_refuses_with_its_reason(folder: Path) -> None:
    done = run("extension_algorithm.py", folder, *WALK, "--proxy", "balanced", "--quiet")
    done.fails("--proxy: the random walk looks for the Zen-score only")


def test_an_algorithm_that_is_not_registered_is_an_error(zen: Zen) -> None:
    zen(*WALK).fails("--algorithm: unknown 'random-walk'", "known: auto, evolution, exact")


def test_an_input_format_is_scored_and_exported_from_files_pipes_and_arguments(folder: Path) -> None:
    (folder / "nets.txt").write_text('widths 8 16\n# next\nwidths 8 x\n{"widths": 3}\nSuperConvK3BNRELU(3,8,1,1)\n')
    score = ["score", "--estimator", "mean-field", "--num-classes", "4", "--resolution", "16"]
    done = run("extension_format.py", folder, *score, "widths 8 16", "nets.txt")
    assert [row["name"] for row in done.rows] == [None, "nets:1", "nets:5"]
    assert [block["width"] for block in done.rows[0]["arch"]["blocks"]] == [8, 16]
    assert {row["id"] for row in done.rows[:2]} == {done.rows[0]["id"]}
    assert done.code == 2
    assert done.err.splitlines() == [
        "zen: argument: assumed strides of 2",
        "zen: nets.txt:3: widths are whole numbers; write widths 8 16 32",
        "zen: nets.txt:4: widths: unknown key; known: activation, blocks, bn_eps, head, head_activation, head_bias, "
        "head_parts, head_pool, in_channels, name, num_classes, padding, resolution, schema "
        "(and 1 more)",
    ]
    done = run("extension_format.py", folder, "export", "--to", "plainnet", "--quiet", "widths 8 16")
    assert (done.code, done.err) == (0, "")
    assert done.out == "SuperConvK3BNRELU(3,8,2,1)SuperConvK3BNRELU(8,16,2,1)\n"


def test_an_op_is_exported_by_every_target_or_refused_with_its_reason(folder: Path) -> None:
    installed = [name for name, row in TARGETS.items() if all(find_spec(need) for need in row.needs)]
    targets = ",".join(name for name in installed if name != "plainnet")
    done = run("extension_op.py", folder, "export", "net.json", "--to", targets, "-o", "out/", "--weights", "seed")
    assert done.code == 0, done.err
    assert len(list((folder / "out").iterdir())) == len(installed)  # without plainnet, and with the state dict
    text = (folder / "out" / "net.py").read_text(encoding="utf-8")
    assert "class Single(nn.Module):" in text
    assert "class Bottleneck" not in text
    done = run("extension_op.py", folder, "export", "net.json", "--to", "plainnet")
    done.fails("net.json:1: plainnet: blocks[1]", "export to json")


def test_a_target_is_written_checked_and_listed(folder: Path) -> None:
    (folder / "plain.json").write_text(json.dumps({**SPEC, "blocks": [{"op": "conv", "width": 8}]}), encoding="utf-8")
    done = run("extension_target.py", folder, "export", "plain.json", "--to", "numbers,json", "-o", "out/")
    assert done.code == 0, done.err
    assert {path.name for path in (folder / "out").iterdir()} == {"plain.numbers.json", "plain.json"}
    assert "agrees" in done.err
    done = run("extension_target.py", folder, "export", "--help")
    assert "numbers (weights as JSON)" in " ".join(done.out.split())
    wide = {**SPEC, "blocks": [{"op": "conv", "width": 512, "depth": 2}]}
    (folder / "wide.json").write_text(json.dumps(wide), encoding="utf-8")
    done = run("extension_target.py", folder, "export", "wide.json", "--to", "numbers", "-o", "wide.numbers.json")
    done.fails("wide.json:1: numbers: 2,", "parameters, more than 100,000; export to safetensors")


def test_a_target_that_is_not_registered_is_an_error(zen: Zen) -> None:
    zen("export", "-", "--to", "numbers", stdin=json.dumps(SPEC)).fails("--to: unknown 'numbers'", "known: json")


def test_the_target_of_the_documentation_works(folder: Path) -> None:
    page = (HERE.parent / "docs" / "export.md").read_text(encoding="utf-8")
    block = page.partition("```python\nfrom zen_cli.exporters")[2].partition("```")[0]
    script = f"from zen_cli.exporters{block}\nfrom zen_cli.cli import main\nmain()\n"
    (folder / "names.py").write_text(script, encoding="utf-8")
    (folder / "plain.json").write_text(json.dumps({**SPEC, "blocks": SPEC["blocks"][:1]}), encoding="utf-8")  # type: ignore[index]
    done = run(str(folder / "names.py"), folder, "export", "plain.json", "--to", "names", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "stem.conv.weight"
