"""Loads exported files in a process of its own, runs and counts them. Copied beside the files and run as a script.

It knows nothing of the program that wrote the files: importing `zen_cli` fails here, so what passes stands alone.
The job, `job.json`, lists networks, each with its reference (`torch.save`: tensors, and cases of images and logits) and
its files; the answer, `result.json`, has a row for each file. Shapes: B images, C channels, H x W.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import json
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

FORBIDDEN = "zen_cli"


class Barrier(importlib.abc.MetaPathFinder):
    """Makes the program that wrote the files impossible to import."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuses one name and leaves all others to the finders behind."""
        if fullname.partition(".")[0] == FORBIDDEN:
            raise ModuleNotFoundError(f"{fullname} must not be needed here", name=fullname)
        return None


sys.meta_path.insert(0, Barrier())
warnings.simplefilter("ignore")

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

Run = Callable[[Tensor], Tensor]


def load_source(path: Path) -> ModuleType:
    """A Python file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def load_net(path: Path, tensors: dict[str, Tensor]) -> Any:
    """The network of a `torch` file with the reference weights."""
    net = load_source(path).ZenNet()
    net.load_state_dict(tensors, strict=True)
    return net.eval()


def count_parameters(module: Any) -> int:
    """Trainable numbers."""
    return sum(tensor.numel() for tensor in module.parameters())


def measure_macs(run: Run, images: Tensor) -> int:
    """Multiply-adds for the images, as PyTorch's own counter sees them while they run."""
    with FlopCounterMode(display=False) as counter:
        run(images)
    return int(counter.get_total_flops()) // 2


def check_torch(path: Path, job: dict[str, Any]) -> tuple[Run, int]:
    """A `torch` file; its feature maps must have the strides and widths that it states."""
    net = load_net(path, job["tensors"])
    images, _ = job["cases"][0]
    features = net.forward_features(images)
    for stride, width, feature in zip(net.feature_strides, net.feature_widths, features, strict=True):
        side = feature.shape[-1]
        assert feature.shape[1] == width, f"a feature map has {feature.shape[1]} channels, not {width}"
        assert side == math.ceil(images.shape[-1] / stride), f"a feature map has side {side} at stride {stride}"
    return net, count_parameters(net)


def check_weights(path: Path, job: dict[str, Any]) -> tuple[Run, int]:
    """A state dict beside a Python file."""
    net = load_net(Path(job["source"]), torch.load(path, weights_only=True))
    return net, count_parameters(net)


def check_safetensors(path: Path, job: dict[str, Any]) -> tuple[Run, int]:
    """A `safetensors` file, loaded into the module of the `torch` file."""
    from safetensors.torch import load_file

    net = load_net(Path(job["source"]), load_file(path))
    return net, count_parameters(net)


def check_timm(path: Path, job: dict[str, Any]) -> tuple[Run, int]:
    """A `timm` file: created by name, cut down to features, given another head, and run."""
    import timm

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
    assert other(images).shape[1] == other.num_features, "reset_classifier(0) does not give features"
    config = timm.data.resolve_data_config({}, model=net)
    assert config["input_size"] == tuple(images.shape[1:]), "the default config has another input size"
    assert net.default_cfg["num_classes"] == logits.shape[1], "the default config has another number of classes"
    return net, count_parameters(net)


def check_pt2(path: Path, _: dict[str, Any]) -> tuple[Run, int]:
    """A `torch.export` program."""
    program = torch.export.load(path)
    return program.module(), count_parameters(program)


def check_torchscript(path: Path, _: dict[str, Any]) -> tuple[Run, int]:
    """A TorchScript module."""
    net: nn.Module = torch.jit.load(path)  # type: ignore[no-untyped-call]  # torch
    return net, count_parameters(net)


def check_onnx(path: Path, _: dict[str, Any]) -> tuple[Run, int]:
    """An ONNX model under onnxruntime."""
    import onnx
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    graph = onnx.load(path).graph
    statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:5]}
    params = sum(math.prod(row.dims) for row in graph.initializer if row.name not in statistics)
    return lambda images: torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0]), params


def count_onnx_macs(path: Path) -> int:
    """Multiply-adds for one image, from the shapes that ONNX infers."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    sides = {row.name: [axis.dim_value for axis in row.type.tensor_type.shape.dim[2:]] for row in graph.value_info}
    weights = {row.name: tuple(row.dims) for row in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            area = math.prod(sides[node.output[0]]) if node.op_type == "Conv" else 1
            total += math.prod(weights[node.input[1]]) * area
    return total


CHECKS: dict[str, Callable[[Path, dict[str, Any]], tuple[Run, int]]] = {
    "torch": check_torch,
    "weights": check_weights,
    "timm": check_timm,
    "pt2": check_pt2,
    "torchscript": check_torchscript,
    "onnx": check_onnx,
    "safetensors": check_safetensors,
}
ANY_SIZE = ("torch", "timm", "torchscript", "weights", "safetensors")


def check(target: str, path: Path, job: dict[str, Any]) -> dict[str, Any]:
    """The row of one file: parameters, MACs, images it ran on, and the largest difference over the largest logit."""
    run, params = CHECKS[target](path, job)
    worst, shapes = 0.0, []
    for index, (images, logits) in enumerate(job["cases"]):
        if index and images.shape[-1] != job["cases"][0][0].shape[-1] and target not in ANY_SIZE:
            continue
        answer = run(images)
        assert answer.shape == logits.shape, f"logits of shape {tuple(answer.shape)}, not {tuple(logits.shape)}"
        difference = (answer - logits).abs().max() / logits.abs().max().clamp(min=1e-30)
        worst = max(worst, float(difference)) if math.isfinite(difference) else math.inf
        shapes.append(list(images.shape))
    first = job["cases"][0][0]
    macs = count_onnx_macs(path) if target == "onnx" else measure_macs(run, first)
    return {"difference": worst, "params": params, "macs": macs, "shapes": shapes}


def main(folder: Path) -> None:
    """Answers the job of a folder."""
    rows = []
    with torch.no_grad():
        for network in json.loads((folder / "job.json").read_text()):
            job = {**torch.load(network["reference"], weights_only=True), "source": network["source"]}
            for target, path in network["files"]:
                try:
                    rows.append(check(target, Path(path), job))
                except Exception as error:
                    rows.append({"error": f"{type(error).__name__}: {error}"})
    assert not any(name.partition(".")[0] == FORBIDDEN for name in sys.modules), "the exporting program was imported"
    (folder / "result.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
