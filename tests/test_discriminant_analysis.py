"""Linear discriminant analysis of vectors with thousands of columns."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from skser.discriminant_analysis import WideDiscriminantAnalysis

N_ROWS = 40


def vectors(n_columns, n_classes=4):
    random = np.random.RandomState(0)
    y = np.repeat(np.arange(n_classes), [22, 3, 9, 6][:n_classes])
    X = random.randn(len(y), n_columns) @ random.randn(n_columns, n_columns)
    return X + random.randn(n_classes, n_columns)[y] * 3, np.array(list("dabc"))[y]


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("n_columns", [5, N_ROWS, 200])
@pytest.mark.parametrize("shrinkage", [0.1, 0.8, 1.0])
def test_it_is_the_model_of_scikit_learn(n_columns, n_classes, shrinkage):
    X, y = vectors(n_columns, n_classes)
    model = WideDiscriminantAnalysis(shrinkage).fit(X, y)
    known = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(X, y)
    new = np.random.RandomState(1).randn(20, n_columns) * X.std()
    expected, found = known.decision_function(new), model.decision_function(new)
    if n_classes > 2:  # scikit-learn's differ by one number for each row
        expected = expected - expected.mean(axis=1, keepdims=True)
        found = found - found.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_allclose(model.predict_proba(new), known.predict_proba(new), atol=1e-6)
    assert model.predict(new).tolist() == known.predict(new).tolist()


@pytest.mark.parametrize("n_columns", [5, 200])
def test_weights_count_as_repetitions(n_columns):
    X, y = vectors(n_columns)
    counts = np.random.RandomState(2).randint(1, 4, len(y))
    weighted = WideDiscriminantAnalysis().fit(X, y, sample_weight=counts / 7)
    repeated = WideDiscriminantAnalysis().fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, rtol=1e-8)


def test_equal_vectors_of_a_class_are_no_obstacle():
    X = np.repeat([[0.0, 0, 0], [1, 0, 0]], 5, axis=0)
    model = WideDiscriminantAnalysis().fit(X, np.repeat(["a", "b"], 5))
    assert model.predict([[0.1, 0, 0], [0.9, 5, 0]]).tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("y", "weights", "message"),
    [
        ("aaaaa", None, r"y has 1 class, of which \[\] have no"),
        ("aabbb", [1, 1, 0, 0, 0], r"y has 2 classes, of which \['b'\] have no"),
        ("abbcc", [1, 1, 1, 0, 0], r"y has 3 classes, of which \['c'\] have no"),
    ],
)
def test_a_class_without_weight_is_refused(y, weights, message):
    with pytest.raises(ValueError, match=message):
        WideDiscriminantAnalysis().fit(np.eye(5), list(y), sample_weight=weights)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_temperature_divides_decisions(n_classes):
    X, y = vectors(200, n_classes)
    plain = WideDiscriminantAnalysis().fit(X, y)
    cooler = WideDiscriminantAnalysis(temperature=4).fit(X, y)
    np.testing.assert_allclose(cooler.decision_function(X), plain.decision_function(X) / 4)
    assert cooler.predict(X).tolist() == plain.predict(X).tolist()


def test_without_shrinkage_it_is_refused():
    with pytest.raises(ValueError, match="'shrinkage' parameter"):
        WideDiscriminantAnalysis(0).fit(np.eye(4), [0, 1, 0, 1])
