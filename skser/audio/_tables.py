"""Utterance tables, whose columns state a recording and the part of it in each row."""

import warnings

import numpy as np

from skser._column_names import (
    ALIASES,
    OTHER_DURATION,
    OTHER_TIMES,
    like_ends,
    plain_names,
    unused_times,
)
from skser.audio._utterance import Utterance

PART_COLUMNS = ("start", "end", "channel")


def is_utterance_index(index):
    """Return True if an index is one of audformat, of files or of segments."""
    names = tuple(getattr(index, "names", ()))
    return names == ("file",) or names == ("file", "start", "end")


def with_index_columns(table):
    """Return an utterance table with those levels of its index as columns that its rows need.

    Parameters
    ----------
    table : DataFrame
        Utterance table. Levels of its index count by name, such as ``start`` or ``speaker``. The
        ``file`` of an audformat index becomes the column ``audio``.

    Returns
    -------
    DataFrame
        Table with the same index. Columns that it has already are kept.
    """
    levels = getattr(table, "index", None)
    known = {other: ours for ours, others in ALIASES.items() for other in (ours, *others)}
    found = {known.get(name, name) for name in plain_names(table.columns)}
    columns = {}
    for name in filter(None, getattr(levels, "names", ())):
        (plain,) = plain_names([name])
        ours = known.get(plain, plain)
        is_known = plain in known or plain == "offset" or OTHER_TIMES.fullmatch(plain)
        if is_known and ours not in found:
            new_name = "audio" if is_utterance_index(levels) and name == "file" else name
            columns[new_name] = levels.get_level_values(name)
    return table.assign(**columns) if columns else table


def table_rows(table):
    """Return the audio of each row of an utterance table.

    Parameters
    ----------
    table : DataFrame or Index
        Table with a column ``audio`` and optionally ``start``, ``end`` and ``channel``, which may
        be levels of its index; or an audformat index (``file``, ``start``, ``end``).

    Returns
    -------
    list
        Source of each row; an `Utterance` for rows that are a part of a recording.

    Raises
    ------
    ValueError
        If the column ``audio`` is missing, if times or channels have another name than ``start``,
        ``end`` and ``channel``, or if a row states its part twice.
    TypeError
        If the times or the channel of a row cannot be parsed; the row is named.
    """
    if not hasattr(table, "columns"):
        table = table.to_frame()[[]]
    table = with_index_columns(table)
    columns = table.columns
    if "audio" not in columns:
        raise ValueError(
            f"The utterance table has no column 'audio'; its columns are {list(columns)}. "
            "Rename the column that holds the paths."
        )
    _refuse_other_names(columns)
    parts = [name for name in PART_COLUMNS if name in columns]
    sources = list(table["audio"])
    if not parts:
        return sources
    values = {name: _cells(table[name]) for name in parts}
    return [
        _row(source, {name: values[name][i] for name in parts}, i)
        for i, source in enumerate(sources)
    ]


def _refuse_other_names(columns):
    """Raise ValueError if columns that `load_table` would rename state the parts of recordings."""
    plain = plain_names(columns)
    missing = [name for name in PART_COLUMNS if name not in columns]
    others = {other for name in missing for other in (name, *ALIASES[name])}
    if not {"from", "to"} <= others & set(plain):  # only as a pair, they surely mean times
        others -= {"from", "to"}
    if {"start", "end"} & set(missing):
        others |= {"offset", *filter(OTHER_TIMES.fullmatch, plain)}
    if "end" in missing and "start" not in missing:
        others |= {"duration", *ALIASES["duration"], *filter(OTHER_DURATION.fullmatch, plain)}
    found = [column for name, column in plain.items() if name in others]
    if "start" in columns and "end" not in columns:
        found += [column for column in like_ends(columns) if column not in found]
    if found:
        raise ValueError(
            f"The utterance table has the columns {found}, which seem to state parts of "
            "recordings, but only 'start', 'end' (in seconds) and 'channel' are used. Rename "
            "them, pass load_table(table).frame, or remove them to read whole files."
        )


def warn_of_unused_times(table):
    """Warn if an utterance table has neither starts nor ends, but columns that seem to be such."""
    message = unused_times(getattr(table, "columns", ()))
    if message is not None:
        warnings.warn(f"Utterance table: {message}", stacklevel=3)


def _cells(column):
    # `astype(object)` turns NumPy scalars of pandas into Python numbers, as polars returns them.
    return list(column.astype(object)) if hasattr(column, "astype") else column.to_list()


def _row(source, part, i):
    try:
        given = source if isinstance(source, Utterance) else None
        utterance = Utterance("" if given is not None else source, **part)
    except TypeError as error:
        raise TypeError(f"Row {i} of the utterance table: {error}") from None
    if utterance.is_whole:
        return source
    if given is not None:
        raise ValueError(
            f"Row {i} of the utterance table has an Utterance in 'audio' and a part in "
            f"{list(part)}: state the part once."
        )
    return utterance


def without_parts(table, audio):
    """Return a copy of an utterance table with its audio replaced by samples that are cut already.

    Parameters
    ----------
    table : DataFrame
        Utterance table.
    audio : list of array-like
        Samples of each row.

    Returns
    -------
    DataFrame
        Table whose columns ``start``, ``end`` and ``channel`` are empty, so that the samples are
        not cut a second time.
    """
    table = with_index_columns(table)
    column = np.empty(len(audio), dtype=object)
    for i, samples in enumerate(audio):  # NumPy would stack arrays of equal length
        column[i] = samples
    parts = [name for name in PART_COLUMNS if name in table.columns]
    return table.assign(audio=column, **dict.fromkeys(parts))
