"""Splits that hold speakers apart, and sentences if asked to."""

import warnings
from itertools import product
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_consistent_length

# Of each protocol, the speakers held out together.
_PUBLISHED = {
    "emodb-loso": tuple((f"{i:02}",) for i in (3, *range(8, 17))),
    # Luna-Jiménez, C. et al. (2021). Multimodal Emotion Recognition on RAVDESS Dataset Using
    # Transfer Learning. Sensors 21(22), 7665.
    "ravdess-5": (
        ("02", "05", "14", "15", "16"),
        ("03", "06", "07", "13", "18"),
        ("10", "11", "12", "19", "20"),
        ("08", "17", "21", "23", "24"),
        ("01", "04", "09", "22"),
    ),
    # Leave one of five sessions out, two speakers each.
    "iemocap-5": tuple((f"Ses0{i}F", f"Ses0{i}M") for i in range(1, 6)),
}


class SpeakerFolds(BaseCrossValidator):
    """Hold out stated speakers, fold by fold.

    Parameters
    ----------
    folds : sequence of sequences
        The speakers that each fold holds out; numbers and their texts are the same.

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
        """Give the number of folds."""
        return len(self.folds)

    def split(self, X, y=None, groups=None):
        """Yield the rows of both sides of each fold.

        Parameters
        ----------
        X : array-like of shape (n_utterances,)
            Or anything of that length.
        y : array-like of shape (n_utterances,) or None, default=None
            Not looked at.
        groups : array-like of shape (n_utterances,)
            Speakers.

        Yields
        ------
        train, test : ndarray of int

        Raises
        ------
        ValueError
            If `groups` is None, a speaker is in no fold or in two, or a fold's speakers have no
            utterance.
        """
        speakers = _speakers(groups, X).astype(str)
        folds = [[str(speaker) for speaker in fold] for fold in self.folds]
        named = [speaker for fold in folds for speaker in fold]
        twice = {speaker for speaker in named if named.count(speaker) > 1}
        if twice:
            raise ValueError(f"Speakers {sorted(twice)} are in two folds.")
        unknown = sorted(set(speakers.tolist()) - set(named))
        if unknown:
            raise ValueError(f"Speakers {unknown} are in no fold.")
        for fold in folds:
            test = np.array([speaker in fold for speaker in speakers.tolist()])
            if not test.any():
                raise ValueError(f"The fold of {fold} is empty: none of them speaks.")
            yield np.flatnonzero(~test), np.flatnonzero(test)

    def __repr__(self):
        return f"SpeakerFolds({[list(fold) for fold in self.folds]})"


def published_folds(corpus, protocol):
    """Folds of a published protocol.

    Parameters
    ----------
    corpus : SpeechCorpus
        Whose speakers are to be those of the protocol.
    protocol : {"emodb-loso", "ravdess-5", "iemocap-5"}
        Leave one of EmoDB's ten speakers out; five folds of RAVDESS' 24 actors (Luna-Jiménez
        et al., 2021); leave one of IEMOCAP's five sessions out.

    Returns
    -------
    SpeakerFolds

    Raises
    ------
    ValueError
        If there is no such protocol, or the corpus' speakers are others.

    Examples
    --------
    >>> from skser.datasets import load_ravdess
    >>> from skser.model_selection import published_folds
    >>> corpus = load_ravdess("data/ravdess")  # doctest: +SKIP
    >>> cv = published_folds(corpus, "ravdess-5")  # doctest: +SKIP
    """
    if protocol not in _PUBLISHED:
        raise ValueError(f"There is no protocol {protocol!r}; there are {sorted(_PUBLISHED)}.")
    if corpus.speakers is None:
        raise ValueError(f"{corpus.name} does not tell who speaks.")
    speakers = sorted({str(speaker) for speaker in corpus.speakers})
    folds = _PUBLISHED[protocol]
    published = {speaker for fold in folds for speaker in fold}
    if published != set(speakers):
        raise ValueError(
            f"{protocol} is of the speakers {sorted(published)}; {corpus.name} has {speakers}."
        )
    return SpeakerFolds([list(fold) for fold in folds])


class StratifiedSpeakerKFold(BaseCrossValidator):
    """Folds of whole speakers in which every class has much the same share.

    With `groups` of two columns, speakers and sentences, no sentence is on both sides either:
    each fold holds out some speakers with some sentences, and trains on other speakers with
    other sentences. What is left, neither, is not used in that fold; so there are as many folds
    as pairs, and every utterance is held out once.

    Parameters
    ----------
    n_splits : int, default=5
        Parts of the speakers.
    n_sentence_splits : int, default=2
        Parts of the sentences, where `groups` names them.
    shuffle : bool, default=False
        Whether speakers are dealt out in random order: other folds for each seed, in which
        classes are a little less even.
    random_state : int, RandomState instance or None, default=None
        Of the shuffling.

    See Also
    --------
    sklearn.model_selection.StratifiedGroupKFold : Of speakers alone; where they have unequal
        numbers of utterances its `shuffle` changes nothing.

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
        """Give the number of folds, which sentences in `groups` multiply."""
        return self.n_splits * (self.n_sentence_splits if _has_sentences(groups) else 1)

    def split(self, X, y=None, groups=None):
        """Yield the rows of both sides of each fold.

        Parameters
        ----------
        X : array-like of shape (n_utterances,)
            Or anything of that length.
        y : array-like of shape (n_utterances,)
            Classes.
        groups : array-like of shape (n_utterances,) or (n_utterances, 2)
            Speakers, or speakers and sentences.

        Yields
        ------
        train, test : ndarray of int

        Raises
        ------
        ValueError
            If `groups` is None, there are fewer speakers or sentences than parts, or the training
            side of a fold lacks a class.
        """
        for name in ("n_splits", "n_sentence_splits"):
            n = getattr(self, name)
            if not isinstance(n, Integral) or n < 2:
                raise ValueError(f"{name} must be an integer of at least 2, not {n!r}.")
        if y is None:
            raise ValueError("y must be given: the folds are to balance its classes.")
        y = column_or_1d(y)
        _refuse_missing(y, "y has no class")
        random = check_random_state(self.random_state) if self.shuffle else None
        speakers, sentences = _speakers(groups, X, y), None
        if _has_sentences(groups):
            table = groups if isinstance(groups, pd.DataFrame) else pd.DataFrame(groups)
            speakers, sentences = (table.iloc[:, i].to_numpy() for i in range(2))
            _refuse_missing(sentences, "groups names no sentence")
        of_speakers = self._parts(speakers, y, self.n_splits, "speakers", random)
        if sentences is None:
            pairs = [(rows, ~rows) for rows in of_speakers]
        else:
            of_sentences = self._parts(sentences, y, self.n_sentence_splits, "sentences", random)
            pairs = [(a & b, ~a & ~b) for a, b in product(of_speakers, of_sentences)]
        for fold, (test, train) in enumerate(pairs):
            missing = sorted(set(y.tolist()) - set(y[train].tolist()), key=str)
            if missing or not test.any():
                what = f"the training side lacks {missing}" if missing else "it holds nothing out"
                raise ValueError(f"Fold {fold} is of no use: {what}. Take fewer parts.")
            yield np.flatnonzero(train), np.flatnonzero(test)

    def _parts(self, values, y, n_parts, what, random):
        """Masks of the rows that each part holds."""
        names = np.unique(values)
        if len(names) < n_parts:
            raise ValueError(
                f"{n_parts} parts need as many {what}; there are {len(names)}: {names.tolist()}."
            )
        part_of = _dealt_out(pd.crosstab(values, y).to_numpy(), n_parts, random)
        of_row = part_of[np.searchsorted(names, values)]
        return [of_row == part for part in range(n_parts)]


def _dealt_out(counts, n_parts, random):
    """Part of each speaker, from the numbers (n_speakers, n_classes) of their utterances.

    One speaker after the other goes to the part where the classes' shares stay evenest; the
    most uneven ones first, or all in random order.
    """
    shares = counts / counts.sum(axis=0)
    order = np.argsort(-shares.std(axis=1), kind="stable")
    if random is not None:
        order = random.permutation(len(counts))
    parts = np.zeros((n_parts, counts.shape[1]))
    part_of = np.empty(len(counts), dtype=int)
    for i in order:
        spreads = []
        for part in range(n_parts):
            parts[part] += shares[i]
            spreads.append((round(parts.std(axis=0).mean(), 12), parts[part].sum()))
            parts[part] -= shares[i]
        part_of[i] = min(range(n_parts), key=spreads.__getitem__)
        parts[part_of[i]] += shares[i]
    return part_of


def splits(cv, X, y, speakers):
    """List the pairs of row numbers of a splitter, whether or not it looks at speakers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The groups parameter is ignored")
        return [tuple(np.asarray(side) for side in pair) for pair in cv.split(X, y, speakers)]


def speaker_disjoint_splits(cv, X, y, groups, name):
    """List the pairs of row numbers, or raise if a pair shares speakers or sentences."""
    folds = splits(check_cv(cv), X, y, groups)
    if not folds:
        raise ValueError(f"{name} makes no splits.")
    for fold, (train, test) in enumerate(folds):
        for what, values in zip(("speakers", "sentences"), np.atleast_2d(groups.T), strict=False):
            shared = np.intersect1d(values[train], values[test])
            if len(shared):
                raise ValueError(
                    f"Fold {fold} of {name} has {len(shared)} {what} on both sides, such as "
                    f"{str(shared[0])!r}; take published_folds, StratifiedSpeakerKFold or "
                    "LeaveOneGroupOut."
                )
    return folds


def _has_sentences(groups):
    return groups is not None and np.ndim(groups) == 2 and np.shape(groups)[1] == 2


def _speakers(groups, *others):
    if groups is None:
        raise ValueError("groups must be given: the speaker of each utterance.")
    table = np.asarray(groups)
    if table.ndim == 2 and table.shape[1] == 2:
        table = table[:, 0]
    speakers = column_or_1d(table)
    check_consistent_length(speakers, *others)
    _refuse_missing(speakers, "groups names no speaker")
    return speakers


def _refuse_missing(values, what):
    missing = pd.isna(values)
    if missing.any():
        raise ValueError(f"{what} of utterance {int(missing.argmax())}.")
