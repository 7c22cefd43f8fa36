"""The exact search as others call it: the best networks with a bound, or the bound alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import torch

from ....net.spec import ArchSpec
from ...limits import Limits
from ...space import BlockSpace
from .problem import read_problem
from .search import ExactResult, Progress, Search, Stop


def solve(
    space: BlockSpace,
    seed: ArchSpec,
    limits: Limits,
    *,
    convention: str = "paper",
    norm: str = "frobenius",
    alpha: float = 0.01,
    top: int = 1,
    gap: float = 0.005,
    known: Sequence[ArchSpec] = (),
    deadline: Callable[[], bool] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> ExactResult:
    """The best networks of a space within limits, with a bound that none exceeds.

    Args:
        space: a space of free blocks.
        seed: its seed network: resolution, channels in, classes and strides.
        limits: params and MACs as wished, and a depth.
        convention: of the score, `paper` or `zennas`.
        norm: of the score, `frobenius` or `l1`.
        alpha: size of the perturbation.
        top: number of networks.
        gap: relative gap at which to stop; 0 goes on until nothing is left to prove.
        known: networks within the limits that are known already.
        deadline: asked between steps whether to stop.
        on_progress: told of every step.

    Raises:
        UsageError: the exact search cannot take the space or the limits, or no network keeps them.
    """
    problem = read_problem(space, seed, limits, convention=convention, norm=norm, alpha=alpha)
    with _one_thread():
        return Search(problem, gap, known, deadline, on_progress).run(top)


def upper_bound(
    space: BlockSpace,
    seed: ArchSpec,
    limits: Limits,
    *,
    convention: str = "paper",
    norm: str = "frobenius",
    alpha: float = 0.01,
    known: Sequence[ArchSpec] = (),
    deadline: Callable[[], bool] | None = None,
) -> float:
    """A score in nats that no network of the space within the limits exceeds, in seconds; arguments as for `solve`.

    The better the known networks are, the less is left to look at.
    """
    problem = read_problem(space, seed, limits, convention=convention, norm=norm, alpha=alpha)
    with _one_thread():
        search = Search(problem, 0.0, known, deadline, None)
        with suppress(Stop):
            search.prepare()
        return search.bound


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for torch: the tensors are small, and a second thread costs more than it brings."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
