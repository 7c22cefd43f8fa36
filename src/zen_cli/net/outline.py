"""What a chain of a traced network leaves out and its spec needs: activations, gates, shortcuts, the classifier."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

ShortcutKind: TypeAlias = Literal["identity", "projection", "pooled", "other"]


class Squeeze(NamedTuple):
    """Squeeze-and-excitation: the width of its bottleneck, and what its two convolutions have.

    normed: whether a normalisation follows them.
    activation, gate: after the first and after the second, as PyTorch calls them.
    """

    width: int
    bias: bool
    normed: bool
    activation: str
    gate: str


class LayerEnd(NamedTuple):
    """What a layer of a chain has beside its convolution.

    activation: as PyTorch calls it; empty where nothing follows.
    fault: what follows and no block has.
    """

    bias: bool
    normed: bool
    activation: str = ""
    squeeze: Squeeze | None = None
    fault: str = ""


class Shortcut(NamedTuple):
    """An addition around layers `first` to `last` of a chain, counted from 0, and the activation after it.

    kind: what is added: the input of the first; a 1x1 convolution of it, with the stride or after an average pooling
        that has it; or anything else.
    """

    first: int
    last: int
    kind: ShortcutKind
    activation: str = ""


class Outline(NamedTuple):
    """What a chain leaves out.

    ends: of each layer.
    shortcuts: in order.
    hidden: width and activation of each hidden layer of the classifier.
    num_classes: of a linear classifier after a global pool; None without one.
    """

    ends: tuple[LayerEnd, ...]
    shortcuts: tuple[Shortcut, ...]
    hidden: tuple[tuple[int, str], ...]
    num_classes: int | None
