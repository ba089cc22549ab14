"""Cross-validator with rows that were fixed beforehand."""

import numpy as np
from sklearn.model_selection import BaseCrossValidator


class GivenSplits(BaseCrossValidator):
    """Cross-validator that yields given rows, such as the official splits of a corpus.

    Parameters
    ----------
    folds : sequence of (array-like of int or bool, array-like of int or bool)
        Row numbers of the training and the test side of each fold, or masks of all rows. Rows may
        be on neither side.
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
            If a fold has a row that X lacks, that is repeated or that is on both sides, or if one
            of its sides is empty or holds no row numbers.
        """
        n_utterances = len(X)
        for fold, pair in enumerate(self.folds):
            train, test = (self._rows(side, fold, n_utterances) for side in pair)
            if not len(train) or not len(test):
                raise ValueError(f"Fold {fold} of {self.name} has an empty side.")
            rows = np.concatenate([train, test])
            wrong = rows[(rows >= n_utterances) | (rows < 0)]
            if len(wrong):
                raise ValueError(
                    f"Fold {fold} of {self.name} has row {wrong[0]}, but there are {n_utterances} "
                    "utterances. Split the corpus that the rows were made for."
                )
            for side, found in (("training", train), ("test", test)):
                each, counts = np.unique(found, return_counts=True)
                if (counts > 1).any():
                    raise ValueError(
                        f"Fold {fold} of {self.name} has row {each[counts.argmax()]} "
                        f"{counts.max()} times on its {side} side. Give each row once."
                    )
            both = np.intersect1d(train, test)
            if len(both):
                raise ValueError(
                    f"Fold {fold} of {self.name} has row {both[0]} on both sides. Take it off one."
                )
            yield train, test

    def _rows(self, side, fold, n_utterances):
        """Return the row numbers of a side that is given by numbers or by a mask."""
        side = np.asarray(side)
        if side.dtype == bool and side.shape == (n_utterances,):
            return np.flatnonzero(side)
        if len(side) and not np.issubdtype(side.dtype, np.integer):
            raise ValueError(
                f"A side of fold {fold} of {self.name} has the type {side.dtype} and the shape "
                f"{side.shape}. Give row numbers, or a mask of all {n_utterances} utterances."
            )
        return side.astype(np.int64)

    def __repr__(self):
        return f"GivenSplits({len(self.folds)} folds of {self.name})"
