"""Estimator checks on utterance tables, which are those on audio except for the ones below."""

import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skser.preprocessing import SpeakerScaler
from tests.support.audio_checks import *  # noqa: F403
from tests.support.audio_checks import assert_equal, ready, speech


class OneSpeakerPerUtterance(SpeakerScaler):
    """Speaker scaler that takes lists of audio, as checks pass them, and converts them to tables.

    Each speaker has one utterance, so that the result does not depend on the other utterances.
    """

    @staticmethod
    def table(X):
        if not hasattr(X, "__len__") or not getattr(X, "ndim", 1) or hasattr(X, "toarray"):
            return X
        audio = pd.Series(list(X), dtype=object)
        return pd.DataFrame({"audio": audio, "speaker": [str(i) for i in range(len(audio))]})

    def fit(self, X, y=None):
        return super().fit(self.table(X), y)

    def fit_transform(self, X, y=None):
        return super().fit_transform(self.table(X), y)

    def transform(self, X):
        return super().transform(self.table(X))


def _refuses(transformer, X):
    with pytest.raises(TypeError, match="takes an utterance table.* not"):
        SpeakerScaler.transform(ready(transformer), X)
    with pytest.raises(TypeError, match="takes an utterance table.* not"):
        SpeakerScaler.fit(ready(transformer), X)


def check_estimator_sparse_array(name, transformer):
    _refuses(transformer, csr_array([[1.0]]))


def check_estimator_sparse_matrix(name, transformer):
    _refuses(transformer, csr_matrix([[1.0]]))


def check_fit1d(name, transformer):
    _refuses(transformer, speech()[0])


def check_fit2d_predict1d(name, transformer):
    _refuses(transformer, speech())


def check_transformer_data_not_an_array(name, transformer):
    _refuses(transformer, 3)


def check_dont_overwrite_parameters(name, transformer):
    before = set(vars(clone(transformer)))
    assert set(vars(ready(transformer))) - before == {"transformer_"}


def check_fit_check_is_fitted(name, transformer):
    with pytest.raises(NotFittedError):
        clone(transformer).transform(speech())


def check_transformers_unfitted_stateless(name, transformer):
    # Speakers that `fit` has not seen are scaled like all others.
    assert transformer.__sklearn_tags__().requires_fit
    X = ready(transformer).fit(speech()[:1]).transform(speech())
    assert_equal(X, ready(transformer).transform(speech()))
