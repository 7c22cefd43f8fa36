"""Trained checkpoints are exported; what is no checkpoint of the network is one line and runs nothing."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from export_cases import PLAIN
from torch.torch_version import TorchVersion

from zen_cli.devices import torch_threads
from zen_cli.errors import InputError, SourceError, UsageError
from zen_cli.exporters import checkpoint
from zen_cli.exporters.check import Checker
from zen_cli.exporters.checkpoint import loaded, read_tensors
from zen_cli.exporters.plan import ExportOptions
from zen_cli.exporters.run import export
from zen_cli.exporters.source import ExportSource
from zen_cli.exporters.to_safetensors import with_sorted_header
from zen_cli.exporters.weights import seeded
from zen_cli.net.spec import parse_spec

safetensors = pytest.mark.skipif(
    find_spec("safetensors") is None or find_spec("numpy") is None, reason="the extra safetensors is not installed"
)
NAMES = ExportSource(PLAIN).names


def trained() -> dict[str, Any]:
    """A state dict of the exported network that no seed gives."""
    net = ExportSource(PLAIN, seed=5).module
    for tensor in net.parameters():
        tensor.data += 0.01
    return dict(net.state_dict())


@pytest.mark.parametrize("suffix", [".pt", pytest.param(".safetensors", marks=safetensors)])
def test_a_trained_checkpoint_is_exported(suffix: str, tmp_path: Path, checker: Checker) -> None:
    state, path = trained(), tmp_path / f"trained{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": state, "epoch": 3}, path)
    else:
        from safetensors.torch import save_file

        save_file(state, path)
    export([PLAIN], ["torchscript"], ExportOptions(f"{tmp_path}/out/", str(path)), checker=checker)
    images = torch.randn(2, 3, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated in favour of torch.export, by a warning whose class changed
        scripted = torch.jit.load(tmp_path / "out" / "plain.torchscript")  # type: ignore[no-untyped-call]  # torch
    net = ExportSource(PLAIN).module
    net.load_state_dict(state)
    with torch.no_grad():
        torch.testing.assert_close(scripted(images), net(images))


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state,
        lambda state: {"model": state},
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {name: torch.nn.Parameter(tensor, requires_grad=False) for name, tensor in state.items()},
        lambda state: {name: tensor.double() if tensor.ndim else tensor for name, tensor in state.items()},
        lambda state: {name: tensor.int() if not tensor.ndim else tensor for name, tensor in state.items()},
    ],
    ids=["plain", "model", "distributed", "parameters", "float64", "int32 counters"],
)
def test_forms_of_a_checkpoint(change: Callable[[dict[str, Any]], Any], tmp_path: Path) -> None:
    state = trained()
    torch.save(change(state), tmp_path / "a.pt")
    net = loaded(PLAIN, tmp_path / "a.pt", NAMES)
    assert all(torch.equal(tensor, state[NAMES[name]]) for name, tensor in net.state_dict().items())


def with_tensor(change: Callable[[torch.Tensor], Any]) -> Any:
    """A state dict with another tensor in one place."""
    return lambda: {**trained(), "classifier.weight": change(trained()["classifier.weight"])}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: {0: torch.zeros(2)}, "has the key 0, which is no name; save net.state_dict"),
        (lambda: {("a", 1): torch.zeros(2)}, "has the key"),
        (lambda: {"state_dict": {1: torch.zeros(2)}}, "has the key 1"),
        (lambda: {"stem": {"weight": torch.zeros(2)}}, "stem is a dict and no tensor"),
        (lambda: {"epoch": 3}, "epoch is a int and no tensor"),
        (lambda: [torch.zeros(2)], "holds no state dict"),
        (lambda: torch.zeros(2), "holds no state dict"),
        (dict, "holds no tensor stem.conv.weight; export the network"),
        (lambda: {**trained(), "extra": torch.zeros(2)}, "extra is no tensor of this network"),
        (with_tensor(lambda x: x.to_sparse()), "classifier.weight is sparse; save it as a dense tensor"),
        (with_tensor(lambda x: x.to_sparse_csr()), "classifier.weight is sparse"),
        (with_tensor(lambda x: x.to("meta")), "classifier.weight has no numbers"),
        (
            with_tensor(lambda x: x.to(torch.float8_e4m3fn)),
            "classifier.weight is of type float8_e4m3fn; save it as float32",
        ),
        (with_tensor(lambda x: x.to(torch.complex64)), "classifier.weight is of type complex64"),
        (with_tensor(lambda x: x.to(torch.int32)), "classifier.weight is of type int32"),
        (with_tensor(lambda x: x > 0), "classifier.weight is of type bool"),
        (with_tensor(lambda x: x[:3]), "classifier.weight is 3 x 32, not 10 x 32"),
        (with_tensor(lambda x: x * float("nan")), "classifier.weight holds what is no finite number; use a checkpoint"),
        (with_tensor(lambda x: x.double() * 1e300), "classifier.weight holds what is no finite number"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_what_is_no_checkpoint_of_the_network_is_one_line(make: Callable[[], Any], words: str, tmp_path: Path) -> None:
    torch.save(make(), tmp_path / "bad.pt")
    with pytest.raises(SourceError, match=rf"bad\.pt: {words}") as caught:
        loaded(PLAIN, tmp_path / "bad.pt", NAMES)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")  # torch: quantization is deprecated
def test_quantized_tensors_are_refused(tmp_path: Path) -> None:
    quantized = torch.quantize_per_tensor(torch.zeros(10, 32), 0.1, 0, torch.qint8)
    torch.save({**trained(), "classifier.weight": quantized}, tmp_path / "bad.pt")
    with pytest.raises(SourceError, match=r"classifier\.weight is quantized|is not a checkpoint that loads safely"):
        loaded(PLAIN, tmp_path / "bad.pt", NAMES)


@pytest.mark.parametrize(
    "content", [b"", b"PK\3\4", b"\x80\2.", b"text", bytes(8) + b"{", b"\7" + bytes(7) + b"{}{}{}{"]
)
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_bytes_that_are_no_checkpoint(content: bytes, suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"bad{suffix}").write_bytes(content)
    with pytest.raises(InputError, match=r"is not a |need safetensors|holds no state dict"):
        read_tensors(tmp_path / f"bad{suffix}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(SourceError, match=": cannot be read, "):
            read_tensors(path)


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save({"state_dict": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(SourceError, match="loads safely"):
        read_tensors(tmp_path / "trap.pt")
    assert not (tmp_path / "owned").exists()


@safetensors
def test_an_old_torch_reads_safetensors_and_no_pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import save_file

    save_file(trained(), tmp_path / "trained.bin")  # known by its content
    torch.save(trained(), tmp_path / "trained.pt")
    for version in ("2.4.0", "2.9.1+cpu"):
        monkeypatch.setattr(checkpoint.torch, "__version__", TorchVersion(version))
        assert set(read_tensors(tmp_path / "trained.bin")) == set(NAMES.values())
        with pytest.raises(
            UsageError, match=r"cannot read safely; use torch 2\.10 or newer, or save it as safetensors"
        ):
            read_tensors(tmp_path / "trained.pt")
    monkeypatch.setattr(checkpoint.torch, "__version__", TorchVersion("2.10.0"))
    assert set(read_tensors(tmp_path / "trained.pt")) == set(NAMES.values())


def test_a_fault_in_a_checkpoint_leaves_nothing(tmp_path: Path, checker: Checker) -> None:
    torch.save(with_tensor(lambda x: x * float("inf"))(), tmp_path / "bad.pt")
    with pytest.raises(SourceError, match=r"bad\.pt: classifier\.weight"):
        export([PLAIN], ["torchscript"], ExportOptions(f"{tmp_path}/out/", str(tmp_path / "bad.pt")), checker=checker)
    assert not (tmp_path / "out").exists()


@safetensors
def test_safetensors_are_the_same_bytes_each_time() -> None:
    from safetensors.torch import load, save

    tensors = {name: torch.randn(3) for name in ("b", "a", "c")}
    about = {str(number): str(number) for number in range(20)}
    written = {with_sorted_header(save(tensors, metadata=about)) for _ in range(20)}
    assert len(written) == 1
    again = load(written.pop())
    assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())


def test_weights_of_a_seed_have_the_same_bits_on_any_number_of_cores() -> None:
    block = {"width": 16, "mid_width": 16, "stride": 2}
    blocks = [{"op": "conv", "width": 16}, {"op": "bottleneck", "se": 0.25, **block}, {"op": "basic", **block}]
    spec = parse_spec({"resolution": 128, "blocks": blocks})  # its maps are so large that torch divides them
    found = []
    for threads in (1, 4):
        with torch_threads(threads):
            found.append(seeded(spec, 0).state_dict())
            assert torch.get_num_threads() == threads
    assert all(torch.equal(tensor, found[1][name]) for name, tensor in found[0].items())
