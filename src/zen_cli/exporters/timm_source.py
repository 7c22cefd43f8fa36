"""The text of a `timm` file: the classes that its network needs, the network, and what registers it with timm."""

from __future__ import annotations

from ..net.layers import size_of
from ..net.spec import ArchSpec
from .classifier_source import linear_texts, pool_texts
from .layout import Section, lay_out
from .pysource import ZERO_INIT, call, docstring, ending_lines, python_file, section_lines, unit_code
from .source import ExportSource
from .standalone import Imported, Symbol

_HOME = f"{__package__}.timm_backbone"
_IMPORTS = (
    Imported.of("typing", "Any"),
    Imported.of("timm.data", "IMAGENET_DEFAULT_MEAN"),
    Imported.of("timm.data", "IMAGENET_DEFAULT_STD"),
    Imported.of("timm.models", "build_model_with_cfg"),
    Imported.of("timm.models", "generate_default_cfgs"),
    Imported.of("timm.models", "register_model"),
    Imported.of("torch", "nn"),
)


def timm_source(source: ExportSource, stem: str) -> str:
    """The text of the file; `stem` is also the name of the model."""
    spec = source.spec
    code = unit_code(spec, Symbol(_HOME, "TimmBackbone"), Symbol(_HOME, "run_script_or_check"))
    parameters = ["self", f"num_classes: int = {spec.num_classes}", f"in_chans: int = {spec.in_channels}"]
    parameters += ['global_pool: str = "avg"', "drop_rate: float = 0.0", "zero_init_residual: bool = True"]
    net = [
        "class ZenNet(TimmBackbone):",
        '    """The network as timm uses it: images [B, in_chans, H, W] to logits [B, num_classes].',
        "",
        "    Args:",
        "        num_classes: outputs of the classifier; 0 gives pooled features.",
        "        in_chans: channels of the image.",
        "        global_pool: kind of pooling before the classifier.",
        "        drop_rate: dropout before the classifier.",
        *ZERO_INIT,
        '    """',
        "",
        *call("def __init__", parameters, 4, " -> None:"),
        "        super().__init__()",
        "        self.feature_info = [",
        *map(_feature_info, lay_out(spec).features),
        "        ]",
        *section_lines(spec, "in_chans"),
        *_classifier_lines(spec),
        *ending_lines(spec),
    ]
    closing = [
        f'Needs timm. `import {stem}` registers it: timm.create_model("{stem}") builds it, with the options of '
        "every timm model: num_classes, in_chans, drop_rate, features_only, out_indices.",
        f"To train it with timm's own script: python {stem}.py path/to/train.py --model {stem} ...",
    ]
    pieces = ["\n".join(net), *_registration(source, stem)]
    return python_file(docstring(spec, source.record, closing), code, _IMPORTS, pieces)


def _feature_info(section: Section) -> str:
    return f'            {{"num_chs": {section.width}, "reduction": {section.reduction}, "module": "{section.name}"}},'


def _classifier_lines(spec: ArchSpec) -> list[str]:
    """The statement that makes the classifier, with its hidden layers, and the poolings before it."""
    width, hidden, pools = spec.units[-1].width, linear_texts(spec)[:-1], pool_texts(spec)
    arguments = [str(width), "num_classes", "global_pool", "drop_rate"]
    arguments += [f"hidden=({', '.join(hidden)})"] if hidden else []
    if pools:
        pools += [] if spec.classifier.parts > 1 else ["nn.AdaptiveAvgPool2d(1)"]
        arguments.append(f"pool=nn.Sequential({', '.join(pools)})")
    features = [*spec.classifier.layers(width)][-1][0]
    arguments += [f"features={features}"] if features != width else []
    return call("self.add_classifier", arguments, 8)


def _last_layer(spec: ArchSpec) -> str:
    """The name of the linear layer that gives the logits."""
    hidden = len(linear_texts(spec)) - 1
    return f"classifier.{hidden}" if hidden else "classifier"


def _registration(source: ExportSource, stem: str) -> list[str]:
    """What timm knows of the model: its default configuration, and the function that builds it."""
    spec, layout = source.spec, lay_out(source.spec)
    image = (spec.in_channels, *spec.image_size)
    side = layout.sections[-1].side
    first = source.first_convs
    config = f'''default_cfgs = generate_default_cfgs(
    {{
        "{stem}": {{
            "url": "",
            "num_classes": {spec.num_classes},
            "input_size": {image},
            "pool_size": {size_of(side)},
            "crop_pct": {0.875 if min(spec.image_size) >= 128 else 1.0},
            "interpolation": "bicubic",
            "mean": IMAGENET_DEFAULT_MEAN,
            "std": IMAGENET_DEFAULT_STD,
            "first_conv": {f'"{first[0]}"' if len(first) == 1 else str(tuple(first)).replace("'", '"')},
            "classifier": "{_last_layer(spec)}",
        }},
    }}
)'''
    named = ["ZenNet", f'"{stem}"', "pretrained", "feature_cfg=feature_cfg", "**kwargs"]
    build = "\n".join(call("net: nn.Module = build_model_with_cfg", named, 4))
    builder = f'''@register_model
def {stem}(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """The network, as timm.create_model builds it."""
    feature_cfg = {{"out_indices": tuple(range({len(layout.features)})), "flatten_sequential": False}}
{build}
    return net'''
    arguments = f"ZenNet(), {spec.in_channels}, {spec.image_size}, {spec.cost.params:_}"
    return [config, builder, f'if __name__ == "__main__":\n    run_script_or_check({arguments})']
