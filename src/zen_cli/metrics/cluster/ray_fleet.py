"""A fleet of Ray actors: one for each GPU, or for each group of cores.

An actor is bound to its node and is not restarted by Ray: with `max_restarts` and `max_task_retries` alone, a node that
is killed ends the driver's run in `ActorUnavailableError`. Here the crew replaces what is lost, and sends it again.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ...errors import RunError, one_line, shorten
from .fleet import Work, WorkerLostError

GROUP = 8  # cores of one actor: draws side by side share its memory
_MISSING = ("No module named 'zen_cli", "failed to be imported", "failed to import")
_NO_ZEN = "workers: a node has no zen, or another version; install this one there, in the Python that runs Ray"


class RayFleet:
    """The nodes of the cluster that this process has joined.

    Args:
        kind: of device, `cpu` or `cuda`.
        cores: of one actor at most.
    """

    def __init__(self, kind: str, *, cores: int = GROUP) -> None:
        import ray

        from .actor import Actor

        self.kind, self._cores = kind, cores
        self._ray, self._class = ray, ray.remote(Actor)
        self._sizes: dict[str, int] = {}

    def slots(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        with _cluster():
            nodes = self._ray.nodes()
        for node in nodes:
            resources = node.get("Resources", {})
            if not node.get("Alive"):
                continue
            cpus = int(resources.get("CPU", 0))
            count = int(resources.get("GPU", 0)) if self.kind == "cuda" else -(-cpus // self._cores)
            if count > 0:
                found[node["NodeID"]] = count
                self._sizes[node["NodeID"]] = max(1, cpus // count)
        return found

    def start(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        cores = self._sizes[node]
        options = self._class.options(
            num_cpus=cores if self.kind == "cpu" else min(1, cores),
            num_gpus=1 if self.kind == "cuda" else 0,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        with _cluster():
            return options.remote(self.kind, cores)

    def greet(self, worker: Any) -> Hashable:
        with _cluster():
            pending: Hashable = worker.greet.remote()
        return pending

    def send(self, worker: Any, work: Work) -> Hashable:
        with _cluster():
            pending: Hashable = worker.run.remote(work)
        return pending

    def wait(self, pending: Sequence[Hashable], timeout: float) -> Sequence[Hashable]:
        if not pending:
            time.sleep(timeout)
            return []
        with _cluster():
            first, rest = self._ray.wait(list(pending), num_returns=1, timeout=timeout)
            if not first or not rest:
                return [*first]
            more, _ = self._ray.wait(rest, num_returns=len(rest), timeout=0)
        return [*first, *more]

    def result(self, pending: Any) -> Any:
        errors = self._ray.exceptions
        try:
            with _cluster():
                return self._ray.get(pending)
        except errors.RayTaskError as error:
            cause = error.as_instanceof_cause()
            if any(words in str(error) for words in _MISSING):
                raise RunError(_NO_ZEN) from None
            if isinstance(cause, RunError):
                raise RunError(str(cause)) from None
            raise RunError(f"workers: one failed, {one_line(str(cause).strip().splitlines()[-1])}") from None
        except errors.RayError as error:
            text = str(error)
            if any(words in text for words in _MISSING):
                raise RunError(_NO_ZEN) from None
            raise WorkerLostError(one_line(text.strip().splitlines()[0]) if text.strip() else "it is gone") from None

    def stop(self, worker: Any) -> None:
        with suppress(Exception):  # it, or the way to it, is gone already
            self._ray.kill(worker)

    def close(self) -> None:
        self._ray.shutdown()


@contextmanager
def _cluster() -> Iterator[None]:
    """Makes one line of what Ray says where the cluster does not answer any more; what it says of a worker stays.

    Raises:
        RunError: it is gone, or has no zen.
    """
    from ray.exceptions import RayError

    try:
        yield
    except RayError:
        raise
    except ModuleNotFoundError as error:  # from where a client server unpickles
        raise RunError(_NO_ZEN) from error
    except Exception as error:
        details = getattr(error, "details", None)  # of gRPC, whose text is a page
        said = shorten(" ".join(str(details() if callable(details) else error).split())) or type(error).__name__
        raise RunError(f"workers: the cluster was lost, {said}; what was written is done and can be skipped") from None
