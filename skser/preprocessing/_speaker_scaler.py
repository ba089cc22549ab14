"""Scaling of features within each speaker."""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, _fit_context, clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted

from skser._base import check_sequences, is_sequences, unchanged_on_failure
from skser._codes import codes_of
from skser.sequences import Sequences, as_sequences, row_index


class SpeakerScaler(
    MetaEstimatorMixin, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """Features of each utterance, standardized within its speaker.

    This scaler is *transductive*: the mean and standard deviation of a speaker are computed from
    the speaker's utterances in the table given to `transform`, without their labels. `fit`
    remembers no statistics. On a test set, all utterances of the test speakers are used at once.
    So their speakers must be known, and a prediction depends on which other utterances of the
    same speaker are predicted with it. Results obtained this way must be reported as
    transductive; they cannot be compared with those of systems that hear one utterance at a time.

    Parameters
    ----------
    transformer : transformer
        Transformer of an utterance table, by its column ``audio``, to `Sequences` or to vectors
        (a 2-D array or DataFrame). It is a transformer of audio such as `MelSpectrogram`, or a
        pipeline of transformers that begins with one.
    speaker : str, default="speaker"
        Name of the column with the speaker of each utterance.

    Attributes
    ----------
    transformer_ : transformer
        Fitted clone of `transformer`.

    See Also
    --------
    SequenceScaler : Scaling by statistics of the training set, for unknown speakers.

    Notes
    -----
    If `transformer` returns `Sequences`, statistics are over all frames of a speaker; if it
    returns vectors, they are over the speaker's utterances. Columns that are constant within a
    speaker are centered and left unscaled. The vector of a speaker's only utterance becomes 0,
    and a warning names the speaker.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import MelSpectrogram
    >>> from skser.preprocessing import SpeakerScaler
    >>> corpus = make_emotional_speech(2, 5, random_state=0)
    >>> mel = MelSpectrogram(n_mels=4, deltas=0, input_sampling_rate=corpus.sampling_rate)
    >>> X = SpeakerScaler(mel).fit_transform(corpus.frame)
    >>> second_speaker = X[corpus.speakers == "02"].frames()
    >>> bool(abs(second_speaker.mean(axis=0)).max() < 1e-5), second_speaker.std(axis=0).round(3)
    (True, array([1., 1., 1., 1.], dtype=float32))
    """

    _parameter_constraints = {
        "transformer": [HasMethods(["fit", "fit_transform", "transform"])],
        "speaker": [str],
    }

    def __init__(self, transformer, speaker="speaker"):
        self.transformer = transformer
        self.speaker = speaker

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit a clone of the transformer.

        Parameters
        ----------
        X : DataFrame of n_utterances rows
            Utterance table, with a column ``audio`` and the column `speaker`.
        y : array-like of shape (n_utterances,) or None, default=None
            Labels for the transformer, if it uses any.

        Returns
        -------
        self : object
        """
        self._speaker_codes(X)
        self.transformer_ = clone(self.transformer).fit(X, y)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X, y=None):
        """Fit a clone of the transformer, extract the features once and scale them.

        Parameters
        ----------
        X : DataFrame of n_utterances rows
            Utterance table, with a column ``audio`` and the column `speaker`.
        y : array-like of shape (n_utterances,) or None, default=None
            Labels for the transformer, if it uses any.

        Returns
        -------
        Sequences, ndarray or DataFrame of n_utterances rows
            Scaled features, in the container that the transformer returns.
        """
        codes = self._speaker_codes(X)
        with unchanged_on_failure(self):
            self.transformer_ = clone(self.transformer)
            return self._scale(self.transformer_.fit_transform(X, y), *codes, row_index(X))

    def transform(self, X):
        """Extract features and standardize them within the speakers of this table.

        Parameters
        ----------
        X : DataFrame of n_utterances rows
            Utterance table, with a column ``audio`` and the column `speaker`.

        Returns
        -------
        Sequences, ndarray or DataFrame of n_utterances rows
            Scaled features, in the container that the transformer returns.

        Raises
        ------
        TypeError
            If X is not a DataFrame.
        ValueError
            If the column `speaker` is missing or has missing values.
        """
        check_is_fitted(self)
        codes = self._speaker_codes(X)
        return self._scale(self.transformer_.transform(X), *codes, row_index(X))

    def _speaker_codes(self, X):
        """Return the code of each utterance's speaker, and the speakers by code."""
        if not hasattr(X, "columns"):
            raise TypeError(
                "SpeakerScaler takes an utterance table, a DataFrame with columns 'audio' and "
                f"{self.speaker!r}, not {type(X).__name__}."
            )
        if self.speaker not in X.columns:
            raise ValueError(
                f"The utterance table has no column {self.speaker!r}; its columns are "
                f"{list(X.columns)}. Set speaker= to the one with the speakers."
            )
        codes, speakers = codes_of(X[self.speaker])
        if (codes < 0).any():
            missing = np.flatnonzero(codes < 0)
            raise ValueError(
                f"{len(missing)} of {len(X)} utterances have no {self.speaker!r}; the first is "
                f"utterance {missing[0]}. Fill in the speaker or leave them out."
            )
        return codes, speakers

    def _scale(self, extracted, codes, speakers, index):
        if is_sequences(extracted):
            sequences = as_sequences(extracted)
            check_sequences(sequences)
            codes = np.repeat(codes, sequences.lengths)
            scaled = _scaled_within(codes, sequences.frames())
            return Sequences(scaled, sequences.lengths, layout=sequences.layout, index=index)
        vectors = check_array(
            extracted, dtype=[np.float64, np.float32], ensure_all_finite=False, input_name="X"
        )
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"The features of utterance {np.argmin(finite)} are not finite: leave it out."
            )
        alone = speakers[np.bincount(codes) == 1]
        if len(alone):
            warnings.warn(
                f"Speakers with a single utterance: {list(alone)}. Scaled by its own mean, its "
                "vector becomes 0.",
                stacklevel=3,
            )
        scaled = _scaled_within(codes, vectors)
        if isinstance(extracted, pd.DataFrame):
            return pd.DataFrame(scaled, index=index, columns=extracted.columns)
        if hasattr(extracted, "columns"):  # polars
            return type(extracted)(scaled, schema=list(extracted.columns), orient="row")
        return scaled

    def set_output(self, *, transform=None):
        """Choose the container of vectors; `Sequences` stay what they are.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            Container, as in scikit-learn. None leaves the present setting.

        Returns
        -------
        self : object
        """
        for transformer in (self.transformer, getattr(self, "transformer_", None)):
            if hasattr(transformer, "set_output"):
                transformer.set_output(transform=transform)
        return self

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns, which are those of the transformer.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        return self.transformer_.get_feature_names_out()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


def _scaled_within(codes, rows):
    scaled = np.empty_like(rows)
    for code in range(codes.max() + 1):
        of_speaker = np.flatnonzero(codes == code)
        scaled[of_speaker] = StandardScaler().fit_transform(rows[of_speaker])
    return scaled
