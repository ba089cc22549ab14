"""Votes of single raters: one row per utterance and rater, beside the labels of a corpus."""

from collections import Counter

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_integer_dtype

from skser._name_key import name_key
from skser.datasets._spellings import as_names, chosen_spellings
from skser.datasets._table_checks import check_ratings

DIMENSIONS = ("valence", "activation", "dominance")
SELF = "self_evaluation"
_TARGETS = ("emotion", *DIMENSIONS)


def checked_votes(votes, target, name):
    """Return a table of votes in its normal form, or None if the table is empty.

    Parameters
    ----------
    votes : DataFrame or None
        Table with the columns ``utterance`` (position in the corpus), ``rater`` and at least one
        of ``emotion``, ``valence``, ``activation`` and ``dominance``.
    target : ndarray of shape (n_utterances,), object
        Emotions of the corpus. Votes for them in another spelling get their spelling.
    name : str
        Name of the corpus, for messages.

    Returns
    -------
    DataFrame or None
        Rows sorted by utterance, with raters as str or None.

    Raises
    ------
    ValueError
        If a column is missing, a rating is not a number, a self-evaluation is neither True nor
        False, or a row refers to an utterance that the corpus does not have.
    """
    if votes is None:
        return None
    missing = [column for column in ("utterance", "rater") if column not in votes]
    if missing or not set(_TARGETS) & set(votes.columns):
        raise ValueError(
            f"{name}: the table of votes has the columns {list(votes.columns)}; it needs "
            f"utterance, rater and at least one of {list(_TARGETS)}."
        )
    targets = [column for column in _TARGETS if column in votes]
    votes = votes[votes[targets].notna().any(axis=1)]
    if votes.empty:
        return None
    rows = votes["utterance"]
    if not is_integer_dtype(rows) or is_bool_dtype(rows):
        raise ValueError(
            f"{name}: the utterances of the votes are {rows.dtype}; give their positions in the "
            "corpus as integers."
        )
    outside = rows[(rows < 0) | (rows >= len(target))]
    if len(outside):
        raise ValueError(
            f"{name}: a vote is for utterance {outside.iloc[0]}, but the corpus has the utterances "
            f"0 to {len(target) - 1}."
        )
    where = f"{name}: the table of votes"
    votes = votes.astype({"utterance": "int64"})
    for key in DIMENSIONS:
        if key in votes:
            check_ratings(votes[key], key, where, "row")
            votes[key] = pd.to_numeric(votes[key]).astype(float)
    if SELF in votes:
        wrong = votes[SELF].notna() & ~votes[SELF].isin([True, False])
        if wrong.any():
            i = wrong.idxmax()
            raise ValueError(
                f"{where}, row {i}: {SELF}={votes[SELF][i]!r} is neither True nor False. Convert "
                "the column to bool."
            )
        votes[SELF] = votes[SELF].isin([True])
    votes = votes.sort_values("utterance", kind="stable", ignore_index=True)
    # An object column, because pandas would turn a missing str into NaN.
    raters = [None if pd.isna(rater) else str(rater) for rater in as_names(votes["rater"])]
    votes["rater"] = pd.Series(raters, dtype=object)
    if "emotion" in votes:
        votes["emotion"] = _spelled(votes["emotion"], set(target))
    return votes


def _spelled(emotions, target):
    """Return the emotions of votes in the spelling of the corpus, or in their most frequent one."""
    emotions = emotions.astype(object).where(emotions.notna(), None)
    known = {name_key(emotion): emotion for emotion in target if isinstance(emotion, str)}
    if not known:  # emotions of a corpus are text, but other classes work as well
        return emotions
    emotions = as_names(emotions)
    chosen = chosen_spellings(Counter(one for one in emotions if isinstance(one, str)))
    chosen = {old: known.get(name_key(old), new) for old, new in chosen.items()}
    chosen |= {emotion: emotion for emotion in known.values()}
    return pd.Series([chosen.get(one, one) for one in emotions], dtype=object)


def votes_of_rows(votes, rows):
    """Return the votes for some utterances, numbered by their new positions.

    Parameters
    ----------
    votes : DataFrame or None
        Votes by old positions.
    rows : ndarray of shape (n_new_utterances,), int
        Old position of each new utterance; a position that occurs twice gets its votes twice.

    Returns
    -------
    DataFrame or None
    """
    if votes is None:
        return None
    # `votes` are sorted by utterance, so the votes for one utterance are a slice.
    positions = votes["utterance"].to_numpy()
    first = np.searchsorted(positions, rows, side="left")
    counts = np.searchsorted(positions, rows, side="right") - first
    starts = np.repeat(first - np.cumsum(counts) + counts, counts)
    kept = votes.iloc[starts + np.arange(counts.sum())]
    return kept.assign(utterance=np.repeat(np.arange(len(rows)), counts)).reset_index(drop=True)


def renamed_votes(votes, mapping):
    """Return votes with other names of emotions; those mapped to None are dropped.

    Emotions without an entry keep their names. A row whose emotion is dropped remains if the
    rater gave dimensions too.
    """
    if votes is None or "emotion" not in votes:
        return votes
    emotions = [mapping.get(emotion, emotion) for emotion in votes["emotion"]]
    return votes.assign(emotion=pd.Series(emotions, votes.index, dtype=object))


def emotions_voted_for(votes):
    """Return the emotions that raters named, sorted."""
    if votes is None or "emotion" not in votes:
        return []
    return sorted(votes["emotion"].dropna().unique())


def votes_by_name(rows, names):
    """Build a table of votes from rows that name their utterance.

    Parameters
    ----------
    rows : list of dict
        Votes, with the name of the utterance under ``utterance``.
    names : iterable of str
        Name of each utterance of the corpus, in order. Votes for others are left out.

    Returns
    -------
    DataFrame or None
        None if nobody voted on an utterance of the corpus.
    """
    positions = {name: i for i, name in enumerate(names)}
    kept = [
        row | {"utterance": positions[row["utterance"]]}
        for row in rows
        if row["utterance"] in positions
    ]
    return pd.DataFrame(kept) if kept else None


def by_others(votes):
    """Return the votes without the speakers' own."""
    return votes[~votes[SELF].astype(bool)] if SELF in votes else votes


def vote_shares(corpus, classes):
    """Return the share of the raters of each utterance that named each class.

    Parameters
    ----------
    corpus : SpeechCorpus
        Corpus with votes for emotions.
    classes : list of str
        Emotions, one per column of the result.

    Returns
    -------
    ndarray of shape (n_utterances, n_classes), float64
    """
    if corpus.votes is None or "emotion" not in corpus.votes:
        raise ValueError(
            f"{corpus.name} has no votes for emotions. Pass votes= to SpeechCorpus, or load the "
            "corpus from a folder that has them."
        )
    unknown = sorted(set(corpus.target) - set(classes))
    if unknown:
        raise ValueError(
            f"{corpus.name} has utterances with the labels {unknown}, which are not in "
            f"classes={list(classes)}. Add them, or leave out their utterances with relabel."
        )
    column_of = {emotion: column for column, emotion in enumerate(classes)}
    shares = np.zeros((len(corpus), len(classes)))
    votes = by_others(corpus.votes)
    votes = votes[votes["emotion"].isin(classes)]
    # A rater who named several emotions splits one vote among them; anonymous rows are raters.
    known = votes["rater"].notna()
    sizes = votes[known].groupby(["utterance", "rater"])["emotion"].transform("size")
    weights = (1 / sizes).reindex(votes.index, fill_value=1.0)
    columns = votes["emotion"].map(column_of).to_numpy(dtype=int)
    np.add.at(shares, (votes["utterance"].to_numpy(), columns), weights.to_numpy(float))
    total = shares.sum(axis=1, keepdims=True)
    labels = np.array([column_of[label] for label in corpus.target])
    unrated = np.flatnonzero(total[:, 0] == 0)
    shares[unrated, labels[unrated]] = total[unrated] = 1.0
    return shares / total
