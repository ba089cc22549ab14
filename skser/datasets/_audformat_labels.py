"""Labels in the tables of audformat databases."""

import warnings

import numpy as np
import pandas as pd

from skser.datasets._spellings import as_names, merged_spellings

NO_AGREEMENT = "no agreement"  # the label that the other loaders use
_ROW = ["audio", "start", "end"]


def labels(db, name, tables, column):
    """Return the file, times, emotion, votes and split of each labeled row.

    Parameters
    ----------
    db : audformat.Database
        Database that holds the tables.
    name : str
        Name of the database, for messages.
    tables : list of str
        Names of the tables, as `chosen_tables` returns them.
    column : str or list of str
        Column with the label, or one column per rater.

    Returns
    -------
    DataFrame
        Columns ``audio``, ``start`` and ``end`` in seconds, ``emotion`` and others.
    """
    columns = [column] if isinstance(column, str) else list(column)
    given = {}
    for key in tables:
        for one in columns:
            given[key, one] = as_names(db[key].df[one])
            if given[key, one].isna().all():
                raise ValueError(
                    f"{name}: column {one!r} of table {key} has no labels. Choose another column."
                )
    # Merged before the votes are counted: raters may write one emotion in different ways.
    cells = merged_spellings(pd.concat(given.values()), "emotion", name).to_numpy()
    ends = np.cumsum([len(one) for one in given.values()])
    given = dict(zip(given, np.split(cells, ends[:-1]), strict=True))
    parts = []
    for key in tables:
        part = rows_of(db[key].df.index)
        votes = {one: given[key, one] for one in columns}
        if isinstance(column, str):
            part["emotion"] = votes[column]
        else:
            part["emotion"] = [_most_votes(row) for row in zip(*votes.values(), strict=True)]
            part = part.assign(**{f"vote {one}": vote for one, vote in votes.items()})
        if db[key].split_id is not None:
            part["split"] = db[key].split_id
        parts.append(part)
    # Tables may overlap; only different labels for the same row are an error.
    frame = pd.concat(parts, ignore_index=True)
    if "split" in frame:
        frame["split"] = _joined_splits(frame, name)
    frame = frame.drop_duplicates([*_ROW, "emotion"])
    unlabeled = frame["emotion"].isna()
    if unlabeled.any():
        what = "files" if frame["start"].isna().all() else "segments"
        warnings.warn(
            f"{name}: {unlabeled.sum()} of {len(frame)} {what} have no label and are left out.",
            stacklevel=3,
        )
    frame = frame[~unlabeled]
    twice = frame[frame.duplicated(_ROW)]
    if len(twice):
        row = twice.iloc[0]
        part = "" if pd.isna(row["start"]) else f" from {row['start']:g} to {row['end']:g} s"
        raise ValueError(
            f"{name}: {row['audio']}{part} has different labels in {', '.join(tables)}."
        )
    return frame.astype({"emotion": str}).reset_index(drop=True)


def _joined_splits(frame, name):
    """Return the split of each row, which may be in another table than its first one."""
    splits = frame.groupby(_ROW, dropna=False)["split"]
    several = (splits.transform("nunique") > 1).to_numpy()
    if several.any():
        i = several.argmax()
        raise ValueError(
            f"{name}: {frame['audio'][i]} is in several splits. Choose tables that agree."
        )
    return splits.transform("first")


def rows_of(index):
    """Return the file, and the start and end in seconds, of each entry of an index."""
    rows = index.to_frame(index=False).rename(columns={"file": "audio"})
    rows["audio"] = rows["audio"].astype(object)
    for bound in ("start", "end"):
        rows[bound] = rows[bound].dt.total_seconds() if bound in rows else np.nan
    # A whole file may be written with the start 0, which is then the same row as without one.
    starts = rows["start"].fillna(0.0)
    rows["start"] = starts.where((starts > 0) | rows["end"].notna())
    return rows


def _most_votes(votes):
    """Return the label with most votes, "no agreement" for a tie, or None without votes."""
    votes = [vote for vote in votes if not pd.isna(vote)]
    if not votes:
        return None
    counts = pd.Series(votes, dtype=object).value_counts()
    return counts.index[0] if (counts == counts.iloc[0]).sum() == 1 else NO_AGREEMENT
