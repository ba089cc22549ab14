"""Statistics of the frames of an utterance, for many utterances at once.

Most functions take rows (n_columns, n_frames), each a column of the frame sequences, and the
`Segments` of the utterances in them. They return a dict from a statistic's name to its values
(n_columns, n_utterances).
"""

import numpy as np

from skser.feature_extraction._segments import PERCENTILES, Segments

N_COSINES = 7


def moments(rows, segments):
    """Compute the mean, standard deviation, skewness and kurtosis (3 if Gaussian)."""
    mean = segments.mean(rows)
    centered = rows - segments.spread(mean)
    square = centered * centered
    variance = segments.mean(square)
    # Below this, the variance of a constant is only rounding error, with a meaningless shape.
    varies = variance > 1e-12 * mean**2 + 1e-24
    safe = np.where(varies, variance, 1)
    skewness = segments.mean(square * centered) / safe**1.5
    kurtosis = segments.mean(square * square) / safe**2
    return {
        "mean": mean,
        "std": np.sqrt(variance),
        "skewness": np.where(varies, skewness, 0),
        "kurtosis": np.where(varies, kurtosis, 0),
    }


def percentiles(rows, segments):
    """Compute percentiles, and ranges between them."""
    values = dict(zip(PERCENTILES, segments.percentiles(rows), strict=True))
    ranges = {
        f"p{low}-{high}": values[high] - values[low] for low, high in ((25, 75), (10, 90), (1, 99))
    }
    return {f"p{p}": value for p, value in values.items()} | ranges


def slopes(rows, segments):
    """Compute the mean, standard deviation and share of the steps that rise, and that fall."""
    steps = np.zeros(rows.shape)
    np.subtract(rows[:, 1:], rows[:, :-1], out=steps[:, 1:])
    steps[:, segments.starts] = 0
    n_steps = np.maximum(segments.lengths - 1, 1)
    result = {}
    for name, part in (("rise", np.maximum(steps, 0)), ("fall", np.minimum(steps, 0))):
        count = segments.sum(part != 0)
        mean = segments.sum(part) / np.maximum(count, 1)
        square = segments.sum(part * part) / np.maximum(count, 1)
        result[name] = mean
        result[f"{name}_std"] = np.sqrt(np.maximum(square - mean**2, 0))
        result[f"{name}_share"] = count / n_steps
    return result


def regression(rows, segments):
    """Compute linear and quadratic coefficients over a time from -1 to 1, and the line's error."""
    last = np.maximum(segments.spread(segments.lengths) - 1, 1)
    time = 2 * segments.position() / last - 1
    centered = rows - segments.spread(segments.mean(rows))
    slope = segments.sum(centered * time) / np.maximum(segments.sum(time * time), 1e-9)
    bow = time * time - segments.spread(segments.mean(time * time))
    curvature = segments.sum(centered * bow) / np.maximum(segments.sum(bow * bow), 1e-9)
    rest = segments.mean((centered - segments.spread(slope) * time) ** 2)
    return {"slope": slope, "curvature": curvature, "regression_error": np.sqrt(rest)}


def thirds(rows, segments):
    """Compute the mean and standard deviation of the first, middle and last third."""
    cuts = [k * segments.lengths // 3 for k in range(4)]
    parts = Segments(np.stack([cuts[k + 1] - cuts[k] for k in range(3)], axis=1).ravel())
    mean = parts.mean(rows)
    deviation = np.sqrt(parts.mean((rows - parts.spread(mean)) ** 2))
    return {
        f"{which}_{name}": values[:, k::3]
        for name, values in (("mean", mean), ("std", deviation))
        for k, which in enumerate(("first", "middle", "last"))
    }


def contour(rows, segments):
    """Compute cosine coefficients 1 to 7 over the whole utterance."""
    angle = np.pi * (segments.position() + 0.5) / segments.spread(segments.lengths)
    return {f"cosine{k}": segments.mean(rows * np.cos(k * angle)) for k in range(1, N_COSINES + 1)}


def rhythm(voiced, segments, hop):
    """Describe the voiced stretches and the pauses between them.

    Parameters
    ----------
    voiced : ndarray of shape (n_frames,), bool
        Mask of the voiced frames.
    segments : Segments
        Utterances.
    hop : float
        Time between frames, in seconds.

    Returns
    -------
    dict of str to ndarray of shape (n_utterances,)
    """
    before = np.concatenate([[False], voiced[:-1]])
    before[segments.starts] = False
    after = np.concatenate([voiced[1:], [False]])
    after[segments.starts[1:] - 1] = False
    begin, end = np.flatnonzero(voiced & ~before), np.flatnonzero(voiced & ~after) + 1
    n = len(segments.lengths)
    owner = np.searchsorted(segments.starts, begin, side="right") - 1
    inner = owner[1:] == owner[:-1]
    count, length, length_std = _grouped(hop * (end - begin), owner, n)
    _, pause, pause_std = _grouped(hop * (begin[1:] - end[:-1])[inner], owner[1:][inner], n)
    duration = hop * segments.lengths
    return {
        "voiced_per_second": count / duration,
        "voiced_length": length,
        "voiced_length_std": length_std,
        "pause_length": pause,
        "pause_length_std": pause_std,
        "voiced_share": segments.mean(voiced),
        "duration": duration,
    }


def _grouped(values, owner, n):
    """Return the number, mean and standard deviation of the values of each of `n` owners."""
    count = np.bincount(owner, minlength=n)
    safe = np.maximum(count, 1)
    mean = np.bincount(owner, values, n) / safe
    variance = np.bincount(owner, (values - mean[owner]) ** 2, n) / safe
    return count, mean, np.sqrt(variance)


def bridged(row, voiced, segments):
    """Interpolate the unvoiced frames of a row from the voiced frames around them."""
    here = np.arange(len(row))
    first, last = (
        segments.spread(segments.starts),
        segments.spread(segments.starts + segments.lengths),
    )
    left = np.maximum.accumulate(np.where(voiced, here, -1))
    right = np.minimum.accumulate(np.where(voiced, here, len(row))[::-1])[::-1]
    left = np.where(left < first, right, left)
    right = np.where(right >= last, left, right)
    none = left >= last
    left, right = np.where(none, here, left), np.where(none, here, right)
    share = (here - left) / np.maximum(right - left, 1)
    return row[left] + (row[right] - row[left]) * share
