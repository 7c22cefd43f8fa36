"""Target `torch`: one Python file with the network written out, which needs PyTorch and nothing else."""

from __future__ import annotations

from ..net.spec import ArchSpec
from .layout import lay_out
from .pyclasses import call, classes, init_lines, needs
from .pysource import ZERO_INIT_DOC, docstring, feature_lines, stage_lines
from .source_network import Network


def write(network: Network) -> bytes:
    """The file."""
    return torch_source(network).encode()


def torch_source(network: Network) -> str:
    """The source of the file: classes that the network needs, the network, and a check of itself."""
    spec = network.spec
    layout, need = lay_out(spec), needs(spec)
    head = docstring(
        spec,
        network.record,
        [
            f"Needs PyTorch alone. Run the file to check it; import {network.module_name} to train it.",
        ],
    )
    imports = ["import math"]
    if need.repeats or need.pairs:
        imports.append("from collections.abc import Iterator")
    widths = [part.width for part in layout.features]
    strides = [part.reduction for part in layout.features]
    in_place = "self.head(self.forward_features(x)[-1])" if layout.head else "self.forward_features(x)[-1]"
    channels = "1 channel" if spec.in_channels == 1 else f"{spec.in_channels} channels"
    body = [
        "class ZenNet(nn.Module):",
        f'    """The network: images [B, {spec.in_channels}, H, W] to logits [B, num_classes].',
        "",
        f"    Counted and scored for {channels} of {spec.resolution} x {spec.resolution}; other sizes work too.",
        "",
        "    Args:",
        "        num_classes: outputs of the classifier.",
        "        in_channels: channels of the image.",
        *ZERO_INIT_DOC,
        '    """',
        "",
        f"    feature_strides = {_tuple(strides)}",
        f"    feature_widths = {_tuple(widths)}",
        "",
        *call("def __init__", _parameters(spec), 4, " -> None:"),
        "        super().__init__()",
        *stage_lines(spec),
        f"        self.classifier = nn.Linear({spec.units[-1].width}, num_classes)",
        "        self.init_weights(zero_init_residual)",
        "",
        "    def init_weights(self, zero_init_residual: bool = True) -> None:",
        '        """He initialisation by fan-out (per group), a small normal one for the classifier."""',
        *init_lines(need),
        "",
        "    def forward_features(self, x: Tensor) -> list[Tensor]:",
        '        """The last map at each of `feature_strides`, finest first, for detection and segmentation heads."""',
        *feature_lines(layout),
        "",
        "    def forward(self, x: Tensor) -> Tensor:",
        '        """Logits."""',
        f"        x = {in_place}",
        "        logits: Tensor = self.classifier(x.mean((2, 3)))",
        "        return logits",
    ]
    pieces = [
        *classes(spec),
        "\n".join(body) + "\n",
        _check(spec.in_channels, spec.resolution, spec.num_classes, spec.cost.params),
    ]
    preamble = [head, "", "from __future__ import annotations", "", *imports, "", "import torch"]
    preamble += ["from torch import Tensor, nn"]
    return "\n".join(preamble) + "\n\n\n" + "\n\n".join(pieces)


def _check(in_channels: int, resolution: int, num_classes: int, params: int) -> str:
    return f'''def main() -> None:
    """Builds the network, runs it on random images and counts its parameters."""
    net = ZenNet().eval()
    images = torch.randn(2, {in_channels}, {resolution}, {resolution})
    with torch.inference_mode():
        features, logits = net.forward_features(images), net(images)
    for stride, feature in zip(net.feature_strides, features, strict=True):
        print(f"stride {{stride:>3}}: {{' x '.join(map(str, feature.shape[1:]))}}")
    params = sum(tensor.numel() for tensor in net.parameters())
    assert params == {params:_}, f"{{params:,}} parameters, not {params:,}"
    assert logits.shape == (2, {num_classes}) and bool(logits.isfinite().all()), "the logits are not as they should be"
    print(f"{{params:,}} parameters, logits {{' x '.join(map(str, logits.shape))}}: as it should be")


if __name__ == "__main__":
    main()
'''


def _parameters(spec: ArchSpec) -> list[str]:
    numbers = [f"num_classes: int = {spec.num_classes}", f"in_channels: int = {spec.in_channels}"]
    return ["self", *numbers, "*", "zero_init_residual: bool = True"]


def _tuple(values: list[int]) -> str:
    return f"({values[0]},)" if len(values) == 1 else f"({', '.join(map(str, values))})"
