"""Evaluation of corpora that do not know the speaker of every utterance."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing

from skser._wording import counted
from skser.model_selection import GivenSplits, speaker_disjoint_splits

UNKNOWN_SPEAKER = "unknown speaker"


def speakers_or_unknown(corpus, cv):
    """Return the speakers of a corpus as text, or raise if folds cannot be made of them.

    Parameters
    ----------
    corpus : SpeechCorpus
        Corpus with speakers, which may be None for some utterances.
    cv : cross-validation generator or iterable
        Splitter. Given splits need no second speaker.

    Returns
    -------
    ndarray of shape (n_utterances,), str
        `UNKNOWN_SPEAKER` where the speaker is not known. These utterances are treated as one
        speaker wherever a model splits its training side.
    """
    if corpus.speakers is None:
        raise ValueError(f"{corpus.name} has no speakers; load it with a speaker column.")
    known = ~pd.isna(corpus.speakers)
    names = set(corpus.speakers[known].astype(str))
    if len(names) < 2 and not is_given(cv):
        others = (
            "" if known.all() else f" ({counted((~known).sum(), 'utterance')} of unknown speakers)"
        )
        raise ValueError(
            f"{corpus.name} has only one speaker, {str(min(names))!r}{others}; training and "
            "testing need at least two."
        )
    return np.where(known, corpus.speakers, UNKNOWN_SPEAKER).astype(str)


def folds_of_known(cv, X, y, groups, known, use):
    """Return speaker-disjoint folds of the utterances whose speaker is known.

    Parameters
    ----------
    cv : cross-validation generator or iterable
        Splitter, or given splits, whose test sides are kept as they are.
    X, y : array-like of n_utterances
        Arguments of ``cv.split``.
    groups : ndarray of shape (n_utterances,) or (n_utterances, 2)
        Speakers, or speakers and sentences.
    known : ndarray of shape (n_utterances,), bool
        Whether the speaker of each utterance is known.
    use : {"drop", "train"}
        Whether utterances of unknown speakers are left out, or are in the training side of every
        fold. In given splits, the former removes them from the training sides, and the latter
        keeps them there.

    Returns
    -------
    list of (ndarray, ndarray)
        Row numbers of the training and the test side of each fold.
    """
    if known.all():
        return speaker_disjoint_splits(cv, X, y, groups, "cv")
    if is_given(cv):
        # A speaker each, because nobody knows whether the two sides share one.
        apart = groups.astype(object)
        speakers = apart if apart.ndim == 1 else apart[:, 0]
        unknown = np.flatnonzero(~known)
        speakers[unknown] = [f"{UNKNOWN_SPEAKER} {i}" for i in unknown]
        folds = speaker_disjoint_splits(cv, X, y, apart.astype(str), "cv")
        if use == "train":
            return folds
        folds = [(train[known[train]], test) for train, test in folds]
        for fold, (train, _) in enumerate(folds):
            if not len(train):
                raise ValueError(
                    f"The training side of fold {fold} of cv has unknown speakers only; pass "
                    "unknown_speakers='train' to keep them."
                )
        return folds
    rows = np.flatnonzero(known)
    inner = speaker_disjoint_splits(cv, _safe_indexing(X, rows), y[rows], groups[rows], "cv")
    inner = [(rows[train], rows[test]) for train, test in inner]
    if use == "drop":
        return inner
    return [(np.union1d(train, _addable(groups, ~known, test)), test) for train, test in inner]


def _addable(groups, unknown, test):
    """Return the rows of unknown speakers, without those whose sentence is tested."""
    if groups.ndim == 2:  # speakers and sentences
        unknown = unknown & ~np.isin(groups[:, 1], groups[test, 1])
    return np.flatnonzero(unknown)


def speaker_facts(cv, folds, speakers):
    """Return what a protocol says of unknown and shared speakers; nothing in the usual case.

    Parameters
    ----------
    cv : cross-validation generator or iterable
        Splitter.
    folds : list of (ndarray, ndarray)
        Its folds.
    speakers : ndarray of shape (n_utterances,), str
        Speakers, as `speakers_or_unknown` returns them.

    Returns
    -------
    dict
        Entries of the protocol of an evaluation.
    """
    facts, known = {}, speakers != UNKNOWN_SPEAKER
    if not known.all():
        trained = np.unique(np.concatenate([train for train, _ in folds]))
        tested = np.unique(np.concatenate([test for _, test in folds]))
        facts["unknown_speakers"] = {
            "n": int((~known).sum()),
            "n_utterances": len(known),
            "trained_on": int((~known[trained]).sum()),
            "tested_on": int((~known[tested]).sum()),
        }
    if getattr(cv, "allow_shared_speakers", False):
        pairs = [[set(speakers[s[known[s]]]) for s in pair] for pair in folds]
        facts["shared_speakers"] = {
            "n": len(set().union(*(train & test for train, test in pairs))),
            "n_tested": len(set().union(*(test for _, test in pairs))),
        }
    return facts


def about_speakers(protocol):
    """Return sentences about unknown and shared speakers of an evaluation, from its protocol."""
    sentences = []
    shared, unknown = protocol.get("shared_speakers"), protocol.get("unknown_speakers")
    if shared is not None:
        sentences.append(
            f"{shared['n']} of {shared['n_tested']} test speakers are in the training side of the "
            "same fold, so the scores are not speaker-independent."
        )
    if unknown is not None:
        trained, tested = unknown["trained_on"], unknown["tested_on"]
        share = 100 * unknown["n"] / unknown["n_utterances"]
        uses = []
        if trained:
            uses.append(f"{trained} are trained on and may share their speakers with a test side")
        if tested:
            uses.append(f"{tested} are tested on and may share their speakers with training")
        left_out = "they are left out" if not uses else "; ".join(uses)
        sentences.append(
            f"The speaker of {unknown['n']} of {unknown['n_utterances']} utterances "
            f"({share:.1f} %) is unknown: {left_out}."
        )
    return sentences


def is_given(cv):
    """Return True if the splits were fixed beforehand, rather than made from speakers."""
    return isinstance(cv, Iterable | GivenSplits)
