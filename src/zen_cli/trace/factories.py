"""`module:PACKAGE.MODULE:FACTORY` -> a network: the one way in which zen runs code that a user names."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import SourceError, TraceError, UsageError, nearest
from ..net.traced import TracedNetwork

if TYPE_CHECKING:
    from torch import nn

SIDE = 224
_FORM = "write module:PACKAGE.MODULE:FACTORY, such as module:mynets.small:make_net"


def module_network(
    name: str, side: int | None = None, arguments: Sequence[str] = (), folder: str | None = None
) -> TracedNetwork:
    """The network that a factory returns. Its module is imported and both are run, with the rights of the user.

    What they print goes to stderr.

    Args:
        name: `PACKAGE.MODULE:FACTORY`; the factory may be a function, a class, or a module that is there.
        side: of the image; its channels are those of the first convolution.
        arguments: of the factory, such as `width=2`; a value is a literal of Python, or else a string.
        folder: where Python looks for the package first.

    Raises:
        UsageError: arguments or a folder that cannot be.
        SourceError: there is no such module or factory.
        TraceError: it fails, returns something else, or a chain does not stand for what it returns.
    """
    from torch import nn

    from .modules import failure, network_of_module

    where, colon, attribute = name.partition(":")
    if not colon or not all(part.isidentifier() for part in [*where.split("."), *attribute.split(".")]):
        raise SourceError(f"is no name of a factory; {_FORM}")
    given = parse_arguments(arguments)
    with _from(folder), redirect_stdout(sys.stderr):
        factory = _find(where, attribute)
        try:
            module = factory if isinstance(factory, nn.Module) else factory(**given)
        except (Exception, SystemExit) as error:
            raise TraceError(f"the factory failed with {failure(error)}") from None
        if not isinstance(module, nn.Module):
            raise TraceError(f"the factory returned {type(module).__name__}; it must return an nn.Module")
        channels = _channels(module)
        try:
            size = (channels, side or SIDE, side or SIDE)
            return network_of_module(module, size, source=f"module:{name}", name=f"module:{name}")
        except SystemExit as error:
            raise TraceError(f"its forward pass ended with {failure(error)}") from None


def parse_arguments(texts: Sequence[str]) -> dict[str, Any]:
    """Arguments of a factory from `key=value`.

    Raises:
        UsageError: a text of another form, or a key that comes twice.
    """
    given: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"arg: {text!r} is no argument; write it like width=2")
        if key in given:
            raise UsageError(f"arg: {key} is given twice; give it once")
        try:
            given[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            given[key] = value
    return given


def _find(where: str, attribute: str) -> Any:
    from .modules import failure

    try:
        found: Any = import_module(where)
    except ModuleNotFoundError as error:
        if error.name is not None and (where == error.name or where.startswith(error.name + ".")):
            raise SourceError(f"there is no module {where}; name the folder that it is in by path") from None
        raise TraceError(f"importing {where} failed with {failure(error)}") from None
    except (Exception, SystemExit) as error:
        raise TraceError(f"importing {where} failed with {failure(error)}") from None
    for part in attribute.split("."):
        if not hasattr(found, part):
            names = [known for known in vars(found) if not known.startswith("_")]
            raise SourceError(f"{where} has no {attribute}; {nearest(part, names) if names else 'it is empty'}")
        found = getattr(found, part)
    if not callable(found):
        raise SourceError(f"{attribute} of {where} is {type(found).__name__}, which cannot be called; name a function")
    return found


def _channels(module: nn.Module) -> int:
    """Channels of the first convolution; 3 where there is none."""
    from torch import nn

    return next((part.in_channels for part in module.modules() if isinstance(part, nn.Conv2d)), 3)


@contextmanager
def _from(folder: str | None) -> Iterator[None]:
    """Lets Python look for modules in a folder first."""
    from pathlib import Path

    if folder is None:
        yield
        return
    if not Path(folder).is_dir():
        raise UsageError(f"path: {folder} is no folder; name the one that the module is in")
    sys.path.insert(0, str(Path(folder).resolve()))
    try:
        yield
    finally:
        sys.path.pop(0)
