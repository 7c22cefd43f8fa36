# quick --quick
"""Find a network, export it, train it beside one made by hand: real images, plain PyTorch, minutes on a laptop.

    pip install 'zen-cli[examples]'
    python examples/train_digits.py                      # search, export, train, plot
    python examples/train_digits.py --arch my_net.json   # train a network of yours instead

The images are the 1,797 handwritten digits that ship inside scikit-learn, enlarged to 16 x 16. `zen search` finds a
network within limits; `zen export` writes it as a Python file, which is all that the training below imports. The
network made by hand is a small ResNet; its widths are chosen so that its number of parameters is the same within a few
percent. All files are written to `--out`. The script can be stopped at any time; started again, it continues after the
last finished epoch.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

SIDE, CLASSES = 16, 10
TRAINED_EPOCHS = 10  # before, how quickly a network begins to learn decides, and deep ones begin slowly
BATCH, WEIGHT_DECAY, SMOOTHING, PEAK_RATE = 64, 5e-4, 0.1, 0.1


class Digits(NamedTuple):
    """Images [N, 1, 16, 16] of mean 0 and variance 1, and labels [N], to train and to test on."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


class HandMade(nn.Module):
    """What one would write by hand: three stages of two basic units each, about twice as wide as the one before."""

    def __init__(self, width: int, last: int) -> None:
        super().__init__()
        widths = [width, width, width, 2 * width, 2 * width, last, last]
        self.stem = self.conv(1, width)
        self.units = nn.ModuleList(self.unit(a, b) for a, b in pairwise(widths))
        self.shortcuts = nn.ModuleList(
            nn.Identity() if a == b else nn.Conv2d(a, b, 1, 2, bias=False) for a, b in pairwise(widths)
        )
        self.classifier = nn.Linear(last, CLASSES)

    @staticmethod
    def conv(a: int, b: int, stride: int = 1) -> nn.Sequential:
        """A 3x3 convolution with batch normalisation and ReLU."""
        return nn.Sequential(nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())

    @classmethod
    def unit(cls, a: int, b: int) -> nn.Sequential:
        """Two convolutions; the first halves the map where the width grows."""
        return nn.Sequential(*cls.conv(a, b, 1 if a == b else 2), *list(cls.conv(b, b))[:2])

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = self.stem(x)
        for unit, shortcut in zip(self.units, self.shortcuts, strict=True):
            x = torch.relu(unit(x) + shortcut(x))
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


def main() -> None:
    """Search, export, train both, plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--arch", type=Path, help="a spec or record to train, instead of searching for one")
    parser.add_argument("--out", type=Path, default=Path("digits"), help="folder of all files")
    parser.add_argument("--max-params", default="60k")
    parser.add_argument("--max-macs", default="4M")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a smaller network and 2 epochs, as a test")
    options = parser.parse_args()
    if options.quick:
        options.max_params, options.max_macs, options.epochs = "15k", "1M", min(options.epochs, 2)
    options.out.mkdir(parents=True, exist_ok=True)
    found = export(options.arch or search(options), options.out)
    torch.manual_seed(options.seed)
    networks = {"found": found, "hand-made": match(count(found))}
    data = load(options.seed)
    curves = {}
    for name, net in networks.items():
        curves[name] = train(name, net, data, options.epochs, options.seed, options.out / f"{name}.checkpoint.pt")
        print(f"{name:>9}: {size(net)}, {curves[name][-1]:.2%} of the test digits right")
    if options.epochs < TRAINED_EPOCHS:
        few = f"after {options.epochs} epochs neither is trained, and the difference says nothing"
        print(f"{few}; take {TRAINED_EPOCHS} or more")
    plot(curves, networks, options.out / "accuracy.png")
    (options.out / "accuracy.json").write_text(json.dumps(curves, indent=1))
    print(f"curves: {options.out / 'accuracy.png'}, trained weights: {options.out / 'found.pt'}")


def search(options: argparse.Namespace) -> Path:
    """The best network within the limits, by `zen search`; searched once for each set of options, then kept."""
    path: Path = options.out / f"found-{options.max_params}-{options.max_macs}-seed{options.seed}.json"
    if not path.exists():
        limits = ["--max-params", options.max_params, "--max-macs", options.max_macs, "--max-sublayers", "8"]
        words = [
            "search",
            "--space",
            "zennet-resnet",
            "--resolution",
            str(SIDE),
            "--num-classes",
            str(CLASSES),
            *limits,
        ]
        words += ["--budget", "20000evals", "--verify", "0", "--top", "1", "--format", "jsonl"]
        part = path.with_suffix(".part")
        part.write_bytes(zen(*words, "--seed", str(options.seed)))
        os.replace(part, path)
    return path


def export(arch: Path, out: Path) -> nn.Module:
    """The network as a Python file, imported; after this `zen` is not needed."""
    file = out / "found_net.py"
    zen("export", str(arch), "--to", "torch", "-o", str(file), "--force", "--num-classes", str(CLASSES))
    zen("export", str(arch), "--to", "svg", "-o", str(out / "found_net.svg"), "--force", "--quiet")
    spec = importlib.util.spec_from_file_location("found_net", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net: nn.Module = module.ZenNet(num_classes=CLASSES, in_channels=1)
    return net


def zen(*words: str) -> bytes:
    """Runs the command and returns what it writes to stdout; its messages go to the terminal."""
    done = subprocess.run([sys.executable, "-m", "zen_cli", *words], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def match(params: int) -> HandMade:
    """The network made by hand whose number of parameters is nearest to `params`."""
    with torch.device("meta"):
        width = min(range(2, 65), key=lambda value: abs(count(HandMade(value, 4 * value)) - params))
        last = min(range(2 * width, 6 * width), key=lambda value: abs(count(HandMade(width, value)) - params))
    return HandMade(width, last)


def count(net: nn.Module) -> int:
    """Parameters."""
    return sum(tensor.numel() for tensor in net.parameters())


def size(net: nn.Module) -> str:
    """Parameters and multiply-adds, for people."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(torch.zeros(1, 1, SIDE, SIDE))
    return f"{count(net):,} parameters, {counter.get_total_flops() / 2e6:.1f}M MACs"


def load(seed: int) -> Digits:
    """The digits, four fifths of each class to train on."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=seed)
    train_images, test_images = (torch.tensor(part, dtype=torch.float32).view(-1, 1, 8, 8) for part in parts[:2])
    mean, deviation = train_images.mean(), train_images.std()
    train_images, test_images = (
        F.interpolate((part - mean) / deviation, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        for part in (train_images, test_images)
    )
    train_labels, test_labels = (torch.tensor(part) for part in parts[2:])
    return Digits(train_images, train_labels, test_images, test_labels)


def train(name: str, net: nn.Module, data: Digits, epochs: int, seed: int, checkpoint: Path) -> list[float]:
    """Trains a network and returns its accuracy on the test digits after each epoch.

    SGD with momentum; the learning rate rises over the first epoch and falls as a cosine; images are shifted by up to
    two pixels. The order of images depends on the seed and the epoch alone, so a run that goes on from a checkpoint of
    the same plan ends like an undisturbed one.
    """
    plan = {"epochs": epochs, "seed": seed, "shapes": [tuple(tensor.shape) for tensor in net.parameters()]}
    optimizer = torch.optim.SGD(net.parameters(), lr=PEAK_RATE, momentum=0.9, weight_decay=WEIGHT_DECAY, nesterov=True)
    accuracy: list[float] = []
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if state["plan"] == plan:
            net.load_state_dict(state["net"])
            optimizer.load_state_dict(state["optimizer"])
            accuracy = state["accuracy"]
    steps = math.ceil(len(data.train_labels) / BATCH)
    with Progress(
        TextColumn("{task.description:>9}"), BarColumn(), TextColumn("{task.fields[accuracy]}"), TimeRemainingColumn()
    ) as progress:
        task = progress.add_task(name, total=epochs * steps, completed=len(accuracy) * steps, accuracy="")
        for epoch in range(len(accuracy), epochs):
            generator = torch.Generator().manual_seed(seed * 1000 + epoch)
            net.train()
            for step, index in enumerate(torch.randperm(len(data.train_labels), generator=generator).split(BATCH)):
                done = epoch + step / steps
                for group in optimizer.param_groups:
                    group["lr"] = PEAK_RATE * min(done, 0.5 * (1 + math.cos(math.pi * done / epochs)))
                images = shift(data.train_images[index], generator)
                loss = F.cross_entropy(net(images), data.train_labels[index], label_smoothing=SMOOTHING)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch
                optimizer.step()
                progress.advance(task)
            accuracy.append(test(net, data))
            progress.update(task, accuracy=f"{accuracy[-1]:.1%}")
            state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "accuracy": accuracy}
            save({**state, "plan": plan}, checkpoint)
    save(net.state_dict(), checkpoint.with_name(f"{name}.pt"))
    return accuracy


def shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """The images, each moved by up to two pixels in both directions."""
    moves = torch.randint(0, 5, (len(images), 2), generator=generator).tolist()
    padded = F.pad(images, (2, 2, 2, 2), value=float(images.min()))
    return torch.stack([row[:, y : y + SIDE, x : x + SIDE] for row, (y, x) in zip(padded, moves, strict=True)])


def test(net: nn.Module, data: Digits) -> float:
    """The share of test digits that are recognised."""
    net.eval()
    with torch.inference_mode():
        return float((net(data.test_images).argmax(1) == data.test_labels).float().mean())


def save(state: object, path: Path) -> None:
    """Writes a file in one step, so that stopping never leaves half of one."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def plot(curves: dict[str, list[float]], networks: dict[str, nn.Module], path: Path) -> None:
    """Test error of both networks, epoch by epoch."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for (name, curve), color in zip(curves.items(), ("#2a9d7c", "#e8853a"), strict=True):
        label = f"{name}: {size(networks[name])}, {curve[-1]:.2%}"
        axes.plot(range(1, len(curve) + 1), [100 * (1 - value) for value in curve], label=label, color=color)
    axes.set(xlabel="epoch", ylabel="test error (%)", yscale="symlog", title="Handwritten digits, same training")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
