"""The lines of a Python file that make what follows the last map: poolings and linear layers."""

from __future__ import annotations

from ..net.ops.arguments import MODULES
from ..net.spec import ArchSpec


def linear_texts(spec: ArchSpec) -> list[str]:
    """The modules of the classifier in order, the last of them for `num_classes`; one without hidden layers."""
    texts = []
    *hidden, (width, _, _) = spec.classifier.layers(spec.units[-1].width)
    for before, out, has_bias in hidden:
        texts.append(f"nn.Linear({before}, {out})" if has_bias else f"nn.Linear({before}, {out}, bias=False)")
        texts.append(f"nn.{MODULES[spec.classifier.activation]}()")
    return [*texts, f"nn.Linear({width}, num_classes)"]


def pool_texts(spec: ArchSpec) -> list[str]:
    """The modules between the last map and the classifier; none for the mean of all positions."""
    pool, parts, texts = spec.classifier.pool, spec.classifier.parts, []
    if pool is not None:
        kind = "MaxPool2d" if pool.kind == "max" else "AvgPool2d"
        padding = f", padding={pool.padding}" if pool.padding else ""
        texts.append(f"nn.{kind}(kernel_size={pool.kernel}, stride={pool.stride}{padding})")
    return [*texts, f"nn.AdaptiveAvgPool2d({parts})"] if parts > 1 else texts


def sequential(name: str, texts: list[str]) -> list[str]:
    """The statement that sets an attribute to modules in a row."""
    return [f"        self.{name} = nn.Sequential(", *(f"            {text}," for text in texts), "        )"]


def pooled_method(spec: ArchSpec) -> list[str]:
    """The method of a network whose classifier reads something else than the mean of all positions."""
    parts = spec.classifier.parts
    said = "its means over all positions" if parts == 1 else f"the means of its {parts} x {parts} parts"
    return [
        "",
        "    def pooled(self, x: Tensor) -> Tensor:",
        f'        """What the classifier reads of the last map: a pooling, and {said}."""'
        if spec.classifier.pool is not None
        else f'        """What the classifier reads of the last map: {said}."""',
        f"        y: Tensor = self.pool(x){'.mean((2, 3))' if parts == 1 else '.flatten(1)'}",
        "        return y",
    ]
