"""Frames of several transformers side by side."""

from numbers import Integral

import numpy as np
from sklearn.pipeline import FeatureUnion
from sklearn.utils import get_tags

from skser._base import is_sequences
from skser.sequences import Layout, Sequences, as_sequences

_TOLERANCE = 1e-9  # seconds


class FrameUnion(FeatureUnion, auto_wrap_output_keys=None):
    """Concatenate the columns of several transformers frame by frame.

    It is to frame sequences what scikit-learn's `FeatureUnion`, which takes vectors alone, is to
    these. Frames belong together if they are equally many in each utterance, equally far apart
    and centred at the same times; what does not fit is refused, never cut or padded.

    Parameters
    ----------
    transformer_list : list of (str, transformer)
        Names and transformers that give frame sequences. A transformer may be a pipeline,
        "passthrough" for X itself, or "drop".
    n_jobs : int or None, default=None
        Number of transformers that work in parallel, as in joblib.
    verbose : bool, default=False
        Whether to print how long fitting each transformer took.
    verbose_feature_names_out : bool, default=False
        Whether to put the name of its transformer before the name of each column. Column names
        matter to `Functionals`, so by default they stay, and duplicates are refused.

    Attributes
    ----------
    named_transformers : Bunch
        The transformers by name, fitted in place as those of a `FeatureUnion` are.

    See Also
    --------
    sklearn.pipeline.FeatureUnion : The same for vectors.

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
    transformer_weights = None  # of FeatureUnion; scaling is for SequenceScaler

    def __init__(
        self, transformer_list, *, n_jobs=None, verbose=False, verbose_feature_names_out=False
    ):
        self.transformer_list = transformer_list
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.verbose_feature_names_out = verbose_feature_names_out

    def set_output(self, *, transform=None):
        """Accept and ignore: `Sequences` are the only container of frame sequences.

        Parameters
        ----------
        transform : ignored

        Returns
        -------
        self : object
        """
        return self

    def fit(self, X, y=None, **fit_params):
        """Fit every transformer.

        Parameters
        ----------
        X : audio, frame sequences, or whatever else the transformers take
        y : array-like of shape (n_utterances,) or None, default=None
        **fit_params : dict
            Metadata of the transformers, as scikit-learn's `FeatureUnion` hands them on.

        Returns
        -------
        self : object
        """
        return super().fit(X, y, **fit_params)

    def transform(self, X, **params):
        """Concatenate the columns that the transformers give.

        Parameters
        ----------
        X : as in `fit`
        **params : dict
            Metadata of the transformers.

        Returns
        -------
        Sequences of shape (n_utterances,)

        Raises
        ------
        TypeError
            If a transformer gives vectors.
        ValueError
            If frames of two transformers do not belong together.
        """
        return super().transform(X, **params)

    def fit_transform(self, X, y=None, **params):
        """Fit every transformer, and concatenate the columns that they give.

        Parameters
        ----------
        X : as in `fit`
        y : array-like of shape (n_utterances,) or None, default=None
        **params : dict
            Metadata of the transformers.

        Returns
        -------
        Sequences of shape (n_utterances,)
        """
        return super().fit_transform(X, y, **params)

    @property
    def n_features_in_(self):
        """Number of columns of X, where the first transformer knows it."""
        return super().n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the columns of X, where the first transformer knows them."""
        return super().feature_names_in_

    def _validate_transformers(self):
        self._validate_params()
        super()._validate_transformers()

    def _hstack(self, Xs):
        """`Sequences` with the columns of all, which `FeatureUnion` asks for."""
        names = [name for name, *_ in self._iter()]
        for name, X in zip(names, Xs, strict=True):
            if not is_sequences(X):
                raise TypeError(
                    f"Transformer {name!r} gives no frame sequences but {type(X).__name__}: "
                    "scikit-learn's FeatureUnion puts vectors side by side."
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
    """Raise if frames of two transformers do not belong together."""
    for what in ("hop", "offset"):
        one, two = getattr(X.layout, what), getattr(other.layout, what)
        if one != two and (None in (one, two) or abs(one - two) > _TOLERANCE):
            raise ValueError(
                f"Frames of {name!r} and {other_name!r} are of other times: {what} is {one} s and "
                f"{two} s. Give both transformers the same window and hop."
            )
    if len(X) != len(other):
        raise ValueError(
            f"{name!r} gives {len(X)} utterances and {other_name!r} gives {len(other)}."
        )
    differs = X.lengths != other.lengths
    if differs.any():
        i = int(np.argmax(differs))
        raise ValueError(
            f"Utterance {i} has {X.lengths[i]} frames of {name!r} and {other.lengths[i]} of "
            f"{other_name!r}. Give both transformers the same window and hop."
        )
