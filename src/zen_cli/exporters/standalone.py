"""Source code that stands alone: classes and functions of this program with all that they name, in order.

What an exported Python file and the script that checks files are made of is real code of this program (or of a module
that adds an op or a target). It is found by its source, not by importing it, so code that needs a package which is not
installed can be copied too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunError

PACKAGE = __package__.partition(".")[0]


class Symbol(NamedTuple):
    """A name in a module."""

    module: str
    name: str

    @classmethod
    def of(cls, value: Any) -> Symbol:
        """That of a class or a function."""
        return cls(value.__module__, value.__qualname__)


class Imported(NamedTuple):
    """`from module import name as word`, or, without a name, `import module as word`."""

    module: str
    name: str
    word: str

    @classmethod
    def of(cls, module: str, name: str = "") -> Imported:
        """An import without `as`."""
        return cls(module, name, name or module.partition(".")[0])

    @property
    def clause(self) -> str:
        """What the statement says of the name."""
        own = self.name or self.module
        return own if self.word == (self.name or self.module.partition(".")[0]) else f"{own} as {self.word}"


class Code(NamedTuple):
    """Import statements and pieces of source, each once and after what it needs."""

    imports: tuple[Imported, ...]
    pieces: tuple[str, ...]


class _Module(NamedTuple):
    """The top level of a file: its lines, the nodes by the names that they define, and the names that are imported."""

    name: str
    lines: list[str]
    nodes: dict[str, ast.stmt]
    imports: dict[str, list[Imported]]


def collect(symbols: Iterable[Symbol]) -> Code:
    """The source of some names and of all that they need from this program.

    Raises:
        RunError: two of the pieces have one name, or the source of a module is not available.
    """
    found: dict[Symbol, str] = {}
    imports: set[Imported] = set()
    for symbol in symbols:
        _add(symbol, found, imports, set())
    names: dict[str, Symbol] = {}
    for symbol in found:
        other = names.setdefault(symbol.name, symbol)
        if other != symbol:
            raise RunError(f"{symbol.name} is defined in {other.module} and in {symbol.module}; rename one of them")
    return Code(tuple(sorted(imports)), tuple(found.values()))


def import_lines(imports: Iterable[Imported]) -> list[str]:
    """Import statements as a formatter orders them: the standard library, an empty line, the rest."""
    rows = {row for row in imports if row.module != "__future__"}
    sections = []
    for is_standard in (True, False):
        own = [row for row in rows if (row.module.partition(".")[0] in sys.stdlib_module_names) == is_standard]
        whole = sorted(f"import {row.clause}" for row in own if not row.name)
        parts = []
        for module in sorted({row.module for row in own if row.name}):
            names = sorted((row.clause for row in own if row.module == module and row.name), key=_by_kind)
            parts.append(f"from {module} import {', '.join(names)}")
        sections.append("\n".join([*whole, *parts]))
    return "\n\n".join(filter(None, sections)).split("\n")


def _add(symbol: Symbol, found: dict[Symbol, str], imports: set[Imported], entered: set[Symbol]) -> None:
    symbol = _home(symbol)
    if symbol in found or symbol in entered:
        return
    entered.add(symbol)
    module = _parse(symbol.module)
    node = module.nodes[symbol.name]
    for name in _names(node):
        if name in module.nodes:
            _add(Symbol(symbol.module, name), found, imports, entered)
            continue
        for target in module.imports.get(name, ()):
            if _is_own(target.module, symbol.module):
                _add(Symbol(target.module, target.name), found, imports, entered)
            else:
                imports.add(target)
    found[symbol] = _text(module, node)


def _home(symbol: Symbol) -> Symbol:
    """Where a name is defined, when a module hands on what it imported."""
    while symbol.name not in _parse(symbol.module).nodes:
        targets = _parse(symbol.module).imports.get(symbol.name)
        if targets is None:
            raise RunError(f"{symbol.module} defines no {symbol.name} at its top level, so it cannot be exported")
        symbol = Symbol(targets[0].module, targets[0].name)
    return symbol


def _is_own(module: str, importer: str) -> bool:
    """Whether what a module defines is copied: that of this program, and of the package that adds an op to it."""
    root = module.partition(".")[0]
    return root == PACKAGE or (root == importer.partition(".")[0] and importer != "__main__")


@lru_cache(maxsize=64)
def _parse(name: str) -> _Module:
    path = _path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise RunError(f"the source of {name} is not at {path}, so it cannot be exported") from None
    nodes: dict[str, ast.stmt] = {}
    imports: dict[str, list[Imported]] = {}
    for node in _top_level(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            nodes[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                nodes |= {part.id: node for part in ast.walk(target) if isinstance(part, ast.Name)}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                word = alias.asname or alias.name.partition(".")[0]
                imports.setdefault(word, []).append(Imported(alias.name, "", word))
        elif isinstance(node, ast.ImportFrom):
            home = _absolute(name, path, node)
            for alias in node.names:
                word = alias.asname or alias.name
                imports.setdefault(word, []).append(Imported(home, alias.name, word))
    return _Module(name, text.splitlines(), nodes, imports)


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from node.body
        else:
            yield node


def _path(name: str) -> Path:
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded is None:
        spec = find_spec(name)
        loaded = spec.origin if spec is not None else None
    return Path(loaded or name)


def _absolute(name: str, path: Path, node: ast.ImportFrom) -> str:
    """The module that a `from ... import` names, with the dots resolved."""
    if not node.level:
        return node.module or ""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    return ".".join([*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else [])])


def _names(node: ast.stmt) -> list[str]:
    """The names that a piece of code reads and does not import itself, in order."""
    parts = list(ast.walk(node))
    imports = (alias for part in parts if isinstance(part, (ast.Import, ast.ImportFrom)) for alias in part.names)
    own = {alias.asname or alias.name.partition(".")[0] for alias in imports}
    return list(dict.fromkeys(part.id for part in parts if isinstance(part, ast.Name) and part.id not in own))


def _text(module: _Module, node: ast.stmt) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(row.lineno for row in decorators)])
    return "\n".join(module.lines[first - 1 : node.end_lineno])


def _by_kind(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)
