# quick --demo --epochs 1
# needs: python:PIL
"""Train an exported network on a folder of images: plain PyTorch, minutes on a laptop, no zen.

    zen export last --to torch -o net.py
    python examples/train_folder.py net.py IMAGES --epochs 30

IMAGES has one folder for each class, as IMAGES/cat/1.jpg. A fifth of each class is held out. After each epoch a
checkpoint is written beside the weights; `--resume` goes on from it. `--demo` makes a small network and a folder of
drawn shapes in place of yours, to see that everything works.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor, nn

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


class Data(NamedTuple):
    """Images [N, 3, side, side] as bytes, and their classes [N], to train and to test on."""

    images: Tensor
    labels: Tensor
    held_out: Tensor
    held_out_labels: Tensor
    names: list[str]


def main() -> None:
    """Reads, trains, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", nargs="?", type=Path, help="the Python file of zen export --to torch")
    parser.add_argument("images", nargs="?", type=Path, help="one folder of images for each class")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0.1, help="highest learning rate, for a batch of 64")
    parser.add_argument("--side", type=int, default=None, help="of the images (default: what the network was made for)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("trained.pt"))
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--demo", action="store_true")
    options = parser.parse_args()
    if options.demo:
        folder = Path(tempfile.mkdtemp())
        options.net, options.images, options.out = make_demo(folder)
    if options.net is None or options.images is None:
        parser.error("name the network and the folder of images, or add --demo")
    torch.manual_seed(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = imported(options.net)
    side = options.side or made_for(module)
    data = load(options.images, side, options.seed)
    net = module.ZenNet(num_classes=len(data.names)).to(device)  # type: ignore[attr-defined]
    train(net, data, options, device)
    print(f"classes: {', '.join(data.names)}; weights: {options.out}")


def imported(path: Path) -> object:
    """The module of a Python file."""
    spec = importlib.util.spec_from_file_location("exported_net", path)
    if spec is None or spec.loader is None or not path.is_file():
        sys.exit(f"{path}: is no Python file; write one by zen export NETWORK --to torch -o net.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made_for(module: object) -> int:
    """The side of the images that a network was made for, which its file says; 224 where it does not."""
    found = re.search(r"for one image of (\d+) x", module.__doc__ or "")
    return int(found[1]) if found else 224


def load(folder: Path, side: int, seed: int) -> Data:
    """The images of a folder, each shrunk to cover a square and cropped to its middle; a fifth of each class apart."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if len(names) < 2:
        sys.exit(f"{folder}: needs one folder of images for each class, two classes or more")
    kept: list[tuple[Tensor, int]] = []
    apart: list[tuple[Tensor, int]] = []
    for label, name in enumerate(names):
        files = sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in SUFFIXES)
        if len(files) < 2:
            sys.exit(f"{folder / name}: has {len(files)} images; put two or more there")
        order = torch.randperm(len(files), generator=torch.Generator().manual_seed(seed)).tolist()
        held = max(1, len(files) // 5)
        for place, index in enumerate(order):
            (apart if place < held else kept).append((square(files[index], side), label))
    (images, labels), (others, other_labels) = (zip(*rows, strict=True) for rows in (kept, apart))
    return Data(torch.stack(images), torch.tensor(labels), torch.stack(others), torch.tensor(other_labels), names)


def square(path: Path, side: int) -> Tensor:
    """An image as bytes [3, side, side]."""
    with Image.open(path) as image:
        scale = side / min(image.size)
        size = [max(side, round(length * scale)) for length in image.size]
        image = image.convert("RGB").resize((size[0], size[1]), Image.Resampling.BILINEAR)
        left, top = (size[0] - side) // 2, (size[1] - side) // 2
        data = image.crop((left, top, left + side, top + side)).tobytes()
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(side, side, 3).permute(2, 0, 1).contiguous()


def batches(images: Tensor, labels: Tensor, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches in random order, flipped and moved by up to an eighth of the side."""
    generator = torch.Generator().manual_seed(seed)
    side = images.shape[-1]
    reach = side // 8
    for index in torch.randperm(len(labels), generator=generator).split(size):
        if len(index) == 1:
            continue  # batch normalisation needs two
        rows = F.pad(images[index].float(), (reach,) * 4, mode="reflect")
        y, x = torch.randint(0, 2 * reach + 1, (2,), generator=generator).tolist()
        rows = rows[:, :, y : y + side, x : x + side]
        flips = torch.rand(len(index), generator=generator) < 0.5
        rows = torch.where(flips[:, None, None, None], rows.flip(3), rows)
        yield normalised(rows), labels[index]


def normalised(images: Tensor) -> Tensor:
    """Bytes or their values as numbers near 0 with deviation near 1."""
    mean, deviation = (torch.tensor(row).view(1, 3, 1, 1) for row in (MEAN, DEVIATION))
    return (images.float() / 255 - mean) / deviation


def train(net: nn.Module, data: Data, options: argparse.Namespace, device: torch.device) -> None:
    """SGD; the learning rate rises over the first epoch and falls as a cosine."""
    optimizer = torch.optim.SGD(net.parameters(), lr=options.rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    checkpoint, first = options.out.with_suffix(".checkpoint"), 0
    if options.resume and checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epoch"]
    steps = math.ceil(len(data.labels) / options.batch)
    for epoch in range(first, options.epochs):
        net.train()
        began, total = time.monotonic(), 0.0
        for step, (images, labels) in enumerate(batches(data.images, data.labels, options.batch, epoch)):
            done = epoch + (step + 1) / steps
            fall = 0.5 * (1 + math.cos(math.pi * min(1.0, done / options.epochs)))
            for group in optimizer.param_groups:
                group["lr"] = options.rate * min(1.0, done) * max(0.02, fall) * options.batch / 64
            loss = F.cross_entropy(net(images.to(device)), labels.to(device), label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch
            optimizer.step()
            total += float(loss.detach())
        right = test(net, data, options.batch, device)
        seconds = time.monotonic() - began
        print(f"epoch {epoch + 1}: loss {total / steps:.3f}, {right:.1%} of the held-out images right, {seconds:.1f} s")
        save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1}, checkpoint)
    save(net.state_dict(), options.out)


def test(net: nn.Module, data: Data, batch: int, device: torch.device) -> float:
    """The share of held-out images that are recognised."""
    net.eval()
    right = 0
    with torch.inference_mode():
        for images, labels in zip(data.held_out.split(batch), data.held_out_labels.split(batch), strict=True):
            right += int((net(normalised(images).to(device)).argmax(1).cpu() == labels).sum())
    return right / len(data.held_out_labels)


def save(state: object, path: Path) -> None:
    """Writes a file in one step, so that stopping never leaves half of one."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def make_demo(folder: Path) -> tuple[Path, Path, Path]:
    """A small network, exported, and a folder of circles and squares."""
    net, images = folder / "net.py", folder / "images"
    text = "SuperConvK3BNRELU(3,16,2,1)SuperResK3K3(16,32,2,32,2)SuperConvK1BNRELU(32,64,1,1)"
    words = ["export", text, "--resolution", "32", "--num-classes", "2", "--to", "torch", "-o", str(net), "--quiet"]
    subprocess.run([sys.executable, "-m", "zen_cli", *words], check=True)
    for name in ("circle", "square"):
        (images / name).mkdir(parents=True)
        for index in range(60):
            image = Image.new("RGB", (48, 40), (index * 3, 90, 200 - index * 2))
            box = (8 + index % 7, 4 + index % 5, 34 + index % 7, 30 + index % 5)
            drawn = ImageDraw.Draw(image)
            (drawn.ellipse if name == "circle" else drawn.rectangle)(box, fill=(240, 240 - index, 60))
            image.save(images / name / f"{index}.png")
    return net, images, folder / "trained.pt"


if __name__ == "__main__":
    main()
