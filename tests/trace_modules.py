"""Small modules to trace, and factories for `module:`; imported by tests and named by their command lines."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv(width: int, out: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(out), nn.ReLU()
    )


class Net(nn.Module):
    """Convolutions, what is under test in between, a classifier."""

    def __init__(self, middle: nn.Module | None = None, width: int = 8, classes: int = 5) -> None:
        super().__init__()
        self.stem = conv(3, width, stride=2)
        self.middle = nn.Identity() if middle is None else middle
        self.end = conv(width, width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.end(self.middle(self.stem(x))).mean((2, 3)))


class Residual(nn.Module):
    """A deep branch beside a shortcut; which comes first does not matter."""

    def __init__(self, width: int = 8, swap: bool = False) -> None:
        super().__init__()
        self.one, self.two, self.shortcut = conv(width, width), conv(width, width), conv(width, width, 1)
        self.swap = swap

    def forward(self, x: Tensor) -> Tensor:
        body, shortcut = self.two(self.one(x)), self.shortcut(x)
        return shortcut + body if self.swap else body.add_(shortcut)


class Parallel(nn.Module):
    """Convolutions of several kernels on one map, as in RepVGG."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.small, self.large = conv(width, width, 1), conv(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.small(x) + self.large(x) + x


class Squeeze(nn.Module):
    """A gate from a global pool, by the functions that a module may use."""

    def __init__(self, width: int = 8, how: str = "mean") -> None:
        super().__init__()
        self.reduce, self.expand, self.how = nn.Conv2d(width, 2, 1), nn.Conv2d(2, width, 1), how

    def forward(self, x: Tensor) -> Tensor:
        pools: dict[str, Any] = {
            "mean": lambda: x.mean((2, 3), keepdim=True),
            "adaptive": lambda: functional.adaptive_avg_pool2d(x, 1),
            "rows": lambda: x.mean(3).mean(2)[..., None, None],
            "flat": lambda: x.flatten(2).mean(-1).view(x.shape[0], -1, 1, 1),
        }
        return x * self.expand(self.reduce(pools[self.how]()).relu()).sigmoid()


class Gate(nn.Module):
    """A spatial gate with a convolution of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.attend(both))


class Swish(nn.Module):
    """Activations written as products of a map with itself."""

    def forward(self, x: Tensor) -> Tensor:
        x = x * torch.sigmoid(x)
        x = x * torch.tanh(functional.softplus(x))
        return x * functional.relu6(x + 3) / 6


class Star(nn.Module):
    """A product of two feature maps."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.one, self.two = conv(width, width), conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) * self.two(x)


class Pointwise(nn.Module):
    """A linear layer on channels that come last, with LayerNorm, as in ConvNeXt."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.linear(self.norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class Mixer(nn.Module):
    """A linear layer over positions."""

    def __init__(self, positions: int) -> None:
        super().__init__()
        self.linear = nn.Linear(positions, positions)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(2)).view_as(x)


class Shuffle(nn.Module):
    """A channel shuffle by two reshapes."""

    def forward(self, x: Tensor) -> Tensor:
        count, width, height, columns = x.shape
        return x.view(count, 2, width // 2, height, columns).transpose(1, 2).reshape(count, width, height, columns)


class Dense(nn.Module):
    """A concatenation of a map and what follows from it."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.grow, self.back = conv(width, 4), conv(width + 4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.back(torch.cat([x, self.grow(x)], 1))


class Mixed(nn.Module):
    """A convolution whose kernel is a mixture of two, weighed for each image, as in CondConv."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.route, self.norm = nn.Linear(width, 2), nn.BatchNorm2d(width)
        self.weight = nn.Parameter(torch.randn(2, width * width * 9))

    def forward(self, x: Tensor) -> Tensor:
        width = x.shape[1]
        kernel = torch.matmul(torch.sigmoid(self.route(x.mean((2, 3)))), self.weight).view(width, width, 3, 3)
        return functional.relu(self.norm(functional.conv2d(x, kernel, padding=1)))


class Resolutions(nn.Module):
    """Two resolutions side by side, each of which is added to the other."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.large, self.down, self.small = conv(width, width), conv(width, width, stride=2), conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.large(x) + functional.interpolate(self.small(self.down(x)), scale_factor=2.0)


class Blur(nn.Module):
    """A convolution with a fixed kernel, as of anti-aliasing."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.ones(width, 1, 3, 3) / 9)

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.kernel, stride=2, padding=1, groups=x.shape[1])


class ComputedPadding(nn.Module):
    """Margins computed from the side of the map, which an exporter writes into the file as arithmetic."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        side: Any = x.shape[-1]
        if isinstance(side, Tensor):  # while it is exported
            need: Any = torch.clamp(((side / 2).ceil() - 1) * 2 + 3 - side, min=0)
        else:
            need = max(0, (math.ceil(side / 2) - 1) * 2 + 3 - side)
        half = need // 2
        return self.conv(functional.pad(x, (half, need - half, half, need - half)))


class SamePadding(nn.Module):
    """Zeros below and to the right alone, as TensorFlow pads."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.pad(x, (0, 1, 0, 1)))


class Depends(nn.Module):
    """Control flow by the numbers of the image."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Attention(nn.Module):
    def __init__(self, width: int = 8, fused: bool = False) -> None:
        super().__init__()
        self.project, self.fused = nn.Conv2d(width, 3 * width, 1), fused

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.project(x).flatten(2).transpose(1, 2).chunk(3, -1)
        if self.fused:
            mixed = functional.scaled_dot_product_attention(query, key, value)
        else:
            mixed = (query @ key.transpose(1, 2)).softmax(-1) @ value
        return mixed.transpose(1, 2).reshape(x.shape)


class Several(nn.Module):
    """Three outputs, as of a detector."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x, x[:, :, ::2], x.mean((2, 3))]


def classifier_of_convolutions() -> nn.Module:
    """Its classifier reads the whole map by a convolution, as VGG in timm, and then pools one position."""
    body = [conv(3, 8, stride=2), conv(8, 8)]
    hidden = [nn.Conv2d(8, 12, 8), nn.ReLU(), nn.Dropout(), nn.Conv2d(12, 12, 1), nn.ReLU()]
    return nn.Sequential(*body, *hidden, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5))


class NeedsGpu(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        raise RuntimeError("Found no NVIDIA driver on your system")


def make(width: int = 8, classes: int = 5) -> nn.Module:
    return Net(width=width, classes=classes)


def gray() -> nn.Module:
    return nn.Sequential(conv(1, 4), conv(4, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


def prints() -> nn.Module:
    print("made by the factory")
    return Net()


def fails() -> nn.Module:
    raise ValueError("first line\nsecond line")


def leaves() -> nn.Module:
    raise SystemExit(7)


def number() -> int:
    return 7


ready = Net()
text = "no factory"
