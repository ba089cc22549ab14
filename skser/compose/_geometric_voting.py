"""Vote by the geometric mean of probabilities."""

import numpy as np
from scipy.special import softmax
from sklearn.ensemble import VotingClassifier
from sklearn.utils.validation import check_is_fitted

from skser._base import unchanged_on_failure

LEAST_PROBABILITY = 1e-12


class GeometricVotingClassifier(VotingClassifier):
    r"""Vote by the geometric mean of the members' probabilities.

    The probability of class c is :math:`p_c \propto \prod_k p_{kc}^{w_k}` over the members k with
    weights w that sum to one, the product rule [1]_ for classes that are equally probable. A
    member that is nearly sure that an utterance is *not* of a class can therefore rule it out. In
    scikit-learn's soft vote, which averages the probabilities themselves, it cannot. As there, all
    members receive the same X.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Names and classifiers with ``predict_proba``. An estimator may be "drop".
    weights : array-like of shape (n_classifiers,) or None, default=None
        Weight of each member; None for equal ones.
    n_jobs : int or None, default=None
        Number of members that are fitted in parallel, as in joblib.
    verbose : bool, default=False
        Whether to print how long fitting each member took.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes.
    estimators_ : list of classifiers
        Fitted members that are not dropped. They are fitted on the numbers of the classes.
    named_estimators_ : Bunch
        The same by name.

    See Also
    --------
    sklearn.ensemble.VotingClassifier : Average the probabilities.

    Notes
    -----
    Probabilities below 1e-12 count as 1e-12, so that a member that rules out the right class can
    be outvoted.

    References
    ----------
    .. [1] J. Kittler, M. Hatef, R. P. W. Duin and J. Matas, "On combining classifiers", IEEE
       Transactions on Pattern Analysis and Machine Intelligence 20(3), 1998.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skser.compose import GeometricVotingClassifier
    >>> X, y = make_classification(random_state=0)
    >>> members = [("linear", LogisticRegression()), ("bayes", GaussianNB())]
    >>> vote = GeometricVotingClassifier(members).fit(X, y)
    >>> vote.predict_proba(X[:3]).shape
    (3, 2)
    """

    voting = "soft"
    flatten_transform = True
    _parameter_constraints = {
        name: constraint
        for name, constraint in VotingClassifier._parameter_constraints.items()
        if name not in ("voting", "flatten_transform")
    }

    def __init__(self, estimators, *, weights=None, n_jobs=None, verbose=False):
        self.estimators = estimators
        self.weights = weights
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y, **fit_params):
        """Fit all members.

        Parameters
        ----------
        X : sequence
            Utterances, as all members take them.
        y : array-like of shape (n_utterances,)
            Classes.
        **fit_params
            Metadata, routed to the members as in `VotingClassifier`.

        Returns
        -------
        GeometricVotingClassifier
        """
        with unchanged_on_failure(self):
            return super().fit(X, y, **fit_params)

    @property
    def n_features_in_(self):
        """Number of columns of X, if the first member has recorded it."""
        return super().n_features_in_

    def predict_proba(self, X):
        """Compute the geometric means of the members' probabilities.

        Parameters
        ----------
        X : sequence
            Utterances, as all members take them.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes)
        """
        check_is_fitted(self)
        members = np.array([member.predict_proba(X) for member in self.estimators_])
        logs = np.log(np.maximum(members, LEAST_PROBABILITY))
        return softmax(np.average(logs, axis=0, weights=self._weights_not_none), axis=1)
