"""Linear discriminant analysis of vectors with thousands of columns."""

from numbers import Real

import numpy as np
from scipy.linalg import solve
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, _fit_context
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from skser._wording import counted

__all__ = ["WideDiscriminantAnalysis"]


class WideDiscriminantAnalysis(LinearClassifierMixin, BaseEstimator):
    """Linear discriminant analysis with a shrunken covariance, fast for many columns.

    Classes are Gaussians with a common covariance, which is shrunk towards a multiple of the
    identity. At a temperature of 1, the model is that of scikit-learn's
    ``LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)``, which needs minutes for
    5000 columns. This estimator needs seconds. With fewer rows than columns it never computes the
    covariance, and solves one linear system with as many unknowns as rows.

    Parameters
    ----------
    shrinkage : float, default=0.8
        Weight of the identity, greater than 0. At 1, the class with the nearest mean is predicted,
        apart from the classes' priors.
    temperature : float, default=1.0
        Number that all decision values are divided by. It changes no prediction. With many more
        columns than speakers, the covariance of the training vectors is too small for other
        speakers, and the probabilities of the predicted classes are too high.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    coef_ : ndarray of shape (n_classes, n_columns), or (1, n_columns) for two classes
        Weights of the columns.
    intercept_ : ndarray of shape (n_classes,), or (1,) for two classes
        Constants.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Names of the columns, if X has any.

    References
    ----------
    Guo, Y., Hastie, T. and Tibshirani, R. (2007). Regularized linear discriminant analysis and
    its application in microarrays. Biostatistics 8(1).

    Examples
    --------
    >>> import numpy as np
    >>> from skser.discriminant_analysis import WideDiscriminantAnalysis
    >>> y = np.arange(30) % 3
    >>> X = np.random.RandomState(0).randn(30, 5000) + np.eye(3, 5000)[y] * 20
    >>> model = WideDiscriminantAnalysis().fit(X[:21], y[:21])
    >>> model.score(X[21:], y[21:])
    1.0
    """

    _parameter_constraints = {
        "shrinkage": [Interval(Real, 0, 1, closed="right")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, shrinkage=0.8, temperature=1.0):
        self.shrinkage = shrinkage
        self.temperature = temperature

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Estimate the means of the classes and their common covariance.

        Parameters
        ----------
        X : array-like of shape (n_utterances, n_columns)
            Training vectors.
        y : array-like of shape (n_utterances,)
            Class labels.
        sample_weight : array-like of shape (n_utterances,) or None, default=None
            Weights of the utterances. None weighs all equally.

        Returns
        -------
        self : object
            Fitted classifier.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        classes, codes = np.unique(y, return_inverse=True)
        priors = np.bincount(codes, weights) / weights.sum()
        if len(classes) < 2 or not priors.all():
            raise ValueError(
                "WideDiscriminantAnalysis needs two classes or more, each with an utterance of "
                f"positive weight, but y has {counted(len(classes), 'class', 'classes')}, of which "
                f"{classes[priors == 0].tolist()} have no such utterance: leave those out."
            )
        means = np.array([
            np.average(X[codes == code], axis=0, weights=weights[codes == code])
            for code in range(len(classes))
        ])  # fmt: skip
        center = priors @ means
        within = X - means[codes]
        within *= np.sqrt(weights / weights.sum())[:, None]
        directions = _solve_shrunken(within, means - center, self.shrinkage)
        coef = directions.T
        intercept = np.log(priors) - 0.5 * np.sum((means + center) * coef, axis=1)
        if len(classes) == 2:
            coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        self.classes_ = classes
        self.coef_, self.intercept_ = coef / self.temperature, intercept / self.temperature
        return self

    def predict_proba(self, X):
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_utterances, n_columns)
            Vectors.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        decision = self.decision_function(X)
        if decision.ndim == 1:
            positive = expit(decision)
            return np.column_stack([1 - positive, positive])
        return softmax(decision, axis=1)


def _solve_shrunken(within, targets, shrinkage):
    """Multiply the inverse of a shrunken covariance with vectors.

    Parameters
    ----------
    within : ndarray of shape (n_rows, n_columns), float64
        Rows whose squares add up to the covariance.
    targets : ndarray of shape (n_vectors, n_columns), float64
        Vectors.
    shrinkage : float
        Weight of the identity, whose multiple has the same trace as the covariance.

    Returns
    -------
    ndarray of shape (n_columns, n_vectors), float64
    """
    n_rows, n_columns = within.shape
    variance = np.einsum("ij,ij->", within, within) / n_columns
    # Without any variance, all directions are alike.
    ridge = shrinkage * variance if variance else 1.0
    share = 1 - shrinkage
    if n_rows >= n_columns:
        covariance = share * (within.T @ within)
        covariance[np.diag_indices(n_columns)] += ridge
        return solve(covariance, targets.T, assume_a="pos", overwrite_a=True)
    # Woodbury's identity: the inverse of ridge I + share W'W is
    # (I - share W' (ridge I + share WW')^-1 W) / ridge.
    products = share * (within @ within.T)
    products[np.diag_indices(n_rows)] += ridge
    inner = solve(products, within @ targets.T, assume_a="pos", overwrite_a=True)
    return (targets.T - share * (within.T @ inner)) / ridge
