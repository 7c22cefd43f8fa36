"""A network to export: its spec and record, and, made when a target needs them, its weights and module."""

from __future__ import annotations

import copy
import math
import types
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..devices import torch_threads
from ..net.merging import merge
from ..net.ops import Unit
from ..net.spec import ArchSpec
from .checker import count_parameters, measure_macs
from .layout import unit_names
from .torch_source import torch_source

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..net.module import ZenNet


class ExportSource:
    """What every target writes from.

    Args:
        spec: the architecture.
        record: the score record that it came in, for the provenance that files tell.
        where: where it was read, for messages.
        seed: of its weights.
        checkpoint: a file of trained weights, instead of the seed's.
        opset: of an ONNX file; None for the lowest that it needs.
        merge: whether batch normalisations and parallel branches become part of convolutions.
    """

    def __init__(
        self,
        spec: ArchSpec,
        record: dict[str, Any] | None = None,
        *,
        where: str = "",
        seed: int = 0,
        checkpoint: Path | None = None,
        opset: int | None = None,
        merge: bool = False,
    ) -> None:
        self.spec = spec
        self.record = record
        self.where = where or spec.name or spec.id
        self.seed = seed
        self.checkpoint = checkpoint
        self.opset = opset
        self.merge = merge

    @cached_property
    def reference(self) -> ZenNet:
        """The training-form module, in evaluation mode, that everything exported is compared with."""
        from .checkpoint import loaded
        from .weights import seeded

        if self.checkpoint is None:
            return seeded(self.spec, self.seed)
        return loaded(self.spec, self.checkpoint, self.names)

    @cached_property
    def images(self) -> tuple[Tensor, ...]:
        """What exported files are compared on: batches of 1 and 8, and one image of another size. [B, C, H, W] each"""
        import torch

        from .weights import random_images

        spec, generator = self.spec, torch.Generator().manual_seed(self.seed + 1)
        more = max(2, math.prod(gene.stride for gene in spec.genes))
        height, width = spec.image_size
        sizes = ((1, (height, width)), (8, (height, width)), (1, (height + more, width + more)))
        return tuple(random_images(batch, spec.in_channels, size, generator) for batch, size in sizes)

    @cached_property
    def rounding(self) -> float:
        """How far float32 takes the logits of the module from those of float64: a share of the largest one."""
        import torch

        exact, worst = copy.deepcopy(self.reference).double(), 0.0
        with torch.no_grad(), torch_threads(1):
            for images in self.images:
                wanted = exact(images.double())
                worst = max(worst, float((self.reference(images) - wanted).abs().max() / wanted.abs().max()))
        return worst

    @property
    def weights_text(self) -> str:
        """Where its weights come from."""
        return f"seed {self.seed}" if self.checkpoint is None else f"checkpoint {self.checkpoint.name}"

    @cached_property
    def names(self) -> dict[str, str]:
        """Names of the training-form module's tensors, and what each is called in what is exported."""
        import torch

        from ..net.module import build_classifier, build_unit

        known: dict[Unit, list[str]] = {}
        names: dict[str, str] = {}
        for own, exported, unit in unit_names(self.spec):
            if unit not in known:
                with torch.device("meta"):
                    known[unit] = list(build_unit(unit).state_dict())
            names |= {f"{own}.{name}": f"{exported}.{name}" for name in known[unit]}
        with torch.device("meta"):
            classifier = build_classifier(self.spec).state_dict()
        return {**names, **{f"classifier.{name}": f"classifier.{name}" for name in classifier}}

    @cached_property
    def first_convs(self) -> list[str]:
        """The exported names of the convolutions that see the image."""
        import torch
        from torch import nn

        from ..net.module import build_unit

        spec, seen = self.spec, []
        with torch.device("meta"):
            unit = build_unit(spec.units[0]).eval()
            image = torch.empty(1, spec.in_channels, 64, 64)
        for name, module in unit.named_modules(prefix="blocks.0.0"):
            if isinstance(module, nn.Conv2d):
                module.register_forward_pre_hook(lambda _, x, name=name: seen.append(name) if x[0] is image else None)
        unit(image)
        return [self.names[f"{name}.weight"].removesuffix(".weight") for name in seen]

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Weights and statistics under their exported names."""
        return {self.names[name]: tensor for name, tensor in self.reference.state_dict().items()}

    @cached_property
    def source(self) -> str:
        """The Python file of target `torch`."""
        return torch_source(self.spec)

    @cached_property
    def module(self) -> nn.Module:
        """The module that the Python file defines, with the weights, in evaluation mode."""
        import torch

        from ..net.module import allocate

        home = types.ModuleType("exported")
        exec(compile(self.source, "exported.py", "exec"), home.__dict__)
        home.__dict__["init_weights"] = lambda *_: None  # its weights are set below
        with torch.device("meta"):
            net: nn.Module = home.__dict__["ZenNet"]()
        allocate(net, torch.device("cpu"))
        net.load_state_dict(self.tensors)
        return merge(net.eval()) if self.merge else net.eval()

    @cached_property
    def counts(self) -> dict[str, int]:
        """Parameters and MACs of what is exported: those of the spec, or of its module when it is merged."""
        cost = self.spec.cost
        if not self.merge:
            return {"params": cost.params, "macs": cost.macs}
        net = merge(copy.deepcopy(self.reference))
        return {"params": count_parameters(net), "macs": measure_macs(net, self.images[0])}

    def release(self) -> None:
        """Forgets weights and modules; they are made again where they are needed again."""
        for name in ("reference", "images", "tensors", "module"):
            self.__dict__.pop(name, None)
