"""Statistics over the frames of an utterance: one vector per utterance."""

from functools import partial

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted

from skser._base import SequenceTransformerMixin, in_container, validate_sequences
from skser.feature_extraction import _statistics
from skser.feature_extraction._frame_features import VOICED_COLUMNS
from skser.feature_extraction._segments import Segments
from skser.sequences import Sequences

STATISTICS = (
    "moments",
    "percentiles",
    "slopes",
    "regression",
    "thirds",
    "contour",
    "differences",
    "voiced",
    "rhythm",
)
_REACH = 4  # frames to either side of a regression difference
_EDGE = 5  # frames kept before the first voiced frame and after the last
_FEWEST_VOICED = 3
_FRAMES_AT_ONCE = 2**14


class Functionals(SequenceTransformerMixin, BaseEstimator, auto_wrap_output_keys=("transform",)):
    """Statistics over the frames of each utterance: one vector of named numbers.

    *Plain* columns are described over all frames. *Voiced-only* columns, which have a meaning in
    voiced speech alone (F0, harmonics-to-noise ratio, jitter, shimmer, formants), are described
    over voiced frames. F0 is described a second time as the plain column ``bridged_F0``, in
    which straight lines bridge the unvoiced gaps. Frames are voiced where the column ``F0`` is
    above 0. Without a column of this name, all columns are plain.

    Parameters
    ----------
    transformer : transformer of audio or None, default=None
        Transformer that computes the frames, such as `FrameFeatures`. X is then audio; frames
        are reduced in the process that computes them, so memory does not grow with them. None
        means that X is frame sequences.
    statistics : sequence of str, default=all of these
        Groups of statistics to compute:

        - "moments": mean, standard deviation, skewness, kurtosis (3 if Gaussian);
        - "percentiles": 1, 10, 25, 50, 75, 90 and 99 %, with linear interpolation, and the
          ranges 25-75, 10-90 and 1-99 %;
        - "slopes": mean and standard deviation of rising and of falling steps from frame to
          frame (in voiced-only columns: to the next voiced frame, even across a gap), and the
          share of each;
        - "regression": linear and quadratic coefficient over a time from -1 to 1, and the root
          mean square error of the line;
        - "thirds": mean and standard deviation of the first, middle and last third; plain
          columns only;
        - "contour": coefficients 1 to 7 of the cosine transform (DCT-II) over the utterance;
          plain columns only;
        - "differences": moments and percentiles of first and second differences (regression
          slopes over nine frames, per frame); plain columns only, and none if the frames
          include differences already (``deltas=``);
        - "voiced": moments and percentiles of plain columns, and of their first differences,
          over voiced frames;
        - "rhythm": voiced stretches per second, mean and standard deviation of their length
          and of the pauses between them, share of voiced frames, duration. Times are in
          seconds; the duration is that of the part kept by `active_only`.
    active_only : bool, default=True
        Whether to skip everything more than 5 frames before the first voiced frame or after
        the last.

    Attributes
    ----------
    transformer_ : transformer or None
        Fitted clone of `transformer`, or None.
    n_features_in_ : int
        Number of columns of X. Only set if X is a 2-D array.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of the columns of X. Only set if X is a DataFrame of numbers.

    Notes
    -----
    An utterance with fewer than three voiced frames is described as if all of its frames were
    voiced, with an F0 of 0 in the unvoiced ones; only its rhythm is not. The last frame of an
    utterance with fewer than three frames is repeated until there are three. Values are finite
    for any finite input; a constant column has skewness and kurtosis 0. Sums are computed per
    utterance in double precision, so a vector does not depend on the other utterances.

    References
    ----------
    The approach, brute-force statistics of low-level descriptors, follows Schuller, B. et
    al. (2009). The INTERSPEECH 2009 Emotion Challenge. Proc. Interspeech. The choice of
    statistics is this package's own.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import FrameFeatures, Functionals
    >>> corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=3, random_state=0)
    >>> frames = FrameFeatures(("pitch", "energy"), input_sampling_rate=corpus.sampling_rate)
    >>> functionals = Functionals(frames, ("moments", "rhythm")).set_output(transform="pandas")
    >>> X = functionals.fit_transform(corpus.data)
    >>> X.shape, list(X.columns[:4])
    ((6, 31), ['F0_mean', 'F0_std', 'F0_skewness', 'F0_kurtosis'])
    >>> X["rhythm_voiced_share"].between(0.2, 1).all()
    np.True_
    """

    _parameter_constraints = {
        "transformer": [HasMethods("transform_to"), None],
        "statistics": ["array-like"],
        "active_only": ["boolean"],
    }

    def __init__(self, transformer=None, statistics=STATISTICS, active_only=True):
        self.transformer = transformer
        self.statistics = statistics
        self.active_only = active_only

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the names of the columns; nothing else is learned from X.

        Parameters
        ----------
        X : audio, if `transformer` is given; else Sequences, list of 2-D arrays, or 2-D or \
                3-D array
            Utterances.
        y : ignored

        Returns
        -------
        self : object
        """
        unknown = sorted(set(self.statistics) - set(STATISTICS))
        if unknown or not len(self.statistics):
            raise ValueError(
                f"statistics={self.statistics!r} holds {unknown or 'nothing'}, but needs one or "
                f"more of {STATISTICS}."
            )
        if self.transformer is None:
            self.transformer_ = None
            validate_sequences(self, X, reset=True)
        else:
            self.transformer_ = clone(self.transformer).fit(X)
            self._layout = self.transformer_._sequence_layout(self.transformer_._prepare())
        self.get_feature_names_out()  # raises if no statistic applies to these columns
        return self

    def transform(self, X):
        """Compute the statistics of every utterance.

        Parameters
        ----------
        X : as for `fit`
            Utterances.

        Returns
        -------
        ndarray of shape (n_utterances, n_statistics), float32
            One vector per utterance. If the transformer's `on_error` is "empty", an utterance
            that could not be read has a row of NaN.

        Raises
        ------
        AudioReadError
            As in the `transform` of the transformer.
        """
        check_is_fitted(self)
        if self.transformer_ is None:
            sequences = validate_sequences(self, X, reset=False)
            return in_container(self, _in_runs(sequences, self._describe), X)
        unread = np.full(len(self.get_feature_names_out()), np.nan, np.float32)
        reduce = partial(_reduce, describe=self._describe)
        results = self.transformer_._extract_all(X, reduce, unread, "NaN")[0]
        return in_container(self, np.stack(list(results)), X)

    @property
    def _describe(self):
        return partial(
            describe,
            columns=self._layout.feature_names,
            statistics=tuple(self.statistics),
            hop=self._layout.hop or 1.0,
            active_only=self.active_only,
        )

    def get_feature_names_out(self, input_features=None):
        """Return the names of the statistics, ``<column>_<statistic>``.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        width = len(self._layout.feature_names)
        names, _ = self._describe(np.zeros((3, width), np.float32), np.array([3]))
        return np.asarray(names, dtype=object)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_layout")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.two_d_array = self.transformer is None
        tags.input_tags.string = self.transformer is not None
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _reduce(arrays, describe):
    return _in_runs(Sequences.from_list(arrays), describe)


def _in_runs(sequences, describe):
    """Describe any number of utterances in bounded memory."""
    # In order of length, since percentiles pad the utterances of a run to the same length.
    order = np.argsort(sequences.lengths, kind="stable")
    lengths = sequences.lengths[order]
    vectors, first = None, 0
    while first < len(order):
        padded = lengths[first:] * np.arange(1, len(order) - first + 1)
        n = max(1, np.searchsorted(padded, _FRAMES_AT_ONCE, side="right"))
        run = sequences[order[first : first + n]]
        described = describe(run.frames(), run.lengths)[1]
        if vectors is None:
            vectors = np.empty((len(order), described.shape[1]), np.float32)
        vectors[order[first : first + n]] = described
        first += n
    return vectors


def describe(frames, lengths, columns, statistics, hop, active_only):
    """Compute the statistics of some utterances.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_columns), float32
        Frames of all utterances, one utterance after the other.
    lengths : ndarray of shape (n_utterances,), int
        Number of frames of each utterance.
    columns : sequence of str
        Names of the columns.
    statistics : collection of str
        Names from `STATISTICS`.
    hop : float
        Time between frames, in seconds.
    active_only : bool
        Whether to skip silence at both ends of each utterance.

    Returns
    -------
    names : list of str
        Names of the statistics, ``<column>_<statistic>``.
    vectors : ndarray of shape (n_utterances, n_names), float32
    """
    columns = np.asarray(columns, dtype=object)
    # Differences of a voiced-only column, if the frames include them, are voiced-only too.
    static = [column.lstrip("Δ") for column in columns]
    is_voiced_only = np.isin(static, VOICED_COLUMNS) & ("F0" in columns)
    has_differences = any(column.startswith("Δ") for column in columns)
    plain, only = np.flatnonzero(~is_voiced_only), np.flatnonzero(is_voiced_only)
    frames, lengths = _at_least_three(frames, lengths)
    pitch = frames[:, list(columns).index("F0")] if len(only) else None
    if pitch is not None and pitch.min(initial=0) < 0:
        raise ValueError(
            "The column F0 holds negative values, as scaled frames do, so that voiced frames "
            "cannot be found. Scale the vectors after Functionals instead of the frames."
        )
    voiced = pitch > 0 if pitch is not None else None
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
        add("moments", named, lambda: _statistics.moments(x, part), prefix)
        add("percentiles", named, lambda: _statistics.percentiles(x, part), prefix)

    moving, moving_columns = rows[plain], list(columns[plain])
    if voiced is not None:
        counted, part = _counted(voiced, segments)
        spoken = rows[:, counted]
        add_all(columns[only], spoken[only], part)
        add("slopes", columns[only], lambda: _statistics.slopes(spoken[only], part))
        add("regression", columns[only], lambda: _statistics.regression(spoken[only], part))
        pitch = rows[list(columns).index("F0")]
        moving = np.concatenate([moving, _statistics.bridged(pitch, voiced, segments)[None]])
        moving = moving.astype(np.float32)
        moving_columns.append("bridged_F0")
        if "voiced" in statistics:
            add_all(columns[plain], spoken[plain], part, "voiced_")
        add("rhythm", ["rhythm"], lambda: _statistics.rhythm(voiced, segments, hop))
    add_all(moving_columns, moving, segments)
    for name in ("slopes", "regression", "thirds", "contour"):
        add(name, moving_columns, partial(getattr(_statistics, name), moving, segments))
    if "differences" in statistics and not has_differences:
        first = segments.slopes(moving, _REACH)
        add_all(moving_columns, first, segments, "Δ")
        add_all(moving_columns, segments.slopes(first, _REACH), segments, "ΔΔ")
        if voiced is not None and "voiced" in statistics:
            add_all(moving_columns, first[:, counted], part, "voiced_Δ")
    if not names:
        raise ValueError(
            f"statistics={tuple(statistics)} do not apply to frames without a column 'F0': add "
            "others, such as 'moments'."
        )
    return names, np.concatenate(values).T.astype(np.float32)


def _at_least_three(frames, lengths):
    """Repeat the last frame of shorter utterances until there are three frames."""
    if lengths.min() >= 3:
        return frames, lengths
    longer = np.maximum(lengths, 3)
    place = Segments(longer).position()
    starts = np.cumsum(lengths) - lengths
    rows = np.repeat(starts, longer) + np.minimum(place, np.repeat(lengths - 1, longer))
    return frames[rows], longer


def _active(voiced, lengths):
    """Mark the frames from `_EDGE` before the first voiced one to `_EDGE` after the last.

    Returns the mask and the number of its frames per utterance. An utterance with next to no
    voiced frames is kept whole.
    """
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
    """Mark the voiced frames, or all frames of an utterance with next to no voiced ones.

    Returns the mask and the `Segments` of its frames.
    """
    few = np.add.reduceat(voiced, segments.starts, dtype=np.int64) < _FEWEST_VOICED
    counted = voiced | segments.spread(few)
    return counted, segments.within(counted)
