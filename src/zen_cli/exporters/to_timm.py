"""Target `timm`: a Python file that registers the network with `timm`, for its training script and its users."""

from __future__ import annotations

from .layout import Layout, lay_out
from .pyclasses import call, classes, init_lines, needs
from .pysource import ZERO_INIT_DOC, docstring, loop, stage_lines
from .source_network import Network


def write(network: Network) -> bytes:
    """The file."""
    return timm_source(network, f"{network.module_name}_timm").encode()


def timm_source(network: Network, name: str) -> str:
    """The source of the file; `name` is that of the file and of the model."""
    spec = network.spec
    layout, need = lay_out(spec), needs(spec)
    head = docstring(
        spec,
        network.record,
        [
            f'Needs timm. `import {name}` registers it: timm.create_model("{name}") builds it, with the options of '
            "every timm model: num_classes, in_chans, drop_rate, features_only, out_indices.",
            f"To train it with timm's own script: python {name}.py path/to/train.py --model {name} ...",
        ],
    )
    imports = ["import math", "import runpy", "import sys"]
    if need.repeats or need.pairs:
        imports.append("from collections.abc import Iterator")
    imports += ["from typing import Any", "", "import torch"]
    imports += ["from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD"]
    imports += ["from timm.layers.classifier import ClassifierHead"]
    imports += ["from timm.models import build_model_with_cfg, generate_default_cfgs, register_model"]
    imports += ["from torch import Tensor, nn"]
    imports += ["from torch.utils.checkpoint import checkpoint"] if layout.stages else []
    width = spec.units[-1].width
    first = (layout.parts[0].name, _first_conv(layout))
    infos = [
        f'            {{"num_chs": {part.width}, "reduction": {part.reduction}, "module": "{part.name}"}},'
        for part in layout.features
    ]
    parameters = ["self", f"num_classes: int = {spec.num_classes}", f"in_chans: int = {spec.in_channels}"]
    parameters += ['global_pool: str = "avg"', "drop_rate: float = 0.0", "zero_init_residual: bool = True"]
    body = [
        "class ZenNet(nn.Module):",
        '    """The network as timm wants it: images [B, in_chans, H, W] to logits [B, num_classes].',
        "",
        "    Args:",
        "        num_classes: outputs of the classifier; 0 gives pooled features.",
        "        in_chans: channels of the image.",
        "        global_pool: kind of pooling in front of the classifier.",
        "        drop_rate: dropout in front of the classifier.",
        *ZERO_INIT_DOC,
        '    """',
        "",
        *call("def __init__", parameters, 4, " -> None:"),
        "        super().__init__()",
        "        self.num_classes = num_classes",
        f"        self.num_features = self.head_hidden_size = {width}",
        "        self.grad_checkpointing = False",
        "        self.feature_info = [",
        *infos,
        "        ]",
        *[line.replace("in_channels", "in_chans") for line in stage_lines(spec)],
        f"        self.pool = ClassifierHead({width}, 0, pool_type=global_pool, drop_rate=drop_rate)",
        f"        self.classifier = nn.Linear({width}, num_classes) if num_classes > 0 else nn.Identity()",
        "        self.init_weights(zero_init_residual)",
        "",
        "    def init_weights(self, zero_init_residual: bool = True) -> None:",
        '        """He initialisation by fan-out (per group), a small normal one for the classifier."""',
        *init_lines(need),
        "",
        "    def get_classifier(self) -> nn.Module:",
        '        """The classifier."""',
        "        return self.classifier",
        "",
        "    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:",
        '        """Another classifier, for another task."""',
        "        self.num_classes = num_classes",
        "        if global_pool is not None:",
        "            self.pool.reset(0, global_pool)",
        "        self.classifier = nn.Linear(self.num_features, num_classes) if num_classes > 0 else nn.Identity()",
        "",
        "    def set_grad_checkpointing(self, enable: bool = True) -> None:",
        '        """Whether the stages trade time for memory in training."""',
        "        self.grad_checkpointing = enable",
        "",
        "    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:",
        '        """Groups of parameters for learning rates that decay layer by layer."""',
        *_matcher(layout),
        "",
        "    def forward_features(self, x: Tensor) -> Tensor:",
        '        """The last feature map, head included."""',
        *_forward(layout),
        "",
        "    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:",
        '        """Logits, or pooled features, of the last feature map."""',
        "        x = self.pool(x)",
        "        return x if pre_logits else self.classify(x)",
        "",
        "    def classify(self, x: Tensor) -> Tensor:",
        '        """Logits of pooled features."""',
        "        logits: Tensor = self.classifier(x)",
        "        return logits",
        "",
        "    def forward(self, x: Tensor) -> Tensor:",
        '        """Logits."""',
        "        return self.forward_head(self.forward_features(x))",
    ]
    pieces = [*classes(spec), "\n".join(body) + "\n", _register(network, name, f"{first[0]}{first[1]}")]
    preamble = [head, "", "from __future__ import annotations", "", *imports]
    return "\n".join(preamble) + "\n\n\n" + "\n\n".join(pieces)


def _forward(layout: Layout) -> list[str]:
    if not layout.stages and layout.head is None:
        return ["        features: Tensor = self.stem(x)", "        return features"]
    lines = [] if layout.stem is None else ["        x = self.stem(x)"]
    if layout.stages:
        names = ", ".join(f"self.{part.name}" for part in layout.stages)
        lines += loop(f"({names},)" if len(layout.stages) == 1 else f"({names})", layout)
        lines += ["            x = checkpoint(stage, x, use_reentrant=False) if self.grad_checkpointing else stage(x)"]
    if layout.head is None:
        return [*lines, "        return x"]
    return [*lines, "        features: Tensor = self.head(x)", "        return features"]


def _matcher(layout: Layout) -> list[str]:
    stem = layout.parts[0].name
    return [
        '        deep = [(r"^stage(\\d+)\\.(\\d+)", None), (r"^head", (99999,))]',
        f'        return {{"stem": r"^{stem}\\.", "blocks": r"^stage(\\d+)" if coarse else deep}}',
    ]


def _first_conv(layout: Layout) -> str:
    part = layout.parts[0]
    unit = part.units[0]
    index = "" if part.is_bare else ".0"
    return f"{index}.conv" if unit.op == "conv" else f"{index}.conv1.conv"


def _register(network: Network, name: str, first_conv: str) -> str:
    spec = network.spec
    side = spec.resolution
    crop = 0.875 if side >= 128 else 1.0
    first = network.spec.units[0]
    shortcut = first_conv.removesuffix("conv1.conv") + "shortcut.conv"
    convs = f'"{first_conv}"' if first.op == "conv" else f'("{first_conv}", "{shortcut}")'
    out_indices = len(lay_out(spec).features)
    return f'''default_cfgs = generate_default_cfgs(
    {{
        "{name}": {{
            "url": "",
            "num_classes": {spec.num_classes},
            "input_size": ({spec.in_channels}, {side}, {side}),
            "pool_size": ({lay_out(spec).parts[-1].side}, {lay_out(spec).parts[-1].side}),
            "crop_pct": {crop},
            "interpolation": "bicubic",
            "mean": IMAGENET_DEFAULT_MEAN,
            "std": IMAGENET_DEFAULT_STD,
            "first_conv": {convs},
            "classifier": "classifier",
        }},
    }}
)


@register_model
def {name}(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """The network, as timm.create_model builds it."""
    feature_cfg = {{"out_indices": tuple(range({out_indices})), "flatten_sequential": False}}
    net: nn.Module = build_model_with_cfg(ZenNet, "{name}", pretrained, feature_cfg=feature_cfg, **kwargs)
    return net


def main() -> None:
    """Runs another script, such as timm's train.py, with this model registered; without one, checks the model."""
    if len(sys.argv) > 1:
        sys.argv = sys.argv[1:]
        runpy.run_path(sys.argv[0], run_name="__main__")
        return
    net = ZenNet().eval()
    with torch.inference_mode():
        logits = net(torch.randn(2, {spec.in_channels}, {side}, {side}))
    params = sum(tensor.numel() for tensor in net.parameters())
    assert params == {network.cost.params:_}, f"{{params:,}} parameters, not {network.cost.params:,}"
    print(f"{name}: {{params:,}} parameters, logits {{' x '.join(map(str, logits.shape))}}: as it should be")


if __name__ == "__main__":
    main()
'''
