"""Feature union for frame sequences."""

from numbers import Integral

import numpy as np
from sklearn.pipeline import FeatureUnion
from sklearn.utils import get_tags

from skser._base import is_sequences
from skser.sequences import Layout, Sequences, as_sequences

_TOLERANCE = 1e-9  # seconds


# auto_wrap_output_keys=None keeps scikit-learn's output configuration from wrapping the frames.
class FrameUnion(FeatureUnion, auto_wrap_output_keys=None):
    """Concatenation, frame by frame, of the columns of several transformers.

    This is the counterpart of scikit-learn's `FeatureUnion`, which accepts only vectors, for
    frame sequences. All transformers must give the same number of frames for each utterance,
    with the same hop and centered at the same times. Frames that do not match raise an error;
    they are never cut or padded.

    Parameters
    ----------
    transformer_list : list of (str, transformer)
        Names and transformers. Each transformer returns frame sequences. It may be a pipeline,
        "passthrough" for X itself, or "drop".
    n_jobs : int or None, default=None
        Number of transformers that run in parallel, as in joblib.
    verbose : bool, default=False
        Whether to print how long fitting each transformer took.
    verbose_feature_names_out : bool, default=False
        Whether to prefix each column name with the name of its transformer. By default, names
        are kept, because `Functionals` recognizes columns by name, and duplicate names raise an
        error.

    Attributes
    ----------
    named_transformers : Bunch
        The transformers by name. They are fitted in place, like those of a `FeatureUnion`.

    See Also
    --------
    sklearn.pipeline.FeatureUnion : Concatenate feature vectors.

    Examples
    --------
    >>> from skser.compose import FrameUnion
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import MFCC, MelSpectrogram
    >>> corpus = make_emotional_speech(2, 5, random_state=0)
    >>> rate = corpus.sampling_rate
    >>> mel = MelSpectrogram(n_mels=16, deltas=0, input_sampling_rate=rate)
    >>> mfcc = MFCC(n_mfcc=13, deltas=0, input_sampling_rate=rate)
    >>> X = FrameUnion([("mel", mel), ("mfcc", mfcc)]).fit_transform(corpus.data)
    >>> X.n_columns, X.layout.feature_names[0], X.layout.feature_names[16]
    (29, 'mel0', 'mfcc0')
    """

    _parameter_constraints = {
        "transformer_list": [list],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "verbose_feature_names_out": ["boolean"],
    }
    transformer_weights = None  # FeatureUnion reads it; SequenceScaler does the scaling here

    def __init__(
        self, transformer_list, *, n_jobs=None, verbose=False, verbose_feature_names_out=False
    ):
        self.transformer_list = transformer_list
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.verbose_feature_names_out = verbose_feature_names_out

    def set_output(self, *, transform=None):
        """Do nothing: frame sequences are always returned as `Sequences`.

        Parameters
        ----------
        transform : str or None, default=None
            Ignored.

        Returns
        -------
        self : object
            This estimator, unchanged.
        """
        return self

    def fit(self, X, y=None, **fit_params):
        """Fit every transformer.

        Parameters
        ----------
        X : audio, frame sequences, or any other input that the transformers take
            Training data.
        y : array-like of shape (n_utterances,) or None, default=None
            Targets, passed to each transformer.
        **fit_params : dict
            Metadata for the transformers, passed on as by scikit-learn's `FeatureUnion`.

        Returns
        -------
        self : object
            Fitted union.
        """
        return super().fit(X, y, **fit_params)

    def transform(self, X, **params):
        """Transform X with each transformer and concatenate the columns.

        Parameters
        ----------
        X : as in `fit`
            Data to transform.
        **params : dict
            Metadata for the transformers.

        Returns
        -------
        Sequences of shape (n_utterances,)
            Frames with the columns of all transformers.

        Raises
        ------
        TypeError
            If a transformer returns vectors.
        ValueError
            If the frames of two transformers differ in number or in time.
        """
        return super().transform(X, **params)

    def fit_transform(self, X, y=None, **params):
        """Fit every transformer, transform X and concatenate the columns.

        Parameters
        ----------
        X : as in `fit`
            Training data.
        y : array-like of shape (n_utterances,) or None, default=None
            Targets, passed to each transformer.
        **params : dict
            Metadata for the transformers.

        Returns
        -------
        Sequences of shape (n_utterances,)
            Frames with the columns of all transformers.
        """
        return super().fit_transform(X, y, **params)

    @property
    def n_features_in_(self):
        """Number of columns of X, if the first transformer has recorded it."""
        return super().n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the columns of X, if the first transformer has recorded them."""
        return super().feature_names_in_

    def _validate_transformers(self):
        self._validate_params()
        super()._validate_transformers()

    def _hstack(self, Xs):
        """Concatenate the outputs; `FeatureUnion` calls this method to join its results."""
        names = [name for name, *_ in self._iter()]
        for name, X in zip(names, Xs, strict=True):
            if not is_sequences(X):
                raise TypeError(
                    f"Transformer {name!r} must return frame sequences, but it returned "
                    f"{type(X).__name__}. To concatenate vectors, use scikit-learn's FeatureUnion."
                )
        parts = [as_sequences(X) for X in Xs]
        first = parts[0]
        for name, part in zip(names[1:], parts[1:], strict=True):
            _check_same_frames(names[0], first, name, part)
        layouts = [part.layout for part in parts]
        of_each = [layout.feature_names for layout in layouts]
        columns = self._add_prefix_for_feature_names_out(list(zip(names, of_each, strict=True)))
        return Sequences(
            np.concatenate([part.frames() for part in parts], axis=1),
            first.lengths,
            layout=Layout(tuple(map(str, columns)), hop=first.layout.hop, offset=layouts[0].offset),
            index=next((part.index for part in parts if part.index is not None), None),
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        of_each = [get_tags(transformer) for _, transformer, _ in self._iter()]
        tags.requires_fit = any(each.requires_fit for each in of_each)
        tags.input_tags = of_each[0].input_tags
        return tags


def _check_same_frames(name, X, other_name, other):
    """Raise if the frames of two transformers differ in number or in time."""
    for what in ("hop", "offset"):
        one, two = getattr(X.layout, what), getattr(other.layout, what)
        if one != two and (None in (one, two) or abs(one - two) > _TOLERANCE):
            raise ValueError(
                f"Frames of {name!r} and {other_name!r} have different times: their {what} is "
                f"{one} s and {two} s. Give both transformers the same window and hop."
            )
    if len(X) != len(other):
        raise ValueError(
            f"{name!r} returned {len(X)} utterances, but {other_name!r} returned {len(other)}. "
            "Each transformer must return one sequence per utterance."
        )
    differs = X.lengths != other.lengths
    if differs.any():
        i = int(np.argmax(differs))
        raise ValueError(
            f"Utterance {i} has {X.lengths[i]} frames from {name!r}, but {other.lengths[i]} from "
            f"{other_name!r}. Give both transformers the same window and hop."
        )
