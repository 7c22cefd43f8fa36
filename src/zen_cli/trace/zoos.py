"""Names of timm and torchvision -> networks. A model is built without weights and without memory for them.

Nothing is downloaded: a name must be one that the package lists, and is built with `pretrained` or `weights` off.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import SourceError, TraceError, UsageError, nearest
from ..net.traced import TracedNetwork

if TYPE_CHECKING:
    from torch import nn

Image = tuple[int, int, int]

SIDE = 224
# As torchvision builds it for its own weights; the default has two more classifiers, for training only.
_TORCHVISION: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"init_weights": False},
}


def timm_network(name: str, side: int | None = None, num_classes: int | None = None) -> TracedNetwork:
    """The network of a model of timm.

    Args:
        name: as `timm.list_models` gives it.
        side: of the image; by default that which the model was made for.
        num_classes: by default that which the model was made for.

    Raises:
        SourceError: timm is not installed or does not list the name.
        UsageError: the model cannot be built for this side or number of classes.
        TraceError: a chain does not stand for the model.
    """
    try:
        import timm
    except ImportError:
        raise SourceError("needs timm; pip install 'zen-cli[timm]'") from None
    known = timm.list_models()
    if name not in known and name not in timm.list_models(pretrained=True):
        raise SourceError(f"timm has no model of this name; {_near(name, known)}")
    given = {} if num_classes is None else {"num_classes": num_classes}
    module = _built(lambda: timm.create_model(name, pretrained=False, **given), num_classes)
    about: Any = module.default_cfg
    channels, height, width = about.get("input_size", (3, SIDE, SIDE))
    size = (channels, height, width) if side is None else (channels, side, side)
    return _network(module, f"timm:{name}", size)


def torchvision_network(name: str, side: int | None = None, num_classes: int | None = None) -> TracedNetwork:
    """The network of a classifier of torchvision; arguments and errors as for `timm_network`."""
    try:
        from torchvision import models
    except ImportError:
        raise SourceError("needs torchvision; pip install 'zen-cli[timm]'") from None
    known = models.list_models(module=models)
    if name not in known:
        raise SourceError(f"torchvision has no classifier of this name; {_near(name, known)}")
    given = dict(_TORCHVISION.get(name, {})) | ({} if num_classes is None else {"num_classes": num_classes})
    module = _built(lambda: models.get_model(name, weights=None, **given), num_classes)
    return _network(module, f"torchvision:{name}", (3, side or SIDE, side or SIDE))


def _near(name: str, known: list[str]) -> str:
    hint = nearest(name, known)
    some = ", ".join(known[:: max(1, len(known) // 3)][:3])
    return hint if hint.startswith("did") else f"it has {len(known)}, such as {some}"


def _built(build: Any, num_classes: int | None) -> nn.Module:
    from .modules import failure, without_memory

    try:
        with _quiet(), without_memory():
            module: nn.Module = build()
    except Exception as error:
        if num_classes is not None:
            raise UsageError(f"num_classes: the model cannot be built for {num_classes}: {failure(error)}") from None
        raise TraceError(f"cannot be built: {failure(error)}") from None
    return module


def _network(module: nn.Module, source: str, size: Image) -> TracedNetwork:
    from .modules import network_of_module

    with _quiet():
        return network_of_module(module, size, source=source, name=source)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of the packages, which are about how they are used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
