"""Utterance tables: the columns that say which part of which recording a row is."""

import numpy as np

from skser.audio._utterance import Utterance

PART_COLUMNS = ("start", "end", "channel")


def is_utterance_index(index):
    """Whether an index is audformat's, of files or of their segments."""
    names = tuple(getattr(index, "names", ()))
    return names == ("file",) or names == ("file", "start", "end")


def table_rows(table):
    """Sources of an utterance table, as `Utterance` where a row is a part of one.

    Parameters
    ----------
    table : DataFrame or Index
        With a column ``audio`` and optionally ``start``, ``end`` and ``channel``; or with, or
        being, an audformat index (``file``, ``start``, ``end``).

    Returns
    -------
    list

    Raises
    ------
    ValueError
        If there is no column ``audio``, or a row states its part twice.
    TypeError
        Naming the row whose times or channel cannot be understood.
    """
    columns = getattr(table, "columns", ())
    if "audio" not in columns:
        index = getattr(table, "index", table)
        if not is_utterance_index(index):
            raise ValueError(
                f"The utterance table has no column 'audio'; its columns are {list(columns)}."
            )
        table = index.to_frame(index=False).rename(columns={"file": "audio"})
        columns = table.columns
    parts = [name for name in PART_COLUMNS if name in columns]
    sources = list(table["audio"])
    if not parts:
        return sources
    values = {name: _cells(table[name]) for name in parts}
    return [
        _row(source, {name: values[name][i] for name in parts}, i)
        for i, source in enumerate(sources)
    ]


def _cells(column):
    # pandas' numbers become Python's own; polars gives these by itself.
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
            f"{list(part)}: state it once."
        )
    return utterance


def without_parts(table, audio):
    """Return an utterance table whose audio is replaced by samples that are cut already.

    Parameters
    ----------
    table : DataFrame
    audio : list of array-like
        Samples of each row.

    Returns
    -------
    DataFrame
        With nothing in the columns that would cut the samples once more.
    """
    column = np.empty(len(audio), dtype=object)
    for i, samples in enumerate(audio):  # arrays of one length would become a 2-D array
        column[i] = samples
    parts = [name for name in PART_COLUMNS if name in table.columns]
    return table.assign(audio=column, **dict.fromkeys(parts))
