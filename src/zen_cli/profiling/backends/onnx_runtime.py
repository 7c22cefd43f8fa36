"""onnxruntime on this machine's cores; its own profiler times the nodes, which are named as the modules are."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from ...net.spec import ArchSpec
from . import Conditions, Session, WrittenFile

PROVIDER = "CPUExecutionProvider"
# What onnxruntime adds to the names of nodes that it changed.
ADDED = ("_kernel_time", "_nchwc")
LAYOUT = "Reorder"


class OnnxSession:
    """One network; a second session with the profiler is opened when layers are timed."""

    def __init__(self, model: bytes, shape: tuple[int, ...], threads: int) -> None:
        import numpy as np

        self._model, self._threads = model, threads
        self._images = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        self._session = self._make()

    def _make(self, prefix: str = "") -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self._threads, 1
        options.log_severity_level = 3
        if prefix:
            options.enable_profiling, options.profile_file_prefix = True, prefix
        return onnxruntime.InferenceSession(self._model, options, providers=[PROVIDER])

    def run(self) -> None:
        self._session.run(None, {"images": self._images})

    def times(self, runs: int) -> Mapping[str, list[float]]:
        with tempfile.TemporaryDirectory() as folder:
            session = self._make(str(Path(folder) / "run"))
            for _ in range(runs):
                session.run(None, {"images": self._images})
            events = orjson.loads(Path(session.end_profiling()).read_bytes())
        found: dict[str, list[float]] = {}
        for event in events:
            name = str(event.get("name", ""))
            if event.get("cat") == "Node" and name.endswith(ADDED[0]):
                for added in ADDED:
                    name = name.removesuffix(added)
                found.setdefault(name, []).append(event["dur"] / 1e3)
        return give_layouts(found)

    def close(self) -> None:
        self._session = None


def give_layouts(found: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """The times of nodes, with each change of layout under the node that needs another one.

    Args:
        found: by the name of the node, in the order in which they ran. A change back to channels in vectors is named
            `ReorderInput` and follows a node that does not know them; other changes come before such a node.
    """
    nodes = [name for name in found if not name.startswith(LAYOUT)]
    given, done = {name: found[name] for name in nodes}, 0
    for name, times in found.items():
        if not name.startswith(LAYOUT):
            done += 1
            continue
        place = done - 1 if name.startswith(f"{LAYOUT}Input") else done
        if 0 <= place < len(nodes):
            given[f"{nodes[place]}.{name}"] = times
    return given


class OnnxRuntime:
    """The backend."""

    dtypes, files = ("float32",), ("onnx",)

    def missing(self) -> str:
        names = [name for name in ("onnxruntime", "onnx", "torch") if find_spec(name) is None]
        return f"{names[0]} is not installed; pip install 'zen-cli[onnx]', or use backend torch" if names else ""

    def versions(self) -> dict[str, str]:
        import onnxruntime

        return {"onnxruntime": onnxruntime.__version__}

    def open(self, spec: ArchSpec, conditions: Conditions) -> Session:
        from ...exporters.onnx_graph import unchecked_model
        from ...net.module import build

        shape = (spec.in_channels, *spec.image_size)
        model = unchecked_model(build(spec).eval(), shape, spec.num_classes)
        return self.open_file(WrittenFile(spec, "onnx", model.SerializeToString()), conditions)

    def open_file(self, file: WrittenFile, conditions: Conditions) -> Session:
        shape = conditions.batch_size, file.spec.in_channels, *file.spec.image_size
        return OnnxSession(file.data, shape, conditions.threads)


BACKEND = OnnxRuntime()
