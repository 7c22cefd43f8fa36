"""Weights of a trained checkpoint, read without running what is in it, and checked tensor by tensor.

A `.pt` file is a pickle. `torch.load(weights_only=True)` of PyTorch below 2.10 can be made to run code by a crafted one
(CVE-2025-32434, CVE-2026-24747), so pickles are refused there. Safetensors hold tensors only and are always read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import SourceError, UsageError, reason, shorten
from ..net.module import ZenNet
from ..net.spec import ArchSpec
from .weights import empty

SAFE_TORCH = "2.10"
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8)


def loaded(spec: ArchSpec, path: Path, names: Mapping[str, str]) -> ZenNet:
    """The network in evaluation mode with the weights of a checkpoint that an exported file was trained to.

    Args:
        spec: the network.
        path: a safetensors file, or one that `torch.save` wrote: a state dict, or a dict that holds one under
            `state_dict` or `model`.
        names: names of the training-form module's tensors, and what each is called in what is exported.

    Raises:
        SourceError: the file cannot be read, or its tensors are not those of the network.
        UsageError: a package or a version that reads the file is missing.
    """
    state = read_tensors(path)
    net = empty(spec)
    for name, own in net.state_dict().items():
        exported = names[name]
        if exported not in state:
            raise SourceError(f"{path}: holds no tensor {exported}; export the network that it was trained from")
        fault = tensor_fault(state[exported], own)
        if fault:
            raise SourceError(f"{path}: {exported} {fault}")
    unknown = sorted(set(state) - set(names.values()))
    if unknown:
        raise SourceError(
            f"{path}: {shorten(unknown[0])} is no tensor of this network; export the one it was trained from"
        )
    net.load_state_dict({name: state[exported] for name, exported in names.items()})
    return net.eval()


def tensor_fault(tensor: Tensor, own: Tensor) -> str:
    """Why a tensor of a checkpoint cannot be one of the network, as `fault; fix`; empty if it can."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_quantized:
        return f"is quantized ({kind}); save it before quantization"
    if tensor.layout != torch.strided:
        return "is sparse; save it as a dense tensor"
    if tensor.device.type != "cpu":
        return f"has no numbers (device {tensor.device.type}); save it from the device that it was trained on"
    wanted, example = (FLOATS, "float32") if own.is_floating_point() else (INTEGERS, "int64")
    if tensor.dtype not in wanted:
        return f"is of type {kind}; save it as {example}"
    if tensor.shape != own.shape:
        shape, right = (" x ".join(map(str, value.shape)) or "one number" for value in (tensor, own))
        return f"is {shape}, not {right}; export the network it was trained from"
    if not tensor.to(own.dtype).isfinite().all():
        return "holds what is no finite number; use a checkpoint from before that"
    return ""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name.

    Raises:
        SourceError: no such file, or not a checkpoint.
        UsageError: a package or a version that reads the file is missing.
    """
    try:
        state = _read_safetensors(path) if is_safetensors(path) else _read_pickle(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read, {reason(error)}") from None
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    hint = "save net.state_dict() with torch.save"
    if not isinstance(state, dict):
        raise SourceError(f"{path}: holds no state dict; {hint}")
    for name, value in state.items():
        if not isinstance(name, str):
            raise SourceError(f"{path}: has the key {shorten(repr(name))}, which is no name; {hint}")
        if not isinstance(value, Tensor):
            raise SourceError(f"{path}: {shorten(name)} is a {type(value).__name__} and no tensor; {hint}")
    if all(name.startswith("module.") for name in state):  # of DistributedDataParallel
        return {name.removeprefix("module."): value for name, value in state.items()}
    return state


def is_safetensors(path: Path) -> bool:
    """Whether a file is named as safetensors or begins as they do: with the length of a JSON object."""
    with open(path, "rb") as file:
        head = file.read(9)
    return path.suffix == ".safetensors" or (head[4:8] == bytes(4) and head[8:] == b"{")


def _read_safetensors(path: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ModuleNotFoundError:
        raise UsageError(
            "weights: safetensors files need safetensors; install it with: pip install 'zen-cli[safetensors]'"
        ) from None
    try:
        return load_file(path)
    except OSError:
        raise
    except Exception:  # of a class that the package does not document
        raise SourceError(f"{path}: is not a safetensors file, or is cut off; save it again") from None


def _read_pickle(path: Path) -> Any:
    if torch.__version__ < SAFE_TORCH:  # as versions, which this string knows how to compare
        raise UsageError(
            f"weights: {path} is a pickle, which torch {torch.__version__} cannot read safely; "
            f"use torch {SAFE_TORCH} or newer, or save it as safetensors"
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception:  # torch raises many kinds for what is no checkpoint
        raise SourceError(f"{path}: is not a checkpoint that loads safely; save it as a state dict") from None
