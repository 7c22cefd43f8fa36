"""Code that is copied out of modules: all that it names, once, in order, with the imports that it needs."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from zen_cli.errors import RunError
from zen_cli.exporters.check import checker_source
from zen_cli.exporters.standalone import Imported, Symbol, collect, import_lines


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose modules a test writes; importing them fails, for copying needs no import."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / f"package_of_{tmp_path.name}"
    folder.mkdir()
    (folder / "__init__.py").write_text("", encoding="utf-8")
    return folder


def write(module: Path, **files: str) -> str:
    for name, text in files.items():
        (module / f"{name}.py").write_text(dedent(text), encoding="utf-8")
    return module.name


def test_a_piece_brings_what_it_names_and_nothing_else(module: Path) -> None:
    name = write(
        module,
        a="""
        import math, os.path, not_installed
        import os
        from typing import TYPE_CHECKING, Any

        from .b import Base, handed_on

        if TYPE_CHECKING:
            from collections.abc import Sequence

        LIMIT: int = 3
        OTHER = 4

        def unused() -> None:
            not_installed.call()

        @handed_on
        class Derived(Base):
            def area(self, rows: Sequence[float]) -> Any:
                return math.pi * min(LIMIT, len(rows)) * len(os.path.sep)
        """,
        b="""
        from .c import decorate as handed_on

        class Base:
            pass
        """,
        c="""
        import functools as tools

        def decorate(kind):
            return tools.wraps(kind)(kind)
        """,
    )
    code = collect([Symbol(f"{name}.a", "Derived")])
    text = "\n".join([*import_lines(code.imports), *code.pieces])
    defined = [getattr(node, "name", None) for node in ast.parse(text).body if not isinstance(node, ast.Import)]
    assert "Derived" in defined
    assert "unused" not in text
    assert "not_installed" not in text
    assert "OTHER" not in text
    assert text.index("class Base") < text.index("class Derived")
    assert text.index("LIMIT: int = 3") < text.index("class Derived")
    assert import_lines(code.imports) == [
        "import functools as tools",
        "import math",
        "import os",
        "import os.path",
        "from collections.abc import Sequence",
        "from typing import Any",
    ]


def test_pieces_that_name_each_other_are_copied_once(module: Path) -> None:
    name = write(module, a="def f(n):\n    return n and g(n - 1)\n\n\ndef g(n):\n    return n and f(n - 1)\n")
    code = collect([Symbol(f"{name}.a", "f"), Symbol(f"{name}.a", "g"), Symbol(f"{name}.a", "f")])
    home: dict[str, object] = {}
    exec("\n".join(code.pieces), home)
    assert len(code.pieces) == 2
    assert callable(home["f"])


def test_two_pieces_of_one_name_are_refused(module: Path) -> None:
    name = write(module, a="class Net:\n    pass\n", b="class Net:\n    pass\n")
    with pytest.raises(RunError, match=rf"Net is defined in {name}\.a and in {name}\.b; rename one"):
        collect([Symbol(f"{name}.a", "Net"), Symbol(f"{name}.b", "Net")])


def test_what_has_no_source_is_refused(module: Path) -> None:
    name = write(module, a="def f():\n    class Local:\n        pass\n    return Local\n")
    with pytest.raises(RunError, match=r"defines no f\.<locals>\.Local at its top level"):
        collect([Symbol(f"{name}.a", "f.<locals>.Local")])
    with pytest.raises(RunError, match="the source of no_such_module is not at"):
        collect([Symbol("no_such_module", "f")])


def test_imports_are_ordered_like_a_formatter_does() -> None:
    rows = [
        Imported.of("torch"),
        Imported.of("torch", "nn"),
        Imported.of("torch", "Tensor"),
        Imported.of("functools", "partial"),
        Imported.of("math"),
        Imported("numpy", "", "np"),
        Imported.of("__future__", "annotations"),
    ]
    assert import_lines(rows) == [
        "import math",
        "from functools import partial",
        "",
        "import numpy as np",
        "import torch",
        "from torch import Tensor, nn",
    ]


def test_the_script_that_checks_files_names_nothing_of_this_program() -> None:
    tree = ast.parse(checker_source())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert not node.level
            assert not (node.module or "").startswith("zen_cli")
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("zen_cli") for alias in node.names)
    top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    modules = {(node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or "" for node in top}
    assert {module.partition(".")[0] for module in modules} <= {"torch", *sys.stdlib_module_names}
