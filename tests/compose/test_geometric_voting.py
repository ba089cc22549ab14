import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.validation import NotFittedError

import skser
from skser.compose import GeometricVotingClassifier, RejectingClassifier

MEMBERS = [("linear", LogisticRegression()), ("bayes", GaussianNB())]


@pytest.fixture
def vectors():
    random = np.random.RandomState(0)
    y = np.array(["anger", "fear", "joy"])[np.arange(60) % 3]
    X = random.randn(60, 4) + 3 * (np.arange(60) % 3)[:, None] * [1, 0, 0, 0]
    return X, y


def test_probabilities_are_geometric_means_of_those_of_the_members(vectors):
    X, y = vectors
    vote = GeometricVotingClassifier(MEMBERS, weights=[1, 3]).fit(X, y)
    linear, bayes = (clone(member).fit(X, y).predict_proba(X) for _, member in MEMBERS)
    product = linear**0.25 * bayes**0.75
    np.testing.assert_allclose(
        vote.predict_proba(X), product / product.sum(axis=1, keepdims=True), rtol=1e-9
    )
    assert vote.predict(X).tolist() == vote.classes_[product.argmax(axis=1)].tolist()
    assert vote.classes_.tolist() == ["anger", "fear", "joy"]


def test_equal_members_agree_with_themselves(vectors):
    X, y = vectors
    twice = [("a", LogisticRegression()), ("b", LogisticRegression()), ("c", "drop")]
    vote = GeometricVotingClassifier(twice, weights=[2, 1, 7]).fit(X, y)
    expected = LogisticRegression().fit(X, y).predict_proba(X)
    np.testing.assert_allclose(vote.predict_proba(X), expected, rtol=1e-9)


def test_a_member_that_rules_out_the_right_class_can_be_outvoted(vectors):
    X, y = vectors
    never = ("never", DummyClassifier(strategy="constant", constant=1))  # the number of "fear"
    vote = GeometricVotingClassifier([never, *MEMBERS], weights=[1e-3, 1, 1]).fit(X, y)
    proba = vote.predict_proba(X)
    assert np.isfinite(proba).all()
    assert (vote.predict(X) == y).mean() > 0.8
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_only_parameters_that_matter_are_listed(vectors):
    vote = GeometricVotingClassifier(MEMBERS)
    assert set(vote.get_params(deep=False)) == {"estimators", "weights", "n_jobs", "verbose"}
    with pytest.raises(ValueError, match="Invalid parameter 'voting'"):
        vote.set_params(voting="hard")
    with pytest.raises(NotFittedError):
        vote.predict_proba(vectors[0])
    with pytest.raises(ValueError, match="2 estimators"):
        GeometricVotingClassifier(MEMBERS, weights=[1, 2, 3]).fit(*vectors)


def test_weights_and_members_are_searched(vectors):
    X, y = vectors
    grid = {"weights": [None, [1, 5]], "linear__C": [0.1, 1]}
    search = GridSearchCV(GeometricVotingClassifier(MEMBERS), grid, cv=2, n_jobs=2).fit(X, y)
    assert set(search.best_params_) == set(grid)
    assert search.best_score_ > 0.7


def test_it_is_pickled_and_saved(vectors, tmp_path):
    X, y = vectors
    members = [("linear", LogisticRegression()), ("lda", LinearDiscriminantAnalysis())]
    vote = GeometricVotingClassifier(members, weights=[1, 2]).fit(X, y)
    skser.save(vote, tmp_path / "vote.skser")
    for again in (pickle.loads(pickle.dumps(vote)), skser.load(tmp_path / "vote.skser")):
        np.testing.assert_array_equal(again.predict_proba(X), vote.predict_proba(X))


def test_a_rejecting_vote_keeps_its_probabilities(vectors):
    X, y = vectors
    members = [*MEMBERS, ("gone", "drop")]
    vote = GeometricVotingClassifier(members, weights=[1, 2, 5])
    model = RejectingClassifier(vote, calibrate=False, cv=2).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), model.estimator_.predict_proba(X), atol=1e-9)
