"""Trains one network on small images: the data and the recipe of the study in train.py.

The recipe is the same for every network: SGD with Nesterov momentum 0.9, batch 64, learning rate 0.1 with linear
warm-up over the first twentieth and a cosine to 0, weight decay 5e-4, no augmentation; on a CPU one thread, on a GPU a
step is one graph.
"""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from zen_cli import ArchSpec, build

SIDE, CLASSES = 28, 10
BATCH, RATE, DECAY, WARM_SHARE = 64, 0.1, 5e-4, 1 / 20
EAGER = 8  # steps on a GPU before one is recorded: they make the optimizer's state and choose algorithms


class Data(NamedTuple):
    """Images [N, 1, 28, 28] with mean 0 and variance 1 over the training part, and labels [N]."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def read_data(folder: str, count: int, device: str = "cpu") -> Data:
    """The first `count` training images and all test images of Fashion-MNIST's four files.

    Args:
        folder: of the files `train-images-idx3-ubyte.gz` and so on, or `digits`: scikit-learn's, enlarged to 28 pixels.
        count: of training images.
        device: where they go.
    """
    if folder == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = torch.tensor(digits.images, dtype=torch.float32)[:, None]  # [1797, 1, 8, 8]
        images = functional.interpolate(images, size=(SIDE, SIDE), mode="bilinear")
        labels = torch.tensor(digits.target)
        parts = images[:1200], labels[:1200], images[1200:], labels[1200:]
    else:
        parts = *_read(Path(folder), "train"), *_read(Path(folder), "t10k")
    images, labels, test_images, test_labels = parts
    images, labels = images[:count], labels[:count]
    mean, spread = images.mean(), images.std()
    images, test_images = (
        ((part - mean) / spread).to(memory_format=torch.channels_last) for part in (images, test_images)
    )
    return Data(*(part.to(device) for part in (images, labels, test_images, test_labels)))


def _read(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        _, count, rows, columns = struct.unpack(">4i", file.read(16))
        pixels = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        file.read(8)
        labels = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
    return pixels.view(count, 1, rows, columns).float(), labels.long()


def train(spec: ArchSpec, data: Data, seed: int, epochs: int) -> float:
    """The share of test images that are classified correctly after training from scratch, on the device of the data.

    The seed decides the weights at the start and the order of the images.
    """
    device = data.images.device
    with torch.cuda.stream(torch.cuda.Stream(device)) if device.type == "cuda" else nullcontext():  # to record in
        return _train(spec, data, seed, epochs)


def _train(spec: ArchSpec, data: Data, seed: int, epochs: int) -> float:
    torch.manual_seed(seed)
    device = data.images.device
    model = build(spec).to(device, memory_format=torch.channels_last)  # a quarter faster on a CPU
    rate = torch.tensor(RATE, device=device)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=rate, momentum=0.9, nesterov=True, weight_decay=DECAY, fused=True
    )
    steps = epochs * (len(data.images) // BATCH)
    warm = max(1, round(WARM_SHARE * steps))
    model.train()

    def step(batch: Tensor) -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(data.images[batch]), data.labels[batch]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    done, take = 0, step
    for _ in range(epochs):
        for batch in torch.randperm(len(data.images))[: len(data.images) // BATCH * BATCH].split(BATCH):
            rate.fill_(RATE * min((done + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(1.0, done / steps)))))
            if done == EAGER and device.type == "cuda":
                take = recorded(step, batch.to(device))
            take(batch.to(device, non_blocking=True))
            done += 1
    model.eval()
    with torch.no_grad():
        guesses = torch.cat([model(images).argmax(1) for images in data.test_images.split(500)])
    return float((guesses == data.test_labels).double().mean())


def recorded(step: Callable[[Tensor], None], batch: Tensor) -> Callable[[Tensor], None]:
    """A step as one CUDA graph: networks so small spend most of their time on launches."""
    graph, indices = torch.cuda.CUDAGraph(), batch.clone()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        step(indices)

    def replay(batch: Tensor) -> None:
        indices.copy_(batch)
        graph.replay()

    return replay
