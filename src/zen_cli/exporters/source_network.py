"""A network on its way out: its spec and record, and, made when a target asks for them, its weights and module."""

from __future__ import annotations

import copy
import math
import types
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..net.counting import Cost
from ..net.spec import ArchSpec
from .layout import name_map

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..net.module import ZenNet


class Network:
    """What every target writes from.

    Args:
        spec: the architecture.
        record: the score record it came in, for the provenance that files tell.
        where: where it was read, for messages.
        module_name: the stem of its file names, which a Python file can be imported by.
        seed: of its weights.
        checkpoint: a file of trained weights, instead of the seed's.
    """

    def __init__(
        self,
        spec: ArchSpec,
        record: dict[str, Any] | None = None,
        where: str = "",
        module_name: str = "zennet",
        seed: int = 0,
        checkpoint: Path | None = None,
    ) -> None:
        self.spec = spec
        self.record = record
        self.where = where or spec.name or spec.id
        self.module_name = module_name
        self.seed = seed
        self.checkpoint = checkpoint

    @cached_property
    def cost(self) -> Cost:
        """Its exact cost."""
        return self.spec.cost

    @cached_property
    def reference(self) -> ZenNet:
        """The training-form module, in evaluation mode, that everything exported is compared with."""
        from .weights import loaded, seeded

        if self.checkpoint is None:
            return seeded(self.spec, self.seed)
        return loaded(self.spec, self.checkpoint, self.names)

    @cached_property
    def images(self) -> tuple[Tensor, ...]:
        """What exported files are compared on: batches of 1 and 8, and one image of another size. [B, C, H, W] each"""
        import torch

        from .weights import random_images

        spec, generator = self.spec, torch.Generator().manual_seed(self.seed + 1)
        larger = spec.resolution + max(2, math.prod(block.stride for block in spec.blocks))
        sizes = ((1, spec.resolution), (8, spec.resolution), (1, larger))
        return tuple(random_images(batch, spec.in_channels, side, generator) for batch, side in sizes)

    @cached_property
    def rounding(self) -> float:
        """How far float32 takes the logits of the module from those of float64: a share of the largest one."""
        import torch

        exact, worst = copy.deepcopy(self.reference).double(), 0.0
        with torch.no_grad():
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

        from ..net.module import build

        with torch.device("meta"):
            return name_map(self.spec, list(build(self.spec).state_dict()))

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Weights and statistics under their exported names."""
        return {self.names[name]: tensor for name, tensor in self.reference.state_dict().items()}

    @cached_property
    def source(self) -> str:
        """The Python file of target `torch`."""
        from .to_torch import torch_source

        return torch_source(self)

    @cached_property
    def module(self) -> nn.Module:
        """The module that the Python file defines, with the weights, in evaluation mode."""
        import torch

        home = types.ModuleType(self.module_name)
        exec(compile(self.source, f"{self.module_name}.py", "exec"), home.__dict__)
        with torch.device("meta"):
            net: nn.Module = home.__dict__["ZenNet"]()
        net.to_empty(device="cpu")
        net.load_state_dict(self.tensors)
        return net.eval()
