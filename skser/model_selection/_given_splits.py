"""Cross-validator with rows that were fixed beforehand."""

import numpy as np
from sklearn.model_selection import BaseCrossValidator


class GivenSplits(BaseCrossValidator):
    """Cross-validator that yields given rows, such as the official splits of a corpus.

    Parameters
    ----------
    folds : sequence of (array-like of int, array-like of int)
        Row numbers of the training and the test side of each fold. Rows may be on neither side.
    name : str, default="given splits"
        Name of the protocol, for texts.
    allow_shared_speakers : bool, default=False
        Whether `cross_validate_speakers` accepts speakers that are on both sides of a fold. Its
        result then says so.

    Examples
    --------
    >>> from skser.model_selection import GivenSplits
    >>> cv = GivenSplits([([0, 1], [2]), ([0, 1], [3])], name="official")
    >>> [test.tolist() for _, test in cv.split([0, 1, 2, 3])]
    [[2], [3]]
    """

    __metadata_request__split = {"groups": True}

    def __init__(self, folds, name="given splits", allow_shared_speakers=False):
        self.folds = folds
        self.name = name
        self.allow_shared_speakers = allow_shared_speakers

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds; the parameters are ignored."""
        return len(self.folds)

    def split(self, X, y=None, groups=None):
        """Yield the training and test rows of each fold.

        Parameters
        ----------
        X : array-like of shape (n_utterances,)
            Utterances, or anything of that length.
        y, groups : array-like of shape (n_utterances,) or None, default=None
            Ignored.

        Yields
        ------
        train, test : ndarray of int
            Row numbers of both sides.

        Raises
        ------
        ValueError
            If a fold has a row that X lacks, or one of its sides is empty.
        """
        n_utterances = len(X)
        for fold, pair in enumerate(self.folds):
            train, test = (np.asarray(side, dtype=np.int64) for side in pair)
            if not len(train) or not len(test):
                raise ValueError(f"Fold {fold} of {self.name} has an empty side.")
            last = max(train.max(), test.max())
            if last >= n_utterances or min(train.min(), test.min()) < 0:
                raise ValueError(
                    f"Fold {fold} of {self.name} has row {last}, but there are {n_utterances} "
                    "utterances. Split the corpus that the rows were made for."
                )
            yield train, test

    def __repr__(self):
        return f"GivenSplits({len(self.folds)} folds of {self.name})"
