"""The house: a module imports only from the left, and torch stays behind its border."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import ENVIRONMENT

SOURCE = Path(__file__).parents[1] / "src" / "zen_cli"

# From left to right; a package stands for all of its modules.
HOUSE = (
    *("errors", "units", "explain", "blocks", "spec", "plainnet", "chain", "cost", "meanfield", "terms"),
    *("records", "documents", "io", "render", "space", "ahead"),
    *("devices", "nets", "engine", "proxies", "scoring", "search", "exact", "searching"),
    *("views", "live", "export", "cli"),
)
# These may import torch when they are imported; whoever else needs it imports them inside a function.
TORCH = ("devices", "nets", "engine", "proxies", "exact", "export")
# Packages that only one home knows, and does without where they are missing.
OPTIONAL = {"export": {"onnx", "onnxruntime", "safetensors", "timm"}, "engine": {"triton"}}


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if path.parent != SOURCE or path.stem[:2] != "__")


def home(path: Path) -> str:
    """The module or package of the house to which a file belongs."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path, *, top: bool = False) -> Iterator[str]:
    """Homes and foreign packages that a file imports, outside `if TYPE_CHECKING`; `top`: when it is imported itself."""
    package = ["zen_cli", *path.relative_to(SOURCE).parts[:-1]]
    for node in walk(ast.parse(path.read_text(encoding="utf-8")), top):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            names = [*base, *(node.module or "").split(".")] if node.module else base
            full = [names, *([*names, alias.name] for alias in node.names)] if names == ["zen_cli"] else [names]
            for name in full:
                if name[0] != "zen_cli":
                    yield name[0]
                elif len(name) > 1:
                    yield name[1]


def walk(node: ast.AST, top: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if top and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        yield child
        yield from walk(child, top)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_from_the_left(path: Path) -> None:
    assert home(path) in HOUSE, f"{home(path)} has no place in the house; give it one in HOUSE and in CONTRIBUTING.md"
    place = HOUSE.index(home(path))
    right = [name for name in imports(path) if name in HOUSE and HOUSE.index(name) > place]
    assert not right, f"{path.name} imports {right} from its right"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_torch_stays_behind_its_border(path: Path) -> None:
    if home(path) not in TORCH:
        assert not {"torch", *TORCH} & set(imports(path, top=True))


def test_only_declared_packages_are_imported() -> None:
    known = {"typer", "rich", "torch", "pydantic", "orjson", *sys.stdlib_module_names, *HOUSE}
    for path in modules():
        assert set(imports(path)) <= known | OPTIONAL.get(home(path), set()), path


WITHOUT_TORCH = [
    ["--help"],
    ["score", "--help"],
    ["--version"],
    ["score", "--schema"],
    ["search", "--help"],
    ["search", "--list-presets"],
    ["search", "--check", "--preset", "imagenet-400m"],
    ["search", "--preset", "cifar-1m", "--budget", "400evals", "--verify", "0"],
    ["search", "--space", "regnet", "--proxy", "balanced", "--max-layers", "60", "--budget", "400evals"],
    ["export", "--help"],
    ["export", "--to", "json", "SuperConvK3BNRELU(3,8,1,2)"],
    ["export", "--to", "svg", "SuperConvK3BNRELU(3,8,1,2)"],
    ["score", "--estimator", "mean-field", "--breakdown", "SuperConvK3BNRELU(3,8,1,2)"],
    ["score", "--estimator", "mean-field", "--format", "table", "SuperConvK3BNRELU(3,8,1,2)"],
]


@pytest.mark.parametrize("words", WITHOUT_TORCH, ids=" ".join)
def test_these_commands_never_import_torch(words: list[str]) -> None:
    script = (
        "import sys\n"
        f"sys.argv = ['zen', *{words!r}]\n"
        "from zen_cli.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "sys.exit(code or ('torch' in sys.modules and 'torch was imported'))"
    )
    done = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_api_is_free_of_torch_until_a_score_needs_it() -> None:
    script = (
        "import sys, zen_cli\n"
        "from zen_cli import ArchSpec, cost, load, parse_plainnet, score\n"
        "spec = parse_plainnet('SuperConvK3BNRELU(3,8,1,2)', resolution=8)\n"
        "score(spec, estimator='mean-field'), cost(spec)\n"
        "assert 'torch' not in sys.modules\n"
        "assert set(zen_cli.__all__) <= set(dir(zen_cli))\n"
        "score(spec, draws=1)\n"
        "assert 'torch' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_public_name_is_there_whatever_was_imported_before() -> None:
    import zen_cli
    import zen_cli.cost

    for name in zen_cli.__all__:
        assert callable(getattr(zen_cli, name))
    with pytest.raises(AttributeError, match="scroe"):
        _ = zen_cli.scroe
