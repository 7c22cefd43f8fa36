"""Target `timm`: a Python file that registers the network with `timm`, for its training script and its users."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .checker import Loaded, count_parameters, load_source
from .target import Target

if TYPE_CHECKING:
    from .source import ExportSource


def check_timm(path: Path, job: dict[str, Any]) -> Loaded:
    """A `timm` file: created by name, cut down to features, given another head, and run."""
    import timm

    known = timm.is_model(path.stem) and timm.model_entrypoint(path.stem).__module__.startswith("timm.")
    assert not known, f"timm has a model {path.stem} of its own; give the file another name"
    load_source(path)
    net = timm.create_model(path.stem)
    net.load_state_dict(job["tensors"], strict=True)
    net.eval()
    images, logits = job["cases"][0]
    backbone = timm.create_model(path.stem, features_only=True).eval()
    for feature, width, reduction in zip(
        backbone(images), backbone.feature_info.channels(), backbone.feature_info.reduction(), strict=True
    ):
        assert feature.shape[1] == width, f"a feature map has {feature.shape[1]} channels, not {width}"
        assert feature.shape[-1] == math.ceil(images.shape[-1] / reduction), "a feature map has another reduction"
    other = timm.create_model(path.stem, num_classes=7).eval()
    assert other(images).shape[1] == 7, "num_classes does not reach the classifier"
    other.reset_classifier(0)
    assert other(images).shape[1] == other.head_hidden_size, "reset_classifier(0) does not give features"
    config = timm.data.resolve_data_config({}, model=net)
    assert config["input_size"] == tuple(images.shape[1:]), "the default config has another input size"
    assert net.default_cfg["num_classes"] == logits.shape[1], "the default config has another number of classes"
    return Loaded(net, count_parameters(net))


class TimmFile(Target):
    """A Python file for `timm.create_model`."""

    name, suffix, summary = "timm", "_timm.py", "a Python file that registers with timm"
    needs, extra = ("timm",), "timm"
    is_text = is_python = any_side = True
    check = staticmethod(check_timm)

    def write(self, source: ExportSource, stem: str) -> bytes:
        from .timm_source import timm_source

        if not source.spec.num_classes:
            raise InputError("timm models have a classifier; export to torch instead")
        return timm_source(source, stem).encode()
