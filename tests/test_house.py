"""The house: a module imports only from the left, there are no circles, and torch is imported only where it may be."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from forks import bare_server

SOURCE = Path(__file__).parents[1] / "src" / "zen_cli"

# From left to right; a package stands for all of its modules.
HOUSE = (
    "errors",
    "version",
    "units",
    "devices",
    "net",
    "networks",
    "target",
    "trace",
    "metrics",
    "formats",
    "nas",
    "bench",
    "exporters",
    "profiling",
    "api",
    "report",
    "ui",
    "cli",
)
# What is slow to import, and what may import it when it is imported; all other modules do so inside a function.
MEASURED = ("grad_norm", "naswot", "ntk", "phi", "sampling", "snip", "synflow")
SLOW = {
    "torch": (
        "net.module",
        "net.unit_modules",
        "net.styled_modules",
        "trace.recorder",
        "trace.calls",
        "trace.rules",
        "trace.convolutions",
        "trace.modules",
        *(f"metrics.cluster.{name}" for name in ("actor", "connect", "ray_fleet", "workers")),
        "metrics.monte_carlo",
        "metrics.threads",
        *(f"metrics.proxies.{name}" for name in MEASURED),
        *(f"exporters.{name}" for name in ("backbone", "timm_backbone", "weights", "checkpoint")),
        *(f"exporters.onnx_{name}" for name in ("graph", "rules", "writer")),
    ),
    "numpy": (
        *(f"exporters.onnx_{name}" for name in ("graph", "rules", "writer")),
        *("nas.algorithms.exact", "nas.algorithms.front", "nas.pareto", "nas.front_series"),
        *(f"bench.{name}" for name in ("statistics", "summary", "measuring")),
    ),
}
# Packages that only one home knows, and does without where they are missing.
OPTIONAL = {
    "exporters": {"onnx", "onnxruntime", "safetensors", "timm"},
    "formats": {"yaml"},
    "profiling": {"onnxruntime"},
    "metrics": {"grpc", "ray", "triton"},
    "trace": {"onnx", "timm", "torchvision"},
    "report": {"altair", "vl_convert"},
}


def name_of(path: Path) -> str:
    """The dotted name of a module within `zen_cli`; that of its package for `__init__.py`."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# The root only re-exports names on demand, and `__main__` calls the command line: neither is a room.
MODULES = {name: path for path in sorted(SOURCE.rglob("*.py")) if (name := name_of(path)) not in ("", "__main__")}


def walk(node: ast.AST, top: bool) -> Iterator[ast.AST]:
    """The statements of a file; with `top` only those that run when it is imported."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):  # an expression imports nothing
            continue
        if top and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if top and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        yield child
        yield from walk(child, top)


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@cache
def imports(name: str, *, top: bool = False) -> frozenset[tuple[bool, str]]:
    """(whether it is one of ours, its dotted name) of each module that a module imports, type checking included."""
    package = name.split(".") if MODULES[name].name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in walk(tree(name), top):
        if isinstance(node, ast.Import):
            found |= {(False, alias.name.split(".")[0]) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((False, (node.module or "").split(".")[0]))
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                full = ".".join([*base, alias.name])
                found.add((True, full if full in MODULES else ".".join(base)))
    return frozenset(found)


def ours(name: str, *, top: bool = False) -> set[str]:
    return {target for is_ours, target in imports(name, top=top) if is_ours and target}


def may_import(name: str, package: str) -> bool:
    return any(name == home or name.startswith(home + ".") for home in SLOW[package])


def room_of(name: str) -> int:
    """The place of a module's room in the house."""
    room = name.split(".")[0]
    assert room in HOUSE, f"{room} has no place in the house; give it one in HOUSE and in CONTRIBUTING.md"
    return HOUSE.index(room)


# One test for all modules: to start and report a test for each takes longer than to look at them.


def test_a_module_imports_only_from_the_left() -> None:
    right = {name: [target for target in ours(name) if room_of(target) > room_of(name)] for name in MODULES}
    wrong = {name: targets for name, targets in right.items() if targets}
    assert not wrong, f"imports from the right: {wrong}"


def test_there_are_no_circles() -> None:
    graph = {name: {target for target in ours(name) if not name.startswith(target + ".")} for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


@pytest.mark.parametrize("package", SLOW)
def test_slow_packages_are_imported_only_where_they_may_be(package: str) -> None:
    wrong = {}
    for name in MODULES:
        if not may_import(name, package):
            found = {target for is_ours, target in imports(name, top=True) if not is_ours and target == package}
            found |= {target for target in ours(name, top=True) if may_import(target, package)}
            wrong |= {name: found} if found else {}
    assert not wrong, f"imports of {package}, or of modules that import it: {wrong}"


def test_only_declared_packages_are_imported() -> None:
    known = {"typer", "rich", "torch", "numpy", "pydantic", "orjson", *sys.stdlib_module_names}
    for name in MODULES:
        foreign = {target for is_ours, target in imports(name) if not is_ours}
        assert foreign <= known | OPTIONAL.get(name.split(".")[0], set()), name


CIFAR = ["search", "--preset", "cifar-1m", "--verify", "0"]
WITHOUT_NUMPY = [
    ["--help"],
    ["score", "--help"],
    ["--version"],
    ["score", "--schema"],
    ["score", "--list-networks"],
    ["search", "--help"],
    ["search", "--list-presets"],
    ["search", "--check", "--preset", "imagenet-400m"],
    [*CIFAR, "--algorithm", "evolution", "--budget", "400evals"],
    ["search", "--space", "regnet", "--proxy", "balanced", "--max-layers", "60", "--budget", "400evals"],
    ["export", "--help"],
    ["export", "--to", "json", "SuperConvK3BNRELU(3,8,1,2)"],
    ["export", "--to", "svg", "SuperConvK3BNRELU(3,8,1,2)"],
    ["score", "--estimator", "mean-field", "--breakdown", "SuperConvK3BNRELU(3,8,1,2)"],
    ["score", "--estimator", "mean-field", "--format", "table", "SuperConvK3BNRELU(3,8,1,2)"],
]
TINY = ["search", "--space", "zennet-resnet", "--resolution", "16", "--max-params", "60k", "--max-sublayers", "6"]
TINY += ["--num-classes", "10", "--verify", "0"]
WITHOUT_TORCH = [
    [*TINY, "--budget", "400evals"],
    [*TINY, "--algorithm", "exact", "--gap", "5%", "--top", "1"],
    [*TINY, "--algorithm", "evolution", "--budget", "400evals", "--bound"],
]


@pytest.mark.parametrize("words", WITHOUT_NUMPY + WITHOUT_TORCH, ids=" ".join)
def test_these_commands_never_import_slow_packages(words: list[str], tmp_path: Path) -> None:
    """In a process that has imported what most of them import, and would have slow packages if that imported any."""
    slow = {"torch"} if words in WITHOUT_TORCH else {"torch", "numpy"}
    script = (
        "import sys\n"
        f"sys.argv = ['zen', *{words!r}]\n"
        "from zen_cli.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        f"sys.exit(code or sorted({slow} & set(sys.modules)) or None)"
    )
    code, _, err = bare_server().run(tmp_path, script)
    assert code == 0, err


def test_the_api_is_free_of_torch_until_a_score_needs_it(tmp_path: Path) -> None:
    script = (
        "import sys, zen_cli\n"
        "from zen_cli import ArchSpec, cost, load, parse_plainnet, score\n"
        "spec = parse_plainnet('SuperConvK3BNRELU(3,8,1,2)', resolution=8)\n"
        "score(spec, estimator='mean-field'), cost(spec)\n"
        "assert 'torch' not in sys.modules\n"
        "assert set(zen_cli.__all__) <= set(dir(zen_cli))\n"
        "sys.modules['torch'] = None\n"
        "try: score(spec, draws=1)\n"
        "except ModuleNotFoundError as error: assert error.name == 'torch'\n"
        "else: raise AssertionError('scored without torch')\n"
    )
    assert bare_server().run(tmp_path, script) == (0, "", "")


def test_every_public_name_is_there_whatever_was_imported_before() -> None:
    import zen_cli
    import zen_cli.net.counting

    for name in zen_cli.__all__:
        assert callable(getattr(zen_cli, name))
    with pytest.raises(AttributeError, match="scroe"):
        _ = zen_cli.scroe
