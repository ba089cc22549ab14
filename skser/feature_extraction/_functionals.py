"""One vector per utterance from the course of its descriptors."""

from functools import partial

import numpy as np

from skser.feature_extraction import _course as course
from skser.feature_extraction._frame_features import VOICED_COLUMNS
from skser.feature_extraction._segments import Segments

STATISTICS = (
    "moments",
    "percentiles",
    "slopes",
    "regression",
    "thirds",
    "contour",
    "change",
    "differences",
    "voiced",
    "correlations",
    "rhythm",
)
_REACH = 4  # of differences, in frames to either side
_EDGE = 5  # frames kept before the first voiced frame and after the last
_FEWEST_VOICED = 3
_FRAMES_AT_ONCE = 2**14


def describe(frames, lengths, columns, statistics, hop, active_only):
    """Vectors of some utterances, and their names.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_columns), float32
        Utterance after utterance.
    lengths : ndarray of shape (n_utterances,), int
    columns : sequence of str
    statistics : collection of str
        Of `STATISTICS`.
    hop : float
        Seconds per frame.
    active_only : bool

    Returns
    -------
    names : list of str
    vectors : ndarray of shape (n_utterances, n_names), float32
    """
    columns = np.asarray(columns, dtype=object)
    is_voiced_only = np.isin(columns, VOICED_COLUMNS) & ("F0" in columns)
    plain, only = np.flatnonzero(~is_voiced_only), np.flatnonzero(is_voiced_only)
    frames, lengths = _at_least_three(frames, lengths)
    voiced = frames[:, list(columns).index("F0")] > 0 if len(only) else None
    if active_only and voiced is not None:
        kept, lengths = _active(voiced, lengths)
        frames, voiced = frames[kept], voiced[kept]
    segments = Segments(lengths)
    rows = np.ascontiguousarray(frames.T)
    names, values = [], []

    def add(wanted, named, described, prefix=""):
        if wanted in statistics:
            for label, value in described().items():
                names.extend(f"{prefix}{column}_{label}" for column in named)
                values.append(np.broadcast_to(value, (len(named), len(lengths))))

    def add_all(named, x, part, prefix=""):
        add("moments", named, lambda: course.moments(x, part), prefix)
        add("percentiles", named, lambda: course.percentiles(x, part), prefix)

    moving, course_of = rows[plain], list(columns[plain])
    if voiced is not None:
        counted, part = _counted(voiced, segments)
        spoken = rows[:, counted]
        add_all(columns[only], spoken[only], part)
        add("slopes", columns[only], lambda: course.slopes(spoken[only], part))
        add("regression", columns[only], lambda: course.regression(spoken[only], part))
        pitch = rows[list(columns).index("F0")]
        moving = np.concatenate([moving, course.bridged(pitch, voiced, segments)[None]])
        moving = moving.astype(np.float32)
        course_of.append("bridged_F0")
        if "voiced" in statistics:
            add_all(columns[plain], spoken[plain], part, "voiced_")
        add("rhythm", ["rhythm"], lambda: course.rhythm(voiced, segments, hop))
    add_all(course_of, moving, segments)
    for function in (
        course.slopes,
        course.regression,
        course.thirds,
        course.contour,
        course.change,
    ):
        add(function.__name__, course_of, partial(function, moving, segments))
    if "differences" in statistics:
        first = segments.slopes(moving, _REACH)
        add_all(course_of, first, segments, "Δ")
        add_all(course_of, segments.slopes(first, _REACH), segments, "ΔΔ")
        if voiced is not None and "voiced" in statistics:
            add_all(course_of, first[:, counted], part, "voiced_Δ")
    return names, np.concatenate(values).T.astype(np.float32)


def _at_least_three(frames, lengths):
    """Let the last frame of shorter utterances last until there are three."""
    if lengths.min() >= 3:
        return frames, lengths
    longer = np.maximum(lengths, 3)
    place = Segments(longer).position()
    starts = np.cumsum(lengths) - lengths
    rows = np.repeat(starts, longer) + np.minimum(place, np.repeat(lengths - 1, longer))
    return frames[rows], longer


def _active(voiced, lengths):
    """Frames from the first to the last voiced one and some around, and their numbers."""
    segments = Segments(lengths)
    place = segments.position()
    size = segments.spread(lengths)
    first = np.minimum.reduceat(np.where(voiced, place, size), segments.starts) - _EDGE
    last = np.maximum.reduceat(np.where(voiced, place, -1), segments.starts) + _EDGE
    none = np.add.reduceat(voiced, segments.starts, dtype=np.int64) < _FEWEST_VOICED
    first[none], last[none] = 0, lengths[none]
    kept = (place >= segments.spread(first)) & (place <= segments.spread(last))
    return kept, np.add.reduceat(kept, segments.starts, dtype=np.int64)


def _counted(voiced, segments):
    """Voiced frames, or all frames of utterances that hold next to none."""
    few = np.add.reduceat(voiced, segments.starts, dtype=np.int64) < _FEWEST_VOICED
    counted = voiced | segments.spread(few)
    return counted, segments.within(counted)
