"""A fit that fails leaves an estimator as it was."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skser.compose import AdaptedClassifier, GeometricVotingClassifier, SegmentedClassifier
from skser.feature_extraction import Functionals
from skser.preprocessing import SequenceScaler, SpeakerScaler

RANDOM = np.random.RandomState(0)
X = RANDOM.randn(40, 30, 3)
Y = np.resize(["a", "b", "c"], 40)
OTHER = np.where(Y == "a", "x", Y)
VECTORS = X.mean(axis=1) + (Y == "a")[:, None]


class Failing(LogisticRegression):
    """Classifier that fails on labels with an x, as after a mistake in the data."""

    def fit(self, X, y):
        if "x" in y:
            raise ValueError("no x, please")
        return super().fit(X, y)


def linear():
    return make_pipeline(Functionals(statistics=("moments",)), StandardScaler(), Failing())


@pytest.mark.parametrize(
    ("model", "data", "changed"),
    [
        (SegmentedClassifier(linear(), window=10, hop=5), X, {"window": 20, "hop": 20}),
        (AdaptedClassifier(make_pipeline(StandardScaler(), Failing())), VECTORS, {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_earlier_model_remains(model, data, changed):
    model = clone(model).fit(data, Y)
    expected = model.predict_proba(data)
    model.set_params(**changed)
    with pytest.raises(ValueError, match="no x, please"):
        model.fit(data, OTHER)
    assert model.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(model.predict_proba(data), expected)


def test_a_vote_whose_member_fails_keeps_its_classes():
    vote = GeometricVotingClassifier([("a", GaussianNB()), ("b", LogisticRegression())])
    expected = vote.fit(VECTORS, Y).predict(VECTORS)
    with pytest.raises(ValueError, match="infinity"):
        vote.fit(np.where(VECTORS[0, 0] == VECTORS, np.inf, VECTORS), OTHER)
    np.testing.assert_array_equal(vote.predict(VECTORS), expected)


def test_a_method_that_fails_after_the_estimator_was_fitted_changes_nothing():
    model = AdaptedClassifier(make_pipeline(StandardScaler(), LogisticRegression()), method="coral")
    expected = model.fit(VECTORS, Y).predict_proba(VECTORS)
    model.set_params(estimator=make_pipeline(StandardScaler(), GaussianNB()))
    with pytest.raises(ValueError, match="Pipeline contains none"):
        model.fit(VECTORS, np.where(Y == "c", "a", Y))
    assert model.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(model.predict_proba(VECTORS), expected)


def test_a_scaler_keeps_its_statistics():
    scaler = SequenceScaler().fit(X)
    expected = scaler.transform(X).values
    with pytest.raises(ValueError, match="NaN"):
        scaler.fit(np.where(X > 2, np.nan, X))
    np.testing.assert_array_equal(scaler.transform(X).values, expected)


def test_a_scaler_of_speakers_keeps_its_transformer():
    table = pd.DataFrame({"audio": list(X.mean(axis=2)), "speaker": np.resize(["x", "y"], 40)})

    def features(audio):
        if len(audio) < 40:
            raise ValueError("too few")
        return np.stack(list(audio["audio"]))

    scaler = SpeakerScaler(FunctionTransformer(features))
    scaler.fit_transform(table)
    fitted = scaler.transformer_
    with pytest.raises(ValueError, match="too few"):
        scaler.fit_transform(table[:10])
    assert scaler.transformer_ is fitted
