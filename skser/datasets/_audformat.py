"""Databases in audEERING's audformat, on disk or in memory."""

import re
import warnings
from pathlib import Path

import pandas as pd

from skser._docstrings import insert_descriptions
from skser._optional import import_optional
from skser.datasets._audformat_labels import labels, rows_of
from skser.datasets._audformat_votes import rater_votes, votes_of_frame
from skser.datasets._corpus import finish
from skser.datasets._own import labeled_corpus
from skser.datasets._parameters import SHARED
from skser.datasets._registry import CORPORA
from skser.datasets._spellings import as_names

# Names that databases give to the columns for sex, transcript and ratings.
_SEX = ("sex", "gender")
_TEXT = ("transcription", "transcript", "text")
DIMENSIONS = {"valence": ("valence",), "activation": ("activation", "arousal"),
               "dominance": ("dominance",)}  # fmt: skip
_SOME = 3  # number of missing files that a message lists


@insert_descriptions(SHARED)
def load_audformat(database, table=None, column="emotion", *, root=None, return_X_y=False):
    """Load a corpus from a database in audformat (extra ``audformat``).

    Parameters
    ----------
    database : path-like or audformat.Database
        Folder with ``db.yaml``, or the database itself.
    table : str, list of str or None, default=None
        Names of the tables with the labels, of whole files or of segments. None is enough if
        only one table has the column.
    column : str or list of str, default="emotion"
        Column with the label. A list names one column per rater: the label is then the one with
        most votes, or ``"no agreement"`` if several have as many.
    root : path-like or None, default=None
        Folder that the audio paths are relative to; None means the folder of the database.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with the ``start`` and ``end`` of segments and, where the database has them,
        speakers, sexes, sentences, transcripts, and valence, activation and dominance on the
        scale of their scheme. ``dimension_range`` is the scale if all of them share one.
        ``frame`` has the column ``split`` and a column
        ``vote <column>`` per rater. ``votes`` holds the columns of human raters: those of the
        list, or those with the scheme of the label, and those with the scheme of a dimension.

    Raises
    ------
    ImportError
        If audformat is not installed.
    FileNotFoundError
        If the database or audio files are missing; the message counts the files.
    ValueError
        If a table or column does not exist or must be named (the message lists those that
        exist), if a column has no labels, if two tables give different labels to a row, or if a
        segment reaches beyond its file.

    Warns
    -----
    UserWarning
        If rows have no label (they are left out), if emotions, speakers or sexes that differ only
        in case, spaces or notation were merged, if a table has speakers or other values of
        another scheme than the rest (they are left out), or if segments overlap.

    See Also
    --------
    fetch_audb : Download and load a database that audb publishes.

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
                f"{folder} has no db.yaml. Give the folder that audformat's Database.save wrote."
            )
        # audformat's reader uses calls that newer versions of pandas deprecate.
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            db = audformat.Database.load(str(folder), load_data=True)
    tables = chosen_tables(db, db.name, table, column)
    frame = labels(db, db.name, tables, column)
    keys = row_keys(frame)  # before the columns of times may go
    frame, scales = with_metadata(db, frame, tables)
    votes = rater_votes(db, tables, column, DIMENSIONS, row_keys, rows_of)
    root = Path(root if root is not None else folder if folder is not None else ".").expanduser()
    frame["audio"] = _existing(frame["audio"], root, db.name)
    summary = f"{db.name}, a database in audformat"
    corpus = corpus_of(db, db.name, frame, summary, scales, votes_of_frame(votes, keys))
    return finish(corpus, return_X_y)


def chosen_tables(db, name, table, column, known=None, option="column"):
    """Return the names of the tables to take labels from.

    Parameters
    ----------
    db : audformat.Database
        Database that holds the tables.
    name : str
        Name of the database, for messages.
    table : str, list of str or None
        Tables that the user asked for; None selects them by `known`, or by the column.
    column : str or list of str
        Columns that each table must have.
    known : str or None, default=None
        Regular expression that the names of the tables match; used if `table` is None.
    option : str, default="column"
        Name of the caller's parameter that chooses the column, for messages.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If a table or column does not exist, or none is chosen.
    """
    columns = [column] if isinstance(column, str) else list(column)
    there = "; ".join(f"{key}: {', '.join(db[key].columns)}" for key in db.tables)
    if table is not None:
        chosen = [table] if isinstance(table, str) else list(table)
        unknown = [key for key in chosen if key not in db.tables]
        if unknown:
            raise ValueError(
                f"{name} has no table {unknown}; its tables and their columns are {there}."
            )
    elif known is not None:
        chosen = [key for key in db.tables if re.fullmatch(known, key)]
    else:
        chosen = [key for key in db.tables if set(columns) <= set(db[key].columns)]
        if len(chosen) > 1:
            chosen = []  # ambiguous: the user must choose
    if not chosen:
        raise ValueError(
            f"{name}: choose the table with the labels by table= and their column by {option}=; "
            f"its tables and their columns are {there}."
        )
    for key in chosen:
        missing = [one for one in columns if one not in db[key].columns]
        if missing:
            raise ValueError(
                f"{name}: table {key} has no column {missing[0]!r}; it has "
                f"{', '.join(db[key].columns)}. Choose one of these with {option}=."
            )
    return chosen


def with_metadata(db, frame, tables):
    """Add the speakers, sexes, sentences, transcripts and ratings that a database has.

    Parameters
    ----------
    db : audformat.Database
        Database that `frame` was taken from.
    frame : DataFrame
        Table of labels, as `labels` returns it.
    tables : list of str
        Names of the tables of the labels. Where several tables have a value for a row, theirs
        count first.

    Returns
    -------
    frame : DataFrame
        Table with the new columns, and without ``start`` and ``end`` if all rows are whole
        files.
    scales : set of tuple or None
        Lowest and highest value of each scale of the ratings; None for an unknown one.
    """
    speakers, scheme = _column(db, frame, tables, ("speaker",))
    if speakers is not None:
        frame["speaker"] = as_names(pd.Series(speakers, frame.index))
        about = _described(db, scheme)
        sexes = [_property(about.get(speaker), _SEX) for speaker in speakers]
        if any(sexes):
            frame["sex"] = sexes
    if "sex" not in frame:
        values, _ = _column(db, frame, tables, _SEX)
        if values is not None:
            frame["sex"] = [None if pd.isna(v) else str(v) for v in values]
    codes, scheme = _column(db, frame, tables, _TEXT)
    if codes is not None:
        # Some databases store a code per sentence, and the text in the scheme.
        texts = _described(db, scheme)
        frame["sentence"] = [None if pd.isna(code) else str(code) for code in codes]
        texts = {
            code: _property(text, _TEXT) if isinstance(text, dict) else text
            for code, text in texts.items()
        }
        frame["transcript"] = [
            texts.get(code, code) if isinstance(texts.get(code, code), str) else None
            for code in codes
        ]
    scales = set()
    for dimension, names in DIMENSIONS.items():
        values, scheme = _column(db, frame, tables, names)
        if values is not None:
            scales.add(_scale(scheme))
            frame[dimension] = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(float)
    whole = frame["start"].fillna(0).eq(0).all() and frame["end"].isna().all()
    return (frame.drop(columns=["start", "end"]) if whole else frame), scales


def _scale(scheme):
    """Return the lowest and highest value of a scheme, or None if they are unknown."""
    if scheme is None or None in (scheme.minimum, scheme.maximum):
        return None
    return float(scheme.minimum), float(scheme.maximum)


def _column(db, frame, tables, names):
    """Return the values in the columns with one of these names, and their scheme.

    A table of segments describes only the same segments; a table of files describes every
    segment of each file. Columns of another scheme than the first one with values are left out;
    names without a scheme are the same names, but ratings without one have an unknown scale.
    """
    rated = names in DIMENSIONS.values()
    found, schemes = pd.Series(None, index=frame.index, dtype=object), []
    for key in [*tables, *(key for key in db.tables if key not in tables)]:
        table = db[key]
        for name in names:
            if name not in table.columns:
                continue
            values = table.df[name].astype(object)
            if table.type == "filewise":
                wanted, there = list(frame["audio"]), list(values.index)
            else:
                wanted, there = row_keys(frame), row_keys(rows_of(values.index))
            known = dict(zip(there, values, strict=True))
            if table.type != "filewise":
                known = _of_whole_files(values) | known
            scheme = table.columns[name].scheme_id
            of_rows = pd.Series([known.get(one) for one in wanted], index=frame.index, dtype=object)
            if of_rows.isna().all():
                continue
            if schemes not in ([], [scheme]) and (rated or None not in (scheme, *schemes)):
                if key in tables:
                    warnings.warn(
                        f"{db.name}: the column {name!r} of table {key} has the scheme {scheme}, "
                        f"not {schemes[0]}, and is left out. Give both columns the same scheme.",
                        stacklevel=4,
                    )
                continue
            schemes = [scheme] if scheme is not None or not schemes else schemes
            found = found.where(found.notna(), of_rows)
    if not schemes:
        return None, None
    (scheme,) = schemes
    return found.tolist(), None if scheme is None else db.schemes[scheme]


def _of_whole_files(values):
    """Return the values of files whose segments all have the same one, by row key."""
    files = values.dropna().groupby(level="file")
    return {(file, -1.0, -1.0): of[0] for file, of in files.unique().items() if len(of) == 1}


def _described(db, scheme):
    """Return what a scheme says of each label, in itself or in the table that it refers to."""
    if scheme is None:
        return {}
    if isinstance(scheme.labels, str):
        return db[scheme.labels].df.to_dict("index")
    return scheme.labels if isinstance(scheme.labels, dict) else {}


def row_keys(rows):
    """Return each row as a tuple that can be compared with others."""
    # NaN is unequal to itself, so an open end needs another value.
    bounds = rows[["start", "end"]].fillna(-1.0)
    return list(zip(rows["audio"], bounds["start"], bounds["end"], strict=True))


def _property(about, names):
    """Return the first of these properties that a speaker has, or None."""
    if not isinstance(about, dict):
        return None
    return next((str(about[name]) for name in names if not pd.isna(about.get(name))), None)


def _existing(files, root, name):
    """Return the paths of the audio files, or raise FileNotFoundError if any is missing."""
    paths = {file: root / str(file) for file in files.unique()}
    missing = [str(file) for file, path in paths.items() if not path.is_file()]
    if missing:
        more = "" if len(missing) <= _SOME else f" and {len(missing) - _SOME} more"
        raise FileNotFoundError(
            f"{name}: {len(missing)} of {len(paths)} audio files are not in {root}: "
            f"{', '.join(missing[:_SOME])}{more}. Copy them there, or give their folder as root=."
        )
    return [str(paths[file]) for file in files]


def known_corpus(name):
    """Return the registry's entry for a database that audb publishes, or None."""
    matching = (info for info in CORPORA.values() if info.audb and info.audb.name == name)
    return next(matching, None)


def corpus_of(db, name, frame, summary, scales, votes=None):
    """Build the corpus of a database, with its license, citation and description.

    Parameters
    ----------
    db : audformat.Database
        Database that `frame` was taken from.
    name : str
        Name of the database.
    frame : DataFrame
        Utterance table.
    summary : str
        First paragraph of the corpus's description.
    scales : set of tuple or None
        Scales of the ratings, as `with_metadata` returns them.
    votes : DataFrame or None, default=None
        Votes of the raters, by position in `frame`.

    Returns
    -------
    SpeechCorpus
    """
    known = known_corpus(name)
    about = "\n\n".join(filter(None, (db.description, db.source and f"Source: {db.source}")))
    for dimension, names in DIMENSIONS.items():
        if votes is not None and dimension in votes:
            scales = scales | {_scale(db.schemes[one]) for one in names if one in db.schemes}
    return labeled_corpus(
        frame,
        "",
        name,
        "row",
        name if known is None else known.name,
        check_times=True,
        license=" ".join(filter(None, (db.license, db.license_url))) or "unknown",
        citation=known.citation if known is not None else (db.author or ""),
        description=f"{summary}\n\n{about}\n",
        dimension_range=next(iter(scales)) if len(scales) == 1 else None,
        votes=votes,
    )
