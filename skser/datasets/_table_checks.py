"""Checks of the utterances in a user's own table."""

import os
import warnings

import numpy as np
import pandas as pd

from skser._wording import counted
from skser.audio import Utterance, overlapping

SOME = 10  # number of rows that a message lists
_ROUNDING = 0.01  # seconds; `Utterance` has the same tolerance
# Part of a scale by which ratings may leave it: raters of published corpora did so now and then.
_OUTSIDE = 1 / 8 + 1e-9
_NO_LENGTH = 2**40  # samples; a recording that was never closed has a larger number in its header


def check_intervals(frame, where, unit):
    """Raise ValueError for times that contradict each other or their recording."""
    if not {"start", "end"} <= set(frame.columns):
        return
    durations = {}
    for i, source, start, end in zip(
        frame.index, frame["audio"], frame["start"], frame["end"], strict=True
    ):
        place = f"{where}, {unit} {i}"
        start = 0.0 if pd.isna(start) else start
        if start < 0 or end <= start:
            raise ValueError(
                f"{place}: from {start:g} to {end:g} s is not a valid interval. Correct the times."
            )
        if source not in durations:
            durations[source] = _duration(source)
        known = durations[source]
        latest = max(start, start if pd.isna(end) else end)
        if known is not None and (latest > known + _ROUNDING or start >= known):
            raise ValueError(
                f"{place}: reaches {latest:g} s, beyond the end of {source} at {known:g} s. "
                "Correct the times, or give the recording that they belong to."
            )


def _duration(path):
    """Return the duration of a file in seconds from its header, or None if it is unknown."""
    import soundfile

    try:
        info = soundfile.info(path)
    except (RuntimeError, TypeError):  # a container, or not audio: an error when it is read
        return None
    return info.frames / info.samplerate if 0 < info.frames < _NO_LENGTH else None


def check_ratings(cells, column, where, unit):
    """Raise ValueError if a rating is not a number."""
    numbers = pd.to_numeric(cells, errors="coerce").astype(float)
    wrong = cells.notna() & ~np.isfinite(numbers)
    if wrong.any():
        i = wrong.idxmax()
        raise ValueError(
            f"{where}, {unit} {i}: {column}={cells[i]!r} is not a number. Correct it, or leave "
            "it empty."
        )


def require_unique_columns(frame, where):
    """Raise ValueError if two columns have the same name."""
    repeated = frame.columns[frame.columns.duplicated()].unique().tolist()
    if repeated:
        raise ValueError(f"{where} has the columns {repeated} twice. Rename one of each.")


def as_positions(rows):
    """Return what indexes the rows of a corpus, or raise TypeError if it cannot."""
    if isinstance(rows, str):
        raise TypeError(
            f"A corpus is indexed by rows, not by the name {rows!r}: for an attribute, use "
            f"corpus.{rows}."
        )
    if isinstance(rows, slice):
        return rows
    rows = np.atleast_1d(np.asarray(rows))
    rows = rows if rows.size else rows.astype(int)  # an empty list is of floats
    if rows.dtype.kind not in "iub":
        raise TypeError(
            f"A corpus is indexed by rows, not by {rows.dtype}: use integers, a boolean mask or "
            "a slice."
        )
    return rows


def check_corpus_table(frame, name, dimension_range):
    """Raise ValueError if a corpus cannot be built from an utterance table.

    Parameters
    ----------
    frame : DataFrame
        Utterance table whose index counts from 0.
    name : str
        Name of the corpus, for messages.
    dimension_range : tuple of two floats or None
        Lowest and highest value of the scale of the ratings.
    """
    missing = {"audio", "emotion"} - set(frame.columns)
    if missing:
        raise ValueError(
            f"The utterance table lacks the columns {sorted(missing)}; it has "
            f"{list(frame.columns)}."
        )
    require_unique_columns(frame, f"{name}: the utterance table")
    if frame.empty:
        raise ValueError(f"{name}: no utterances are left. Keep at least one.")
    unlabeled = frame.index[frame["emotion"].isna()].tolist()
    if unlabeled:
        raise ValueError(
            f"{name} has no emotion in rows {unlabeled[:SOME]}. Fill in the values, or remove "
            "these rows."
        )
    for key in ("emotion", "speaker", "sex"):
        if key not in frame:
            continue
        known = frame[key].dropna()
        are_text = known.map(lambda value: isinstance(value, str))
        if are_text.any() and not are_text.all():  # the speaker 1 is not "1"
            i = are_text.idxmin()
            raise ValueError(
                f"{name}, row {i}: the {key} {known[i]!r} is not text, but others are. Give all of "
                "them as text."
            )
    for key in ("valence", "activation", "dominance"):
        if key in frame:
            check_ratings(frame[key], key, name, "row")
    if dimension_range is not None:
        _check_scale(frame, name, dimension_range)


def _check_scale(frame, name, dimension_range):
    """Raise ValueError if the scale is not one, or if ratings are clearly outside.

    Warn if several ratings are outside with one value, which may stand for missing ones.
    """
    low, high = dimension_range
    if not -np.inf < low < high < np.inf:
        raise ValueError(
            f"{name}: dimension_range={dimension_range} is not a scale. Give its lowest value "
            "first, and then a higher one."
        )
    for key in ("valence", "activation", "dominance"):
        if key not in frame:
            continue
        ratings = pd.to_numeric(frame[key]).astype(float)
        beyond = np.maximum(low - ratings, ratings - high) > _OUTSIDE * (high - low)
        if beyond.any():
            i = beyond.idxmax()
            raise ValueError(
                f"{name}, row {i}: {key}={ratings[i]:g} is not on the scale from {low:g} to "
                f"{high:g}. Leave missing ratings empty, or correct dimension_range."
            )
        outside = ratings[(ratings < low) | (ratings > high)]
        if len(outside) > 1 and outside.nunique() == 1:
            warnings.warn(
                f"{name}: {counted(len(outside), 'rating')} of {key} beyond the scale from {low:g} "
                f"to {high:g}, always {outside.iloc[0]:g}. If this is a code for missing ratings, "
                "leave them empty.",
                stacklevel=3,
            )


def warn_of_overlaps(corpus, rows, where, unit):
    """Warn if utterances of one file overlap, and report whether their emotions differ."""
    paths = real_paths(corpus)
    _warn_of_whole_copies(corpus, paths, rows, where, unit)
    # Files are compared by path, because comparing contents would read every file.
    real = dict(zip(map(_path_of, corpus.data), paths, strict=True))
    pairs = overlapping(list(corpus.data), None, key=lambda item, _: real[_path_of(item)])
    if not pairs:
        return
    several = len({corpus.target[i] == corpus.target[j] for i, j in pairs}) > 1
    first, second = min(pairs, key=lambda pair: corpus.target[pair[0]] == corpus.target[pair[1]])
    emotions = corpus.target[first], corpus.target[second]
    labels = f"two emotions, {emotions[0]!r} and {emotions[1]!r}"
    if emotions[0] == emotions[1]:
        labels = f"one emotion, {emotions[0]!r}"
    shown = "two emotions in some of them" if several else labels
    found = counted(len(pairs), "pair of utterances overlaps", "pairs of utterances overlap")
    warnings.warn(
        f"{where}: {found} in their file, with {shown}, such as {unit}s {rows[first]} and "
        f"{rows[second]}. Keep each pair on one side of a split, or correct the times.",
        stacklevel=3,
    )


def _warn_of_whole_copies(corpus, paths, rows, where, unit):
    """Warn if rows are the same whole file, or the same channel of it."""
    keys = []
    for path, item in zip(paths, corpus.data, strict=True):
        part = (item.start or 0.0, item.end) if isinstance(item, Utterance) else (0.0, None)
        channel = item.channel if isinstance(item, Utterance) else None
        # Equal parts of files overlap, and `overlapping` finds them.
        keys.append((path, channel) if path is not None and part == (0.0, None) else None)
    remedy = "Keep one row of each, or give start and end of parts."
    warn_of_copies(corpus, keys, list(map(str, rows)), f"{unit}s", where, remedy)


def warn_of_copies(corpus, keys, names, unit, where, remedy):
    """Warn if utterances have the same key, and report whether their emotions differ.

    Parameters
    ----------
    corpus : SpeechCorpus
        Corpus whose utterances are compared.
    keys : list of hashable
        Key of each utterance; None for utterances that are not compared.
    names : list of str
        Name of each utterance, such as its row.
    unit : str
        Word for names, such as "rows".
    where : str
        Name of the table or folder.
    remedy : str
        Sentence at the end of the message.
    """
    places = {}
    for i, key in enumerate(keys):
        if key is not None:
            places.setdefault(key, []).append(i)
    copies = [found for found in places.values() if len(found) > 1]
    if not copies:
        return
    differing = [found for found in copies if len(set(corpus.target[found])) > 1]
    found = (differing or copies)[0]
    path = _path_of(corpus.data[found[0]])
    shown = ", ".join(names[i] for i in found[:SOME])
    emotions = " and ".join(map(repr, sorted(set(corpus.target[found]))))
    warnings.warn(
        f"{where}: {counted(len(copies), 'file occurs', 'files occur')} several times, "
        f"{len(differing)} of them with different emotions, such as {path} in "
        f"{unit} {shown} as {emotions}. {remedy}",
        stacklevel=5,
    )


def real_paths(corpus):
    """Return the path of the file of each utterance without links, or None for other sources."""
    real = {path: os.path.realpath(path) for path in map(_path_of, corpus.data) if path is not None}
    return [real.get(_path_of(item)) for item in corpus.data]


def _path_of(item):
    """Return the path of an utterance's file, or None for another source."""
    source = item.source if isinstance(item, Utterance) else item
    return source if isinstance(source, str) else None
