"""Jitter and shimmer: the regularity of single periods of the voice."""

import numpy as np
from numba import njit

_REACH = 0.2  # largest deviation of a period from the one of the pitch track, as a share of it
_LARGEST_RATIO = 1.3  # of neighboring durations; beyond it the voice has broken
_LARGEST_AMPLITUDE_RATIO = 1.6  # of neighboring amplitudes
_FAINTEST = 0.02  # of the strongest period; below it the voice is only decaying


def perturbations(samples, pitch, hop, sampling_rate, window):
    """Compute the local jitter and shimmer around each frame.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
    pitch : ndarray of shape (n_frames,), float32
        Fundamental frequency in Hz, 0 where unvoiced.
    hop : int
        Number of samples between frames.
    sampling_rate : float
        Sampling rate, in Hz.
    window : float
        Length of the stretch around each frame whose periods are used, in seconds.

    Returns
    -------
    ndarray of shape (n_frames, 2), float32
        Mean absolute difference between neighboring periods over their mean, of duration and of
        peak-to-peak amplitude; 0 if the window has no two neighboring periods.
    """
    centers, durations, amplitudes, runs = _periods(samples, pitch, hop, sampling_rate)
    d, a = durations, amplitudes
    loud = a > _FAINTEST * a.max(initial=0)
    neighbors = (np.diff(runs) == 0) & loud[1:] & loud[:-1]
    neighbors &= np.maximum(d[1:], d[:-1]) < _LARGEST_RATIO * np.minimum(d[1:], d[:-1])
    neighbors &= np.maximum(a[1:], a[:-1]) < _LARGEST_AMPLITUDE_RATIO * np.minimum(a[1:], a[:-1])
    times = (0.5 * (centers[1:] + centers[:-1]))[neighbors]
    order = np.argsort(times, kind="stable")
    frames = np.arange(len(pitch)) * float(hop)
    reach = 0.5 * window * sampling_rate
    first = np.searchsorted(times[order], frames - reach)
    last = np.searchsorted(times[order], frames + reach)
    result = np.zeros((len(pitch), 2), np.float32)
    some = last > first
    for column, values in enumerate((d, a)):
        difference = np.abs(np.diff(values))[neighbors][order]
        level = (0.5 * (values[1:] + values[:-1]))[neighbors][order]
        totals = [np.concatenate([[0.0], np.cumsum(x)]) for x in (difference, level)]
        sums = [(total[last] - total[first])[some] for total in totals]
        result[some, column] = sums[0] / sums[1]
    return result


@njit(cache=True, nogil=True)
def _periods(samples, pitch, hop, sampling_rate):
    """Cut every voiced run of frames into periods by waveform matching.

    The search starts at the strongest peak near the middle of a run. On either side, the next
    period begins where the waveform correlates best with the present one (Boersma 2009).

    Returns
    -------
    centers, durations, amplitudes : ndarray of shape (n_periods,), float64
        Center and duration of each period, in samples, and its peak-to-peak amplitude.
    runs : ndarray of shape (n_periods,), int64
        Number of the run of each period. The two directions of a voiced run count as two.
    """
    n_samples = len(samples)
    # Room for all periods if each is the shortest that `_match` accepts.
    most = n_samples * pitch.max() / ((1 - _REACH) * sampling_rate)
    centers = np.empty(int(most) + 2 * len(pitch) + 2)
    durations = np.empty_like(centers)
    amplitudes = np.empty_like(centers)
    runs = np.empty(len(centers), np.int64)
    n = 0
    run = 0
    t = 0
    n_frames = len(pitch)
    while t < n_frames:
        if pitch[t] == 0:
            t += 1
            continue
        first = t
        while t < n_frames and pitch[t] > 0:
            t += 1
        begin = max(0, int((first - 0.5) * hop))
        end = min(n_samples, int((t - 0.5) * hop))
        middle = (first + t - 1) // 2
        period = sampling_rate / pitch[middle]
        low = max(begin, int(middle * hop - 0.5 * period))
        high = min(end, int(middle * hop + 0.5 * period) + 1)
        if high <= low:
            continue
        start = float(low + np.argmax(np.abs(samples[low:high])))
        for direction in (-1, 1):
            place = start
            # Each direction gets its own run number, so that periods within a run are in order.
            while n < len(centers):
                frame = min(max(int(place / hop + 0.5), first), t - 1)
                step = _match(samples, place, sampling_rate / pitch[frame], direction)
                following = place + direction * step
                if step == 0 or following < begin or following > end:
                    break
                left = max(0, int(place - 0.5 * step))
                right = min(n_samples, int(place + 0.5 * step) + 1)
                centers[n] = 0.5 * (place + following)
                durations[n] = step
                amplitudes[n] = samples[left:right].max() - samples[left:right].min()
                runs[n] = run
                n += 1
                place = following
            run += 1
    return centers[:n], durations[:n], amplitudes[:n], runs[:n]


@njit(cache=True, nogil=True, fastmath=True)  # fastmath lets sums use vector registers
def _match(samples, place, period, direction):
    """Return the distance at which the period around `place` recurs; 0 if it does not."""
    width = int(period)
    start = int(place + 0.5) - width // 2
    shortest = max(2, int((1 - _REACH) * period))
    longest = int((1 + _REACH) * period) + 1
    # One more lag on both sides, for the parabola.
    low, high = shortest - 1, longest + 1
    if direction > 0 and (start < 0 or start + high + width > len(samples)):
        return 0.0
    if direction < 0 and (start - high < 0 or start + width > len(samples)):
        return 0.0
    present = samples[start : start + width]
    energy = np.float32(0)
    for k in range(width):
        energy += present[k] * present[k]
    if energy == 0:
        return 0.0
    scores = np.empty(high - low + 1)
    for lag in range(low, high + 1):
        other = samples[start + direction * lag : start + direction * lag + width]
        product = np.float32(0)
        square = np.float32(0)
        for k in range(width):
            product += present[k] * other[k]
            square += other[k] * other[k]
        norm = np.sqrt(energy) * np.sqrt(square)
        scores[lag - low] = product / norm if norm > 0 else 0.0
    best = 1 + np.argmax(scores[1:-1])
    before, here, after = scores[best - 1], scores[best], scores[best + 1]
    if here < 0.3:
        return 0.0
    bend = 2 * here - before - after
    shift = 0.5 * (after - before) / bend if bend > 0 else 0.0
    return low + best + min(max(shift, -0.5), 0.5)
