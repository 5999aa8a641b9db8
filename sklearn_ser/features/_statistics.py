"""Functionals: statistics of contours over time, by name.

All are computed for all channels of a clip at once: one sort serves every percentile, one
difference from the mean every moment.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from sklearn_ser.exceptions import OptionError

PLAIN_MEAN = ("mean",)

_PERCENTILE = re.compile(r"p(\d{1,2}|100)")


@lru_cache(maxsize=1024)
def _power_of_time(n_frames: int, degree: int) -> np.ndarray:
    """Return the weights whose sum is the leading coefficient of a line or a parabola."""
    time = np.linspace(-1, 1, n_frames)
    # Orthogonal to all lower powers, for the frames lie symmetric around 0.
    power = time if degree == 1 else time**2 - np.mean(time**2)
    return (power / (power @ power)).astype(np.float32)


class Contour:
    """The contour over time of some channels in one clip, and what several statistics share.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_channels)
        At least one frame.
    """

    def __init__(self, frames: np.ndarray):
        self.frames = frames
        self.mean = np.add.reduce(frames, axis=0, dtype=np.float64) / len(frames)
        self._ordered: np.ndarray | None = None
        self._moments: dict[int, np.ndarray] = {}
        self._deviation: np.ndarray | None = None
        self._square: np.ndarray

    def percentile(self, percent: float) -> np.ndarray:
        """Return a percentile of each channel, linear between neighbours as `np.percentile`."""
        if self._ordered is None:
            # Time last: numpy sorts runs of memory with vector instructions.
            self._ordered = np.sort(np.ascontiguousarray(self.frames.T), axis=1)
        place = percent / 100 * (len(self.frames) - 1)
        below = int(place)
        above = min(below + 1, len(self.frames) - 1)
        low, high = self._ordered[:, below], self._ordered[:, above]
        return low + (place - below) * (high - low)

    def moment(self, order: int) -> np.ndarray:
        """Return a central moment of each channel."""
        if order not in self._moments:
            if self._deviation is None:
                self._deviation = self.frames - self.mean.astype(self.frames.dtype)
                self._square = np.square(self._deviation)
            factor = {2: 1, 3: self._deviation, 4: self._square}[order]
            powers = self._square if order == 2 else self._square * factor
            total = np.add.reduce(powers, axis=0, dtype=np.float64)
            self._moments[order] = total / len(self.frames)
        return self._moments[order]

    def standardized(self, order: int, normal: float = 0) -> np.ndarray:
        """Return a central moment in standard deviations, above that of a normal distribution.

        0 where nothing varies.
        """
        variance = self.moment(2)
        varies = variance > (1e-6 * self.mean) ** 2 + 1e-30
        scale = np.where(varies, variance, 1) ** (order / 2)
        return np.where(varies, self.moment(order) / scale - normal, 0)

    def fit(self, degree: int) -> np.ndarray:
        """Return the leading coefficient of the least-squares line or parabola.

        Time runs from -1 at the first frame to 1 at the last.
        """
        if len(self.frames) <= degree:
            return np.zeros_like(self.mean)
        return _power_of_time(len(self.frames), degree) @ self.frames

    def change(self) -> np.ndarray:
        """Return the mean absolute difference between successive frames."""
        if len(self.frames) < 2:
            return np.zeros_like(self.mean)
        steps = np.abs(self.frames[1:] - self.frames[:-1])
        return np.add.reduce(steps, axis=0, dtype=np.float64) / len(steps)


STATISTICS: dict[str, Callable[[Contour], np.ndarray]] = {
    "mean": lambda contour: contour.mean,
    "std": lambda contour: np.sqrt(contour.moment(2)),
    "min": lambda contour: contour.percentile(0),
    "max": lambda contour: contour.percentile(100),
    "range": lambda contour: contour.percentile(100) - contour.percentile(0),
    "median": lambda contour: contour.percentile(50),
    "iqr": lambda contour: contour.percentile(75) - contour.percentile(25),
    "skewness": lambda contour: contour.standardized(3),
    "kurtosis": lambda contour: contour.standardized(4, normal=3),
    "slope": lambda contour: contour.fit(1),
    "curvature": lambda contour: contour.fit(2),
    "change": lambda contour: contour.change(),
}


def check_statistics(statistics: Sequence[str], owner: str) -> None:
    """Raise `OptionError` unless each name is a statistic, and each is there once."""
    if isinstance(statistics, str) or not len(statistics):
        raise OptionError(
            f"{owner}: statistics={statistics!r} must be a tuple of names, such as ('mean', 'std')."
        )
    for name in statistics:
        if name not in STATISTICS and not (isinstance(name, str) and _PERCENTILE.fullmatch(name)):
            raise OptionError(
                f"{owner}: unknown statistic {name!r}: there are {', '.join(STATISTICS)}, and "
                "percentiles such as p5 and p95."
            )
    if len(set(statistics)) < len(statistics):
        raise OptionError(f"{owner}: name each of statistics={tuple(statistics)!r} once.")


def summarize(frames: np.ndarray, statistics: Sequence[str]) -> np.ndarray:
    """Return statistics of one clip's channels over time.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_channels)
    statistics : sequence of n_statistics str

    Returns
    -------
    values : ndarray of shape (n_statistics * n_channels,), float32
        All channels' first statistic, then all channels' second, and so on; zeros if there is no
        frame.
    """
    if not len(frames):
        return np.zeros(len(statistics) * frames.shape[1], dtype=np.float32)
    contour = Contour(frames)
    values = [
        STATISTICS[name](contour) if name in STATISTICS else contour.percentile(int(name[1:]))
        for name in statistics
    ]
    return np.concatenate(values).astype(np.float32)


def deltas(frames: np.ndarray) -> np.ndarray:
    """Return the local slope of each channel, by regression over five frames.

    As `librosa.feature.delta(width=5, mode="nearest")` on one clip: the first and the last frame
    are held beyond the ends.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_channels)

    Returns
    -------
    deltas : ndarray of the same shape
    """
    if not len(frames):
        return frames
    first, last = frames[:1], frames[-1:]
    held = np.concatenate([first, first, frames, last, last])  # np.pad would take as long as all
    return (2 * (held[4:] - held[:-4]) + held[3:-1] - held[1:-3]) * np.float32(0.1)
