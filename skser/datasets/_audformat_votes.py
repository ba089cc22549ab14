"""Votes in a database in audformat: columns of one scheme with a rater each."""

import numpy as np
import pandas as pd


def rater_votes(db, tables, column, dimensions, row_keys, rows_of):
    """Return the votes of the raters, with the key of their utterance.

    Columns hold votes for emotions if they were asked for as a list, one per rater, or if they
    have a human rater and the scheme of the column with the label. Columns hold ratings if they
    have a human rater and a scheme that is named after a dimension.

    Parameters
    ----------
    db : audformat.Database
        Database that holds the tables.
    tables : list of str
        Names of the tables with the labels.
    column : str or list of str
        Column with the label, or one column per rater.
    dimensions : dict of str to tuple of str
        Names of the schemes of each dimension.
    row_keys, rows_of : callable
        Functions that give the key of each row, and the rows of an index.

    Returns
    -------
    list of dict
        Votes, with the key of the utterance under ``utterance``.
    """
    votes = {}
    for key in tables:
        table = db[key]
        keys = row_keys(rows_of(table.df.index))
        found = _columns(db, table, column, dimensions)
        named = [(target, table.columns[name].rater_id) for name, target in found.items()]
        for (name, target), about in zip(found.items(), named, strict=True):
            # One rater may stand for several people, such as a crowd, with a column each.
            rater = about[1] if about[1] is not None and named.count(about) == 1 else name
            for utterance, value in zip(keys, table.df[name].astype(object), strict=True):
                if not pd.isna(value):
                    votes.setdefault((utterance, rater), {})[target] = value
    return [
        {"utterance": utterance, "rater": rater, **values}
        for (utterance, rater), values in votes.items()
    ]


def votes_of_frame(votes, keys):
    """Return the table of votes for the utterances with these keys, or None."""
    positions = {key: i for i, key in enumerate(keys)}
    kept = [vote | {"utterance": positions[vote["utterance"]]} for vote in votes
            if vote["utterance"] in positions]  # fmt: skip
    if not kept:
        return None
    table = pd.DataFrame(kept)
    for name in set(table) - {"utterance", "rater", "emotion"}:
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(np.float64)
    return table


def _columns(db, table, column, dimensions):
    """Return what each column with votes is about: "emotion" or a dimension."""
    of_people = {
        name: other
        for name, other in table.columns.items()
        if other.rater_id is not None and db.raters[other.rater_id].type == "human"
    }
    if not isinstance(column, str):
        found = dict.fromkeys(column, "emotion")
    else:
        scheme = table.columns[column].scheme_id
        found = {
            name: "emotion"
            for name, other in of_people.items()
            if scheme is not None and other.scheme_id == scheme
        }
        # A single column with a rater is the label itself, not a vote among others.
        found = found if len(found) > 1 else {}
    for dimension, names in dimensions.items():
        for name, other in of_people.items():
            if other.scheme_id in names:
                found[name] = dimension
    return found
