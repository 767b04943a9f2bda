"""Quality of a session, measured block by block; the same whatever the blocks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import RecordingError
from stages.core.recordings.session import Counts, Gap, SessionMeta, count_limits

#: A step of the time stamps above this many sample intervals is a gap.
_GAP_INTERVALS = 1.5
#: More gaps than this are no record of what was lost, but wrong time stamps.
_MOST_GAPS = 10_000


class Repeats:
    """Counts samples that equal the one before in their channel, and the longest run of such.

    Attributes
    ----------
    repeated, compared : int
        Over all channels.
    longest_run : int
        In samples, of the worst channel.
    """

    def __init__(self, n_channels: int) -> None:
        self.repeated = self.compared = self.longest_run = 0
        self._runs = [0] * n_channels
        self._last: Counts | None = None

    def add(self, counts: Counts, follows: bool) -> None:
        """Add samples, shape (samples, channels); `follows` says that none is missing before them."""
        if not follows:
            self._runs = [0] * counts.shape[1]
            self._last = None
        if not len(counts):
            return
        rows = counts if self._last is None else np.concatenate([self._last, counts])
        same = rows[1:] == rows[:-1]
        self.repeated += int(same.sum())
        self.compared += same.size
        for channel, column in enumerate(same.T):
            self._extend(channel, np.flatnonzero(~column) + 1, len(rows))
        self._last = counts[-1:]

    def _extend(self, channel: int, changes: NDArray[np.int64], n_rows: int) -> None:
        runs = np.diff(np.concatenate([[0], changes, [n_rows]]))
        # The first row is the last one of before, if there is one, and was counted there.
        runs[0] += max(self._runs[channel] - 1, 0)
        self.longest_run = max(self.longest_run, int(runs.max()))
        self._runs[channel] = int(runs[-1])


class Clock:
    """Follows a session's time stamps and losses: its gaps, and how far its sample rate is from the declared one."""

    def __init__(self, meta: SessionMeta) -> None:
        self._meta = meta
        self._n_samples = 0
        self._known: list[Gap] = []
        self._from_time: list[Gap] = []
        self._first_s = self._last_s = float("nan")
        self._steps = self._long_steps = 0
        self._long_s = 0.0

    def add(self, n_samples: int, missing_before: int, time_s: NDArray[np.float64] | None) -> set[int]:
        """Add a block, and return the samples of it, counted from its first, that something is missing before.

        Raises
        ------
        RecordingError
            If time goes back, or there are gaps beyond reason.
        """
        n_known, n_from_time = len(self._known), len(self._from_time)
        if missing_before:
            self._known.append(Gap(self._n_samples, missing_before))
        if time_s is not None and len(time_s):
            self._add_times(time_s, bool(missing_before))
        found = [*self._known[n_known:], *self._from_time[n_from_time:]]
        breaks = {gap.start - self._n_samples for gap in found}
        self._n_samples += n_samples
        if len(self._known) + len(self._from_time) > _MOST_GAPS:
            raise RecordingError(
                found=f"it has more than {_MOST_GAPS} gaps in its first {self._n_samples} samples",
                where=f"session {self._meta.session_id}",
                expected=f"time stamps {1 / self._meta.sample_rate_hz:g} s apart, as "
                f"sample_rate_hz {self._meta.sample_rate_hz:g} says",
                remedy="Correct the sample rate, the unit of the time stamps, or the recording",
            )
        return breaks

    def _add_times(self, time_s: NDArray[np.float64], after_loss: bool) -> None:
        started = self._n_samples > 0
        times = np.concatenate([[self._last_s], time_s]) if started else time_s
        first = self._n_samples if started else 1
        steps = np.diff(times)
        self._require_forward(times, steps, first)
        long = np.flatnonzero(steps > _GAP_INTERVALS / self._meta.sample_rate_hz).tolist()
        # What the source says it lost is not measured again.
        known = {0} if started and after_loss else set()
        for index in sorted({*long, *known}):
            if index not in known:
                missing = round(float(steps[index]) * self._meta.sample_rate_hz) - 1
                self._from_time.append(Gap(first + index, missing))
            # One by one, so that the sum does not depend on where blocks end.
            self._long_s += float(steps[index])
            self._long_steps += 1
        self._steps += len(steps)
        self._first_s = self._first_s if started else float(time_s[0])
        self._last_s = float(time_s[-1])

    def _require_forward(self, times: NDArray[np.float64], steps: NDArray[np.float64], first: int) -> None:
        wrong = np.flatnonzero(~(np.isfinite(steps) & (steps > 0))) + 1
        unknown = not np.isfinite(times[0])
        if unknown or len(wrong):
            index = 0 if unknown else int(wrong[0])
            after = f" after {times[index - 1]:.9g} s" if index else ""
            raise RecordingError(
                found=f"the time stamp of sample {first - 1 + index} is {times[index]:.9g} s{after}",
                where=f"session {self._meta.session_id}",
                expected="time stamps that always advance",
                remedy="Sort or repair the recording, or split it where the clock was set",
            )

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Where samples are missing, in order."""
        found = [] if self._rate_is_wrong else self._from_time
        return tuple(sorted([*self._known, *found], key=lambda gap: gap.start))

    @property
    def rate_error(self) -> float:
        """``|measured / declared - 1|``, measured over the steps that are no gaps; 0 without time stamps."""
        all_s = self._last_s - self._first_s
        steps, duration_s = self._steps - self._long_steps, all_s - self._long_s
        if self._rate_is_wrong:
            steps, duration_s = self._steps, all_s
        return abs(steps / duration_s / self._meta.sample_rate_hz - 1) if steps else 0.0

    @property
    def _rate_is_wrong(self) -> bool:
        """Where most steps are too long, nothing is missing: the declared rate is wrong."""
        return 2 * len(self._from_time) > self._steps


class Meter:
    """Measures a session while it is stored.

    Parameters
    ----------
    meta : SessionMeta
    """

    def __init__(self, meta: SessionMeta) -> None:
        self._meta = meta
        self._repeats = Repeats(len(meta.channels))
        self._clock = Clock(meta)
        self._rows = self._clipped = self._absent = 0
        # Python's integers: the squares of int32 counts do not add up in 64 bits.
        self._sums = np.zeros((2, len(meta.channels)), dtype=object)
        self._first_absent: str | None = None

    def add(
        self,
        counts: Counts,
        absent: NDArray[np.bool_],
        missing_before: int = 0,
        time_s: NDArray[np.float64] | None = None,
    ) -> None:
        """Add the next samples.

        Parameters
        ----------
        counts : ndarray of int16 or int32, shape (samples, channels)
        absent : ndarray of bool, shape (samples, channels)
            Where the source had no finite value.
        missing_before : int
            Samples that the source knows it lost before these.
        time_s : ndarray of float64, shape (samples,), or None

        Raises
        ------
        RecordingError
            If time goes back, or there are gaps beyond reason.
        """
        breaks = self._clock.add(len(counts), missing_before, time_s)
        low, high = (limit.astype(counts.dtype) for limit in count_limits(self._meta))
        self._clipped += int(((counts >= high) | (counts <= low)).sum())
        if self._first_absent is None and absent.any():
            row, channel = np.argwhere(absent)[0]
            self._first_absent = f"sample {self._rows + int(row)} of channel {self._meta.channels[channel]!r}"
        self._absent += int(absent.sum())
        for start, stop in pairwise([0, *sorted(breaks - {0}), len(counts)]):
            self._repeats.add(counts[start:stop], follows=start not in breaks)
        self._sums += [counts.sum(axis=0, dtype=np.int64).astype(object), _sum_of_squares(counts)]
        self._rows += len(counts)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Where samples are missing, in order."""
        return self._clock.gaps

    @property
    def absent(self) -> str | None:
        """How many samples have no finite value, and where the first is; None if all have one."""
        total = self._rows * len(self._meta.channels)
        return self._first_absent and (
            f"{self._absent} of {total} samples are NaN or infinite, the first at {self._first_absent}"
        )

    def level(self) -> float:
        """RMS about the mean, over all channels, in the session's unit."""
        mean, square = self._sums.astype(np.float64) / max(self._rows, 1)
        return float(np.sqrt(np.mean(np.maximum(square - mean**2, 0))) / self._meta.counts_per_unit)

    def flags(self) -> dict[str, float]:
        """Return the quality flags, one for each field of `stages.core.schema.quality.QualityLimits`."""
        values = max(self._rows * len(self._meta.channels), 1)
        missing = sum(gap.missing for gap in self.gaps)
        return {
            "n_samples": float(self._rows),
            "nan_fraction": self._absent / values,
            "clipped_fraction": self._clipped / values,
            "repeated_fraction": self._repeats.repeated / max(self._repeats.compared, 1),
            "longest_stuck_run": float(self._repeats.longest_run),
            "missing_fraction": missing / max(self._rows + missing, 1),
            "rate_error": self._clock.rate_error,
        }


def _sum_of_squares(counts: Counts) -> NDArray[np.object_]:
    """Sum the squares of each column exactly, shape (channels,): the upper and the lower 32 bits apart."""
    squares = np.square(counts.astype(np.int64))
    upper, lower = (part.sum(axis=0).astype(object) for part in (squares >> 32, squares & 0xFFFFFFFF))
    return np.asarray((upper << 32) + lower)
