"""The text of a `torch` file: the classes that its network needs, and the network unit by unit."""

from __future__ import annotations

from typing import Any

from ..net.layers import side_text
from ..net.spec import ArchSpec
from .classifier_source import linear_texts, pool_texts, pooled_method, sequential
from .layout import lay_out
from .pysource import ZERO_INIT, call, docstring, ending_lines, python_file, section_lines, tuple_of, unit_code
from .standalone import Imported, Symbol

_HOME = f"{__package__}.backbone"


def torch_source(spec: ArchSpec, record: dict[str, Any] | None = None, stem: str = "zennet") -> str:
    """The text of the file.

    Args:
        spec: the network.
        record: the score record that it came in.
        stem: the name that the file is imported by.
    """
    code = unit_code(spec, Symbol(_HOME, "Backbone"), Symbol(_HOME, "check_itself"))
    closing = f"Needs PyTorch alone. Run the file to check it; import {stem} to train it."
    features = lay_out(spec).features
    channels = "1 channel" if spec.in_channels == 1 else f"{spec.in_channels} channels"
    parameters = ["self", f"num_classes: int = {spec.num_classes}", f"in_channels: int = {spec.in_channels}"]
    parameters += ["*", "zero_init_residual: bool = True"]
    net = [
        "class ZenNet(Backbone):",
        f'    """The network: images [B, {spec.in_channels}, H, W] to logits [B, num_classes].',
        "",
        f"    Counted and scored for {channels} of {side_text(spec.resolution)}; other sizes work too.",
        "",
        "    Args:",
        "        num_classes: outputs of the classifier.",
        "        in_channels: channels of the image.",
        *ZERO_INIT,
        '    """',
        "",
        f"    feature_strides = {tuple_of([section.reduction for section in features])}",
        f"    feature_widths = {tuple_of([section.width for section in features])}",
        "",
        *call("def __init__", parameters, 4, " -> None:"),
        "        super().__init__()",
        *section_lines(spec, "in_channels"),
        *_classifier_lines(spec),
        *ending_lines(spec),
        *(pooled_method(spec) if pool_texts(spec) else ()),
    ]
    arguments = f"ZenNet(), {spec.in_channels}, {spec.image_size}, {spec.cost.params:_}"
    main = ['if __name__ == "__main__":', f"    check_itself({arguments})"]
    head = docstring(spec, record, [closing])
    return python_file(head, code, [Imported.of("torch", "nn")], ["\n".join(net), "\n".join(main)])


def _classifier_lines(spec: ArchSpec) -> list[str]:
    """The statements that make the classifier, with its hidden layers, and the poolings before it."""
    pools = pool_texts(spec)
    lines = sequential("pool", pools) if pools else []
    if not spec.num_classes:
        width = spec.classifier.features(spec.units[-1].width)
        return [*lines, f"        self.classifier = nn.Linear({width}, num_classes) if num_classes else nn.Identity()"]
    texts = linear_texts(spec)
    if len(texts) > 1:
        return [*lines, *sequential("classifier", texts)]
    return [*lines, f"        self.classifier = {texts[0]}"]
