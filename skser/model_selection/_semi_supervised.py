"""Splits of corpora of which only some utterances are labeled."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, column_or_1d, indexable

from skser._base import is_nan, unlabeled


class SemiSupervisedSplit(BaseEstimator):
    """Split labeled utterances; those without a label are for training only.

    Parameters
    ----------
    cv : int or splitter, default=5
        Splits the labeled utterances; a number is that of folds, which are stratified unless
        `unlabeled` is NaN.
    unlabeled : int, str or NaN, default=-1
        Value in y of utterances without a label; NaN means rows of NaN alone.

    Notes
    -----
    Rows of which some targets are NaN count as labeled and are tested on;
    `AdversarialAERegressor.score` leaves their missing targets out, scikit-learn's scorers
    refuse them.

    Where `groups` (the speakers) are given, the unlabeled utterances of a test fold's groups
    are left out of its training fold, so that no speaker is on both sides if `cv` keeps them
    apart. Where they are not, all unlabeled utterances are in every training fold.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import LeaveOneGroupOut
    >>> from skser.model_selection import SemiSupervisedSplit
    >>> y = np.array([0, 1, -1, 0, 1, -1])
    >>> speakers = np.array([1, 1, 1, 2, 2, 2])
    >>> cv = SemiSupervisedSplit(LeaveOneGroupOut())
    >>> for train, test in cv.split(y, y, speakers):
    ...     print(train, test)
    [3 4 5] [0 1]
    [0 1 2] [3 4]
    """

    __metadata_request__split = {"groups": True}  # as of scikit-learn's splitters of groups

    def __init__(self, cv=5, *, unlabeled=-1):
        self.cv = cv
        self.unlabeled = unlabeled

    def split(self, X, y, groups=None):
        """Yield the rows of each training and test fold.

        Parameters
        ----------
        X : array-like or Sequences of n_utterances
        y : array-like of shape (n_utterances,) or (n_utterances, n_targets)
        groups : array-like of shape (n_utterances,) or None, default=None

        Yields
        ------
        train, test : ndarray of int

        Raises
        ------
        ValueError
            If no utterance is labeled.
        """
        X, y, groups = indexable(X, y, groups)
        without = self._without_label(y)
        labeled = np.flatnonzero(~without)
        known = [None if part is None else _safe_indexing(part, labeled) for part in (X, y, groups)]
        for train, test in self._splitter(known[1]).split(*known):
            extra = without
            if groups is not None:
                everyone = column_or_1d(groups)
                extra = without & ~np.isin(everyone, everyone[labeled[test]])
            rows = np.concatenate([labeled[train], np.flatnonzero(extra)])
            yield np.sort(rows), labeled[test]

    def get_n_splits(self, X=None, y=None, groups=None):
        """Number of folds.

        Parameters
        ----------
        X, y, groups
            As for `split`; what `cv` needs of them must be given.

        Returns
        -------
        int
        """
        if y is None:
            return self.cv if isinstance(self.cv, Integral) else self._splitter(y).get_n_splits()
        labeled = np.flatnonzero(~self._without_label(y))
        known = [None if part is None else _safe_indexing(part, labeled) for part in (X, y, groups)]
        return self._splitter(known[1]).get_n_splits(*known)

    def _splitter(self, y):
        if not isinstance(self.cv, Integral) and not hasattr(self.cv, "split"):
            raise TypeError(
                f"cv must be a number of folds or a splitter, not {type(self.cv).__name__}."
            )
        return check_cv(self.cv, y, classifier=not is_nan(self.unlabeled))

    def _without_label(self, y):
        if y is None:
            raise ValueError("y is None, but it says which utterances have no label.")
        without = unlabeled(y, self.unlabeled)
        if without.all():
            raise ValueError(f"y holds no label: all {len(without)} are {self.unlabeled!r}.")
        return without
