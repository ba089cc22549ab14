"""Splitter for corpora in which only some utterances are labeled."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, column_or_1d, indexable

from skser._base import is_nan, unlabeled


class SemiSupervisedSplit(BaseEstimator):
    """Cross-validator that tests on labeled utterances and trains on unlabeled ones as well.

    Parameters
    ----------
    cv : int or splitter, default=5
        Splitter of the labeled utterances, or its number of folds. Folds given by number are
        stratified, unless `unlabeled` is NaN.
    unlabeled : int, str or NaN, default=-1
        Value in y that marks an utterance without a label. NaN marks rows in which every target
        is NaN.

    Notes
    -----
    A row with some NaN targets counts as labeled and is tested on. `AdversarialAERegressor.score`
    leaves its missing targets out; scikit-learn's scorers refuse such rows.

    With `groups` (the speakers), the unlabeled utterances of the test speakers are left out of
    training. If `cv` keeps speakers apart, then no speaker is on both sides. Without `groups`, all
    unlabeled utterances are in every training fold.

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

    # Metadata routing hands groups to this splitter, as to scikit-learn's own group splitters.
    __metadata_request__split = {"groups": True}

    def __init__(self, cv=5, *, unlabeled=-1):
        self.cv = cv
        self.unlabeled = unlabeled

    def split(self, X, y, groups=None):
        """Yield the training and test rows of each fold.

        Parameters
        ----------
        X : array-like or Sequences of n_utterances
            Utterances in any form.
        y : array-like of shape (n_utterances,) or (n_utterances, n_targets)
            Labels or targets, with `unlabeled` where there are none.
        groups : array-like of shape (n_utterances,) or None, default=None
            Speaker of each utterance.

        Yields
        ------
        train, test : ndarray of int
            Row numbers of both sides.

        Raises
        ------
        ValueError
            If no utterance is labeled, or an unlabeled one has no speaker in `groups`.
        """
        X, y, groups = indexable(X, y, groups)
        without = self._without_label(y)
        if groups is not None:
            unknown = without & pd.isna(column_or_1d(groups))
            if unknown.any():
                raise ValueError(
                    f"groups has no speaker for {unknown.sum()} unlabeled utterances, such as "
                    f"utterance {unknown.argmax()}: they may be of any test speaker. Leave them "
                    "out, or, if their speakers have no labeled utterances, give them any new name."
                )
        labeled = np.flatnonzero(~without)
        known = self._of_rows(labeled, X, y, groups)
        for train, test in self._splitter(known[1]).split(*known):
            extra = without
            if groups is not None:
                everyone = column_or_1d(groups)
                extra = without & ~np.isin(everyone, everyone[labeled[test]])
            rows = np.concatenate([labeled[train], np.flatnonzero(extra)])
            yield np.sort(rows), labeled[test]

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups
            Same as in `split`. Those that ``cv.get_n_splits`` needs must be given.

        Returns
        -------
        int
        """
        if y is None:
            return self.cv if isinstance(self.cv, Integral) else self._splitter(y).get_n_splits()
        labeled = np.flatnonzero(~self._without_label(y))
        known = self._of_rows(labeled, X, y, groups)
        return self._splitter(known[1]).get_n_splits(*known)

    @staticmethod
    def _of_rows(rows, X, y, groups):
        known = [None if part is None else _safe_indexing(part, rows) for part in (X, y, groups)]
        if getattr(getattr(known[1], "dtype", None), "kind", None) == "O":
            known[1] = np.array(known[1].tolist())  # numbers, if only the marker was text
        return known

    def _splitter(self, y):
        if not isinstance(self.cv, Integral) and not hasattr(self.cv, "split"):
            raise TypeError(
                f"cv must be a number of folds or a splitter, got {type(self.cv).__name__}."
            )
        if (
            getattr(getattr(y, "dtype", None), "kind", None) == "O"
        ):  # numbers beside a marker that is text
            y = np.array(y.tolist())
        return check_cv(self.cv, y, classifier=not is_nan(self.unlabeled))

    def _without_label(self, y):
        if y is None:
            raise ValueError("y is None; it must be given to show which utterances are labeled.")
        without = unlabeled(y, self.unlabeled)
        if without.all():
            raise ValueError(
                f"y holds no label: all {len(without)} values are {self.unlabeled!r}, which marks "
                "unlabeled utterances."
            )
        return without
