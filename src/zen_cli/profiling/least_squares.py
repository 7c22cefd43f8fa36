"""Least squares whose solution is not negative, by the active set method of Lawson and Hanson (1974, chapter 23)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def solve_nonnegative(
    matrix: NDArray[np.float64], wanted: NDArray[np.float64], ridge: float = 0.0
) -> NDArray[np.float64]:
    """The x >= 0 for which |matrix x - wanted|^2 + ridge |x|^2 is least.

    Columns are scaled to length one before, so that sizes of units do not matter; a column of zeros gets 0.

    Args:
        matrix: [N, K].
        wanted: [N].
        ridge: above 0 the solution is one, and hardly changes with rounding, also where columns depend on each other.

    Returns:
        [K].
    """
    import numpy as np

    sizes = np.linalg.norm(matrix, axis=0)
    usable = sizes > 0
    a = matrix / np.where(usable, sizes, 1.0)
    if ridge:
        a = np.concatenate([a, np.sqrt(ridge) * np.eye(a.shape[1])])
        wanted = np.concatenate([wanted, np.zeros(a.shape[1])])
    if len(a) > a.shape[1]:  # the same problem in fewer rows
        q, a = np.linalg.qr(a)
        wanted = q.T @ wanted
    x = np.zeros(a.shape[1])
    free = np.zeros(a.shape[1], dtype=bool)
    slack = 1e-10 * max(1.0, float(np.linalg.norm(wanted)))
    for _ in range(10 * a.shape[1]):  # each step frees one; cycles do not occur but for rounding
        gain = np.where(free | ~usable, -np.inf, a.T @ (wanted - a @ x))
        best = int(np.argmax(gain))
        if gain[best] <= slack:
            break
        free[best] = True
        while True:
            trial = np.zeros_like(x)
            trial[free] = np.linalg.lstsq(a[:, free], wanted, rcond=None)[0]
            low = free & (trial <= 0)
            if not low.any():
                x = trial
                break
            step = float(np.min(x[low] / (x[low] - trial[low])))
            x = x + step * (trial - x)
            free &= x > 1e-15
            x[~free] = 0.0
            if not free.any():
                break
    return x / np.where(usable, sizes, 1.0)
