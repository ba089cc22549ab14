"""Tests of the metrics of shares of votes and of Pearson's correlation."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import log_loss

from skser.metrics import pearson_correlation, vote_cross_entropy, vote_divergence

TRUE, PREDICTED = np.random.RandomState(0).dirichlet([1, 1, 1], (2, 20))


def test_cross_entropy_is_the_log_loss_for_votes_that_agree():
    y = np.array([0, 2, 1, 1])
    expected = log_loss(y, PREDICTED[:4])
    assert vote_cross_entropy(np.eye(3)[y], PREDICTED[:4]) == pytest.approx(expected)


def test_cross_entropy_is_least_for_the_true_shares():
    entropy = -np.mean(np.sum(TRUE * np.log(TRUE), axis=1))
    assert vote_cross_entropy(TRUE, TRUE) == pytest.approx(entropy)
    assert vote_cross_entropy(TRUE, PREDICTED) > entropy
    assert vote_cross_entropy([[1, 0]], [[0, 1]]) == pytest.approx(-np.log(np.finfo(float).eps))


def test_divergence_agrees_with_scipy():
    pairs = zip(TRUE, PREDICTED, strict=True)
    expected = np.mean([jensenshannon(a, b, base=2) ** 2 for a, b in pairs])
    assert vote_divergence(TRUE, PREDICTED) == pytest.approx(expected)
    assert vote_divergence(TRUE, TRUE) == 0


@pytest.mark.parametrize("metric", [vote_cross_entropy, vote_divergence])
def test_rows_that_are_no_shares_raise(metric):
    with pytest.raises(ValueError, match=r"Row 1 of y_pred is \[0.5, 0.6\]"):
        metric([[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.6]])
    with pytest.raises(ValueError, match=r"Row 0 of y_true is \[1.5, -0.5\]"):
        metric([[1.5, -0.5]], [[0.5, 0.5]])
    for other in ([[0.5, 0.25, 0.25]], [[1.0]], [[1, 0], [1, 0]]):
        with pytest.raises(ValueError, match="shape"):
            metric([[1, 0]], other)
        with pytest.raises(ValueError, match="shape"):
            metric(other, [[1, 0]])


def test_pearson_is_that_of_numpy_averaged_over_dimensions():
    each = [np.corrcoef(TRUE[:, i], PREDICTED[:, i])[0, 1] for i in range(3)]
    assert pearson_correlation(TRUE, PREDICTED) == pytest.approx(np.mean(each))


def test_pearson_of_constant_predictions_is_0_with_a_warning():
    with pytest.warns(UndefinedMetricWarning, match="constant"):
        assert pearson_correlation([1, 2, 3], [0.1, 0.1, 0.1]) == 0


def test_pearson_of_different_numbers_of_dimensions_raises():
    with pytest.raises(ValueError, match="y_true has 3 dimensions and y_pred has 1"):
        pearson_correlation(TRUE, PREDICTED[:, 0])


def test_tables_with_other_orders_of_their_columns_are_refused():
    shares = pd.DataFrame({"anger": [1.0, 0.5], "joy": [0.0, 0.5]})
    assert vote_divergence(shares, shares) == 0
    with pytest.raises(ValueError, match=r"columns of y_pred are \['joy', 'anger'\], but they are"):
        vote_cross_entropy(shares, shares[["joy", "anger"]])
    assert vote_divergence(shares, shares[["joy", "anger"]].to_numpy()) > 0


@pytest.mark.parametrize("metric", [vote_cross_entropy, vote_divergence])
def test_shares_of_other_classes_are_refused(metric):
    shares = pd.DataFrame([[0.9, 0.1], [0.2, 0.8]], columns=["anger", "fear"])
    with pytest.raises(ValueError, match=r"the classes \['anger', 'joy'\]"):
        metric(shares, shares.set_axis(["fear", "joy"], axis=1))
