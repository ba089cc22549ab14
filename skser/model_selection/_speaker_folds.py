"""Speaker-disjoint splitters, which can keep sentences disjoint as well."""

import warnings
from itertools import product
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_consistent_length

from skser._wording import counted

# Orders of the speakers that are tried if the first gives no usable parts, fewer if they are many.
_FEWEST_TRIES, _MOST_SPEAKERS = 20, 5000


class SpeakerFolds(BaseCrossValidator):
    """Cross-validator that holds out given groups of speakers.

    Parameters
    ----------
    folds : sequence of sequences
        Speakers that each fold holds out. Speakers are compared as text: 3 and "3" are the same.

    Examples
    --------
    >>> from skser.model_selection import SpeakerFolds
    >>> cv = SpeakerFolds([["a", "b"], ["c"]])
    >>> for train, test in cv.split([0, 1, 2, 3], groups=["a", "b", "c", "c"]):
    ...     print(train, test)
    [2 3] [0 1]
    [0 1] [2 3]
    """

    __metadata_request__split = {"groups": True}

    def __init__(self, folds):
        self.folds = folds

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds; the parameters are ignored."""
        return len(self.folds)

    def split(self, X, y=None, groups=None):
        """Yield the training and test rows of each fold.

        Parameters
        ----------
        X : array-like of shape (n_utterances,)
            Utterances, or anything of that length.
        y : array-like of shape (n_utterances,) or None, default=None
            Ignored.
        groups : array-like of shape (n_utterances,)
            Speaker of each utterance.

        Yields
        ------
        train, test : ndarray of int
            Row numbers of both sides.

        Raises
        ------
        ValueError
            If `groups` is None, a speaker is in no fold or in two, or no speaker of a fold has an
            utterance.
        """
        speakers = _speakers(groups, X).astype(str)
        folds = [[str(speaker) for speaker in fold] for fold in self.folds]
        named = [speaker for fold in folds for speaker in fold]
        twice = {speaker for speaker in named if named.count(speaker) > 1}
        if twice:
            raise ValueError(
                f"Speakers {sorted(twice)} are in two folds; put each speaker in one fold."
            )
        unknown = sorted(set(speakers.tolist()) - set(named))
        if unknown:
            raise ValueError(f"Speakers {unknown} are not in any fold; add them to one.")
        for fold in folds:
            test = np.array([speaker in fold for speaker in speakers.tolist()])
            if not test.any():
                raise ValueError(
                    f"The fold of speakers {fold} is empty: groups holds none of them."
                )
            yield np.flatnonzero(~test), np.flatnonzero(test)

    def __repr__(self):
        return f"SpeakerFolds({[list(fold) for fold in self.folds]})"


class StratifiedSpeakerKFold(BaseCrossValidator):
    """Speaker-disjoint cross-validator whose folds have about equal shares of each class.

    If y is numbers (floats, or a 2-D array), the folds have about equal numbers of utterances.

    If `groups` has two columns, speakers and sentences, then no sentence is on both sides either.
    Each fold holds out some speakers saying some sentences, and trains on other speakers saying
    other sentences. Utterances that belong to neither side are not used in that fold. There is one
    fold for each pair of a part of the speakers and a part of the sentences, so that each utterance
    is held out once.

    Parameters
    ----------
    n_splits : int, default=5
        Number of parts that the speakers are divided into.
    n_sentence_splits : int, default=2
        Number of parts that the sentences are divided into. It is ignored if `groups` has no
        sentences.
    shuffle : bool, default=False
        Whether to assign speakers to parts in random order. Each seed then gives other folds, with
        slightly less even shares of the classes.
    random_state : int, RandomState instance or None, default=None
        Seed of the random order. It is ignored if `shuffle` is False.

    See Also
    --------
    sklearn.model_selection.StratifiedGroupKFold : Similar folds of speakers alone. Its `shuffle`
        has no effect where speakers have different numbers of utterances.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.model_selection import StratifiedSpeakerKFold
    >>> speakers, sentences = np.repeat(list("abcd"), 4), np.tile([1, 1, 2, 2], 4)
    >>> y = np.tile(["anger", "fear"], 8)
    >>> cv = StratifiedSpeakerKFold(2)
    >>> train, test = next(cv.split(y, y, speakers))
    >>> np.unique(speakers[test]).tolist(), y[test].tolist().count("fear")
    (['a', 'c'], 4)
    >>> train, test = next(cv.split(y, y, np.column_stack([speakers, sentences])))
    >>> set(sentences[train]) & set(sentences[test]), len(test)
    (set(), 4)
    """

    __metadata_request__split = {"groups": True}

    def __init__(self, n_splits=5, *, n_sentence_splits=2, shuffle=False, random_state=None):
        self.n_splits = n_splits
        self.n_sentence_splits = n_sentence_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds: `n_splits`, or its product with `n_sentence_splits`."""
        return self.n_splits * (self.n_sentence_splits if _has_sentences(groups) else 1)

    def split(self, X, y=None, groups=None):
        """Yield the training and test rows of each fold.

        Parameters
        ----------
        X : array-like of shape (n_utterances,)
            Utterances, or anything of that length.
        y : array-like of shape (n_utterances,) or (n_utterances, n_targets)
            Class of each utterance, or numbers, which are not balanced.
        groups : array-like of shape (n_utterances,) or (n_utterances, 2)
            Speaker of each utterance, or its speaker and sentence.

        Yields
        ------
        train, test : ndarray of int
            Row numbers of both sides.

        Raises
        ------
        ValueError
            If `groups` is None, there are fewer speakers or sentences than parts, only one speaker
            has some class, or the training side of a fold lacks a class.
        """
        for name in ("n_splits", "n_sentence_splits"):
            n = getattr(self, name)
            if not isinstance(n, Integral) or n < 2:
                raise ValueError(f"{name} must be an integer of at least 2, got {n!r}.")
        if y is None:
            raise ValueError("y must be given, because the folds balance its classes.")
        if (np.ndim(y) == 2 and np.shape(y)[1] > 1) or np.asarray(y).dtype.kind == "f":
            y = np.zeros(len(y), dtype=int)
        y = column_or_1d(y)
        _refuse_missing(y, "y has no class")
        random = check_random_state(self.random_state) if self.shuffle else None
        speakers, sentences = _speakers(groups, X, y), None
        if _has_sentences(groups):
            table = groups if isinstance(groups, pd.DataFrame) else pd.DataFrame(groups)
            speakers, sentences = (table.iloc[:, i].to_numpy() for i in range(2))
            _refuse_missing(sentences, "groups has no sentence")
        _refuse_classes_of_one_speaker(speakers, y)
        of_speakers = self._parts(speakers, y, self.n_splits, "speakers", random)
        if sentences is None:
            pairs = [(rows, ~rows) for rows in of_speakers]
        else:
            of_sentences = self._parts(sentences, y, self.n_sentence_splits, "sentences", random)
            pairs = [(a & b, ~a & ~b) for a, b in product(of_speakers, of_sentences)]
        for fold, (test, train) in enumerate(pairs):
            missing = sorted(set(y.tolist()) - set(y[train].tolist()), key=str)
            if missing or not test.any():
                what = f"its training side lacks {missing}" if missing else "its test side is empty"
                raise ValueError(
                    f"Fold {fold} cannot be used: {what}. Use fewer parts, other ones "
                    "(shuffle=True and a random_state), or SpeakerFolds with your own."
                )
            yield np.flatnonzero(train), np.flatnonzero(test)

    def _parts(self, values, y, n_parts, what, random):
        """Divide the speakers or the sentences into parts; return a mask of rows for each."""
        names = np.unique(values)
        if len(names) < n_parts:
            raise ValueError(
                f"{n_parts} parts need at least {n_parts} {what}, but there are {len(names)}: "
                f"{names.tolist()}."
            )
        part_of = _assign_to_parts(pd.crosstab(values, y).to_numpy(), n_parts, random)
        of_row = part_of[np.searchsorted(names, values)]
        return [of_row == part for part in range(n_parts)]


def _assign_to_parts(counts, n_parts, random):
    """Assign each speaker to a part, given the counts of utterances (n_speakers, n_classes).

    Each speaker in turn goes to the part that keeps the shares of the classes most even. Speakers
    with the most uneven shares come first, unless the order is random. If a part then has all
    utterances of a class, or none at all, random orders are tried.
    """
    shares = counts / counts.sum(axis=0)
    order = np.argsort(-shares.std(axis=1), kind="stable")
    if random is not None:
        order = random.permutation(len(counts))
    first = part_of, parts = _in_turn(shares, order, n_parts)
    random = np.random.RandomState(0) if random is None else random
    for _ in range(max(_FEWEST_TRIES, _MOST_SPEAKERS // len(counts))):
        if parts.max() < 1 - 1e-9 and parts.sum(axis=1).min() > 0:
            return part_of
        part_of, parts = _in_turn(shares, random.permutation(len(counts)), n_parts)
    return first[0]


def _in_turn(shares, order, n_parts):
    """Assign speakers to parts in an order; return the part of each, and the parts' shares."""
    parts = np.zeros((n_parts, shares.shape[1]))
    part_of = np.empty(len(shares), dtype=int)
    for i in order:
        spreads = []
        for part in range(n_parts):
            parts[part] += shares[i]
            # Rounding lets the smaller part win where the spreads differ by rounding errors alone.
            spreads.append((round(parts.std(axis=0).mean(), 12), parts[part].sum()))
            parts[part] -= shares[i]
        part_of[i] = min(range(n_parts), key=spreads.__getitem__)
        parts[part_of[i]] += shares[i]
    return part_of, parts


def splits(cv, X, y, speakers):
    """Return the folds of a splitter as a list, without scikit-learn's warning on unused groups.

    Parameters
    ----------
    cv : splitter
        Anything with a ``split`` method.
    X, y, speakers
        Arguments of ``cv.split``.

    Returns
    -------
    list of (ndarray, ndarray)
        Row numbers of the training and the test side of each fold.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The groups parameter is ignored")
        return [tuple(np.asarray(side) for side in pair) for pair in cv.split(X, y, speakers)]


def speaker_disjoint_splits(cv, X, y, groups, name):
    """Return the folds of a splitter as a list, or raise if one shares speakers or sentences.

    Parameters
    ----------
    cv : cross-validation generator, int or iterable
        Splitter to check.
    X, y : array-like
        Arguments of ``cv.split``.
    groups : ndarray of shape (n_utterances,) or (n_utterances, 2)
        Speaker of each utterance, or its speaker and sentence.
    name : str
        Name of the splitter in error messages.

    Returns
    -------
    list of (ndarray, ndarray)
        Row numbers of the training and the test side of each fold.

    Raises
    ------
    ValueError
        If `cv` yields no folds, or a speaker or sentence is on both sides of one, unless `cv` is
        a `GivenSplits` that allows shared speakers.
    """
    folds = splits(check_cv(cv), X, y, groups)
    if not folds:
        raise ValueError(f"{name} yields no splits.")
    if getattr(cv, "allow_shared_speakers", False):
        return folds
    for fold, (train, test) in enumerate(folds):
        for what, values in zip(("speaker", "sentence"), np.atleast_2d(groups.T), strict=False):
            shared = np.intersect1d(values[train], values[test])
            if len(shared):
                raise ValueError(
                    f"Fold {fold} of {name} has {counted(len(shared), what)} on both sides, such "
                    f"as {str(shared[0])!r}. Use published_folds, StratifiedSpeakerKFold or "
                    "LeaveOneGroupOut."
                )
    return folds


def _has_sentences(groups):
    """Return True if groups has two columns, speakers and sentences."""
    return groups is not None and np.ndim(groups) == 2 and np.shape(groups)[1] == 2


def _speakers(groups, *others):
    """Return the speakers in groups, or raise if some are missing."""
    if groups is None:
        raise ValueError("groups must be given, with the speaker of each utterance.")
    table = np.asarray(groups)
    if table.ndim == 2 and table.shape[1] == 2:
        table = table[:, 0]
    speakers = column_or_1d(table)
    check_consistent_length(speakers, *others)
    _refuse_missing(speakers, "groups has no speaker")
    return speakers


def _refuse_classes_of_one_speaker(speakers, y):
    """Raise if only one speaker has some class, as no fold could train and test on it."""
    counts = pd.crosstab(speakers, y)
    n_speakers = (counts > 0).sum(axis=0)
    if len(counts) > 1 and (n_speakers == 1).any():
        label = n_speakers.idxmin()
        raise ValueError(
            f"Only speaker {counts[label].idxmax()!r} has class {label!r}, so no training side has "
            "it while that speaker is tested. Leave the class out, or use LeaveOneGroupOut, whose "
            "training side may lack a class."
        )


def _refuse_missing(values, what):
    """Raise if a value is missing, naming the first utterance."""
    missing = pd.isna(values)
    if missing.any():
        raise ValueError(f"{what} for utterance {int(missing.argmax())}.")
