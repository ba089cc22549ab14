"""Databases in audEERING's audformat: on disk, in memory, or published by audb."""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from skser._optional import import_optional
from skser.datasets._corpus import SpeechCorpus, finish
from skser.datasets._registry import CORPORA

# Columns of a speaker's properties, and of what was said, under the names that databases use.
_SEX = ("sex", "gender")
_TEXT = ("transcription", "transcript", "text")
_DIMENSIONS = {"valence": ("valence",), "activation": ("activation", "arousal"),
               "dominance": ("dominance",)}  # fmt: skip
NO_AGREEMENT = "no agreement"  # as loaders of corpora call it
_SOME = 3  # missing files that a message names
_ROW = ["audio", "start", "end"]


def load_audformat(database, table=None, column="emotion", *, root=None, return_X_y=False):
    """Load a corpus from a database in audformat (extra ``audformat``).

    Parameters
    ----------
    database : path-like or audformat.Database
        Folder with ``db.yaml``, or the database itself.
    table : str, list of str or None, default=None
        Tables with the labels, of whole files or of segments. None will do where one table
        alone has the column.
    column : str or list of str, default="emotion"
        Column with the label. Several names are one column per rater: the label is what most
        of those who voted chose, and ``"no agreement"`` where no label has most votes.
    root : path-like or None, default=None
        Folder that the files' paths start from; None means that of the database.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    SpeechCorpus
        Paths with ``start`` and ``end`` of segments and, where the database has them, speakers,
        sexes, sentences, transcripts, and valence, activation and dominance on the range of
        their scheme; in ``frame``, ``split``, and a column ``vote <column>`` per rater.

    Raises
    ------
    ImportError
        If audformat is not installed.
    FileNotFoundError
        If the database or audio files are missing: the message counts them.
    ValueError
        If the tables or the column are missing, or must be named: the message lists them. If a
        column has no labels, or two tables disagree.

    Warns
    -----
    UserWarning
        If rows have no label: they are left out.

    See Also
    --------
    fetch_audb : The same for databases that audb publishes.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import audformat, numpy as np, soundfile
    >>> from skser.datasets import load_audformat
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> soundfile.write(folder / "call.wav", np.zeros(32000), 16000)
    >>> db = audformat.Database("calls")
    >>> index = audformat.segmented_index(["call.wav"] * 2, ["0s", "1s"], ["0.8s", "2s"])
    >>> db["turns"] = audformat.Table(index)
    >>> db["turns"]["emotion"] = audformat.Column()
    >>> db["turns"]["emotion"].set(["neutral", "anger"])
    >>> db.save(folder)
    >>> load_audformat(folder).frame[["start", "end", "emotion"]].values.tolist()
    [[0.0, 0.8, 'neutral'], [1.0, 2.0, 'anger']]
    """
    audformat = import_optional("audformat", extra="audformat", purpose="load_audformat")
    if isinstance(database, audformat.Database):
        db, folder = database, database.root
    else:
        folder = Path(database).expanduser()
        if not (folder / "db.yaml").is_file():
            raise FileNotFoundError(
                f"{folder} holds no db.yaml: name the folder that audformat's Database.save wrote."
            )
        # The reader calls pandas in ways that newer versions of it deprecate.
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            db = audformat.Database.load(str(folder), load_data=True)
    tables = chosen_tables(db, db.name, table, column)
    frame = described(db, labels(db, db.name, tables, column))
    root = Path(root if root is not None else folder if folder is not None else ".").expanduser()
    frame["audio"] = _existing(frame["audio"], root, db.name)
    return finish(corpus_of(db, db.name, frame, f"{db.name}, a database in audformat"), return_X_y)


def chosen_tables(db, name, table, column, known=None, option="column"):
    """Names of the tables to take labels from.

    Parameters
    ----------
    db : audformat.Database
    name : str
        Name of the database, for messages.
    table, column : str, list of str or None
        As in `load_audformat`.
    known : re.Pattern or None, default=None
        Pattern of the names of tables, where `table` is None.
    option : str, default="column"
        Name of the parameter that chooses the column, for messages.

    Returns
    -------
    list of str
    """
    columns = [column] if isinstance(column, str) else list(column)
    there = "; ".join(f"{key}: {', '.join(db[key].columns)}" for key in db.tables)
    if table is not None:
        chosen = [table] if isinstance(table, str) else list(table)
        unknown = [key for key in chosen if key not in db.tables]
        if unknown:
            raise ValueError(f"{name} has no table {unknown}; its tables and columns: {there}.")
    elif known is not None:
        chosen = [key for key in db.tables if re.fullmatch(known, key)]
    else:
        chosen = [key for key in db.tables if set(columns) <= set(db[key].columns)]
        if len(chosen) > 1:
            chosen = []
    if not chosen:
        raise ValueError(
            f"{name}: name the labels' table with table= and their column with {option}=; "
            f"its tables and columns: {there}."
        )
    for key in chosen:
        missing = [one for one in columns if one not in db[key].columns]
        if missing:
            raise ValueError(
                f"{name}: table {key} has no column {missing[0]!r}; it has "
                f"{', '.join(db[key].columns)}. Choose with {option}=."
            )
    return chosen


def labels(db, name, tables, column):
    """File, times, emotion, votes and split of each labeled row.

    Parameters
    ----------
    db, name, column
        As in `chosen_tables`.
    tables : list of str

    Returns
    -------
    DataFrame
        Columns ``audio``, ``start`` and ``end`` in seconds, ``emotion`` and others.
    """
    columns = [column] if isinstance(column, str) else list(column)
    parts = []
    for key in tables:
        table = db[key].df
        part = _rows_of(table.index)
        votes = {one: table[one].astype(object).to_numpy() for one in columns}
        for one, given in votes.items():
            if pd.isna(given).all():
                raise ValueError(
                    f"{name}: the column {one!r} of {key} is empty: name columns with labels."
                )
        if isinstance(column, str):
            part["emotion"] = votes[column]
        else:
            part["emotion"] = [_most(row) for row in zip(*votes.values(), strict=True)]
            part = part.assign(**{f"vote {one}": given for one, given in votes.items()})
        if db[key].split_id is not None:
            part["split"] = db[key].split_id
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True).drop_duplicates([*_ROW, "emotion"])
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


def _rows_of(index):
    """File and, in seconds, start and end of each entry of an index."""
    rows = index.to_frame(index=False).rename(columns={"file": "audio"})
    rows["audio"] = rows["audio"].astype(object)
    for bound in ("start", "end"):
        rows[bound] = rows[bound].dt.total_seconds() if bound in rows else np.nan
    return rows


def _most(votes):
    """The label with most votes, no agreement, or None where nobody voted."""
    votes = [vote for vote in votes if not pd.isna(vote)]
    if not votes:
        return None
    counts = pd.Series(votes, dtype=object).value_counts()
    return counts.index[0] if (counts == counts.iloc[0]).sum() == 1 else NO_AGREEMENT


def described(db, frame):
    """The frame with what the database says of speakers, of what was said, and of ratings.

    Parameters
    ----------
    db : audformat.Database
    frame : DataFrame
        From `labels`.

    Returns
    -------
    DataFrame
        Without ``start`` and ``end`` where all rows are whole files.
    """
    speakers, scheme = _column(db, frame, ("speaker",))
    if speakers is not None:
        frame["speaker"] = [None if pd.isna(s) else str(s) for s in speakers]
        about = scheme.labels if scheme is not None and isinstance(scheme.labels, dict) else {}
        sexes = [_property(about.get(speaker), _SEX) for speaker in speakers]
        if any(sexes):
            frame["sex"] = sexes
    if "sex" not in frame:
        values, _ = _column(db, frame, _SEX)
        if values is not None:
            frame["sex"] = [None if pd.isna(v) else str(v) for v in values]
    said, scheme = _column(db, frame, _TEXT)
    if said is not None:
        texts = scheme.labels if scheme is not None and isinstance(scheme.labels, dict) else {}
        frame["sentence"] = [None if pd.isna(code) else str(code) for code in said]
        frame["transcript"] = [
            texts.get(code, code) if isinstance(texts.get(code, code), str) else None
            for code in said
        ]
    for dimension, names in _DIMENSIONS.items():
        values, scheme = _column(db, frame, names)
        if values is not None:
            frame[dimension] = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(float)
    whole = frame["start"].fillna(0).eq(0).all() and frame["end"].isna().all()
    return frame.drop(columns=["start", "end"]) if whole else frame


def _column(db, frame, names):
    """Values of rows in the first column of one of these names, and its scheme.

    A table of segments has values for its own segments, a table of files for all of a file's.
    """
    for key in db.tables:
        table = db[key]
        for name in names:
            if name not in table.columns:
                continue
            values = table.df[name].astype(object)
            if table.type == "filewise":
                wanted, there = list(frame["audio"]), list(values.index)
            else:
                wanted, there = _keys(frame), _keys(_rows_of(values.index))
            known = dict(zip(there, values, strict=True))
            if not known.keys().isdisjoint(wanted):
                scheme_id = table.columns[name].scheme_id
                scheme = db.schemes[scheme_id] if scheme_id is not None else None
                return [known.get(one) for one in wanted], scheme
    return None, None


def _keys(rows):
    """Rows as tuples that compare, the end of a recording among them."""
    bounds = rows[["start", "end"]].fillna(-1.0)
    return list(zip(rows["audio"], bounds["start"], bounds["end"], strict=True))


def _property(about, names):
    """The first of these properties of a speaker, or None."""
    if not isinstance(about, dict):
        return None
    return next((str(about[name]) for name in names if about.get(name) is not None), None)


def _existing(files, root, name):
    """Paths of the audio files."""
    paths = {file: root / str(file) for file in files.unique()}
    missing = [str(file) for file, path in paths.items() if not path.is_file()]
    if missing:
        more = "" if len(missing) <= _SOME else f" and {len(missing) - _SOME} more"
        raise FileNotFoundError(
            f"{name}: {len(missing)} of {len(paths)} audio files are not in {root}: "
            f"{', '.join(missing[:_SOME])}{more}; copy them there, or give their folder with root=."
        )
    return [str(paths[file]) for file in files]


def known_corpus(name):
    """Registry's entry of a database that audb publishes, or None."""
    matching = (info for info in CORPORA.values() if info.audb and info.audb.name == name)
    return next(matching, None)


def corpus_of(db, name, frame, summary):
    """Corpus of a database, with its licence, citation and description.

    Parameters
    ----------
    db : audformat.Database
    name : str
    frame : DataFrame
        Utterance table.
    summary : str
        First paragraph of the description.

    Returns
    -------
    SpeechCorpus
    """
    known = known_corpus(name)
    said = "\n\n".join(filter(None, (db.description, db.source and f"Source: {db.source}")))
    return SpeechCorpus(
        frame,
        name if known is None else known.name,
        {label: label for label in sorted(frame["emotion"].unique())},
        license=" ".join(filter(None, (db.license, db.license_url))) or "unknown",
        citation=known.citation if known is not None else (db.author or ""),
        description=f"{summary}\n\n{said}\n",
        dimension_range=_range(db, frame),
    )


def _range(db, frame):
    """Scale of the ratings by their scheme, or None."""
    ranges = set()
    for dimension, names in _DIMENSIONS.items():
        if dimension in frame:
            scheme = _scheme(db, names)
            if scheme is not None and None not in (scheme.minimum, scheme.maximum):
                ranges.add((float(scheme.minimum), float(scheme.maximum)))
    return ranges.pop() if len(ranges) == 1 else None


def _scheme(db, names):
    for key in db.tables:
        for name in names:
            if name in db[key].columns and db[key].columns[name].scheme_id is not None:
                return db.schemes[db[key].columns[name].scheme_id]
    return None
