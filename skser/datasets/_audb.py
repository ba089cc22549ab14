"""Databases that audEERING's audb publishes."""

import re
import warnings
from pathlib import Path

import pandas as pd

from skser._optional import import_optional
from skser.datasets._corpus import SpeechCorpus, finish
from skser.datasets._download import DownloadError, get_data_home, one_line_errors
from skser.datasets._registry import CORPORA

# Columns of a speaker's properties, and of what was said, under the names that databases use.
_SEX = ("sex", "gender")
_TEXT = ("transcription", "transcript", "text")


def fetch_audb(
    name,
    version=None,
    *,
    table=None,
    emotion="emotion",
    data_home=None,
    progressbar=False,
    return_X_y=False,
):
    """Download an emotion database through audb, once, and load it.

    audb (extra ``audb``) publishes databases with versions and checksums, EmoDB, CREMA-D,
    RAVDESS and nEMO among them; https://audeering.github.io/datasets lists them. Only the
    audio of the chosen tables is downloaded. Repositories of one's own are set in
    ``audb.config.REPOSITORIES``.

    Parameters
    ----------
    name : str
        The database, such as ``"emodb"``.
    version : str or None, default=None
        Such as ``"1.4.1"``; None takes the newest. State it where results are to be repeated.
    table : str, list of str or None, default=None
        The tables with the labels, of whole files. None will do for databases whose corpus has
        a loader here, and where one table alone has the column.
    emotion : str, default="emotion"
        The tables' column with the label.
    data_home : path-like or None, default=None
        Folder for downloads; None means that of `get_data_home`.
    progressbar : bool, default=False
        Whether to show one.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    SpeechCorpus
        Paths, with the database's licence and, where it tells them, speakers, sexes, sentences
        and transcripts and, in ``frame``, ``split``.

    Raises
    ------
    ImportError
        If audb is not installed.
    DownloadError
        If the database is not found or there is no connection, or the folder cannot be written
        or is full.
    ValueError
        If the tables or the column are not there, or must be named: the message lists them.

    Warns
    -----
    UserWarning
        If files have no label: they are left out.

    Examples
    --------
    >>> from skser.datasets import fetch_audb
    >>> corpus = fetch_audb("emodb", "1.4.1")  # doctest: +SKIP
    """
    audb = import_optional("audb", extra="audb", purpose="fetch_audb")
    import audbackend

    home = get_data_home(data_home)
    settings = {"cache_root": str(home / "audb"), "verbose": progressbar}
    with one_line_errors(f"the database {name!r}", home):
        try:
            version = version or audb.latest_version(name)
            header = audb.load(
                name, version=version, only_metadata=True, full_path=False, **settings
            )
            tables = _tables(header, name, table, emotion)
            frame = _labels(header, name, tables, emotion)
            loaded = audb.load(
                name, version=version, tables=tables, media=list(frame["audio"]), **settings
            )
        except (RuntimeError, audbackend.BackendError) as error:
            places = ", ".join(f"{r.host}/{r.name}" for r in audb.config.REPOSITORIES)
            raise DownloadError(
                f"audb does not find {name!r}{f' in version {version}' if version else ''} in "
                f"{places} ({error}). Is the name right, and this machine online?"
            ) from error
    frame = _describe(header, frame)
    frame["audio"] = [str(Path(loaded.root, file)) for file in frame["audio"]]
    return finish(_corpus(header, name, version, frame), return_X_y)


def _tables(db, name, table, emotion):
    """The tables to take labels from."""
    there = "; ".join(f"{key}: {', '.join(db[key].columns)}" for key in db.tables)
    known = _known(name)
    if table is not None:
        chosen = [table] if isinstance(table, str) else list(table)
        unknown = [key for key in chosen if key not in db.tables]
        if unknown:
            raise ValueError(f"{name} has no table {unknown}; its tables and columns: {there}.")
    elif known is not None:
        chosen = [key for key in db.tables if re.fullmatch(known.audb.tables, key)]
    else:
        chosen = [key for key in db.tables if emotion in db[key].columns]
        if len(chosen) > 1:
            chosen = []
    if not chosen:
        raise ValueError(
            f"{name}: name the labels' table with table= and their column with emotion=; "
            f"its tables and columns: {there}."
        )
    for key in chosen:
        if emotion not in db[key].columns:
            raise ValueError(
                f"{name}: table {key} has no column {emotion!r}; it has "
                f"{', '.join(db[key].columns)}. Choose with emotion=."
            )
        if db[key].type != "filewise":
            raise ValueError(
                f"{name}: table {key} labels segments of files; only labels of whole files can "
                f"be used. Tables and columns: {there}."
            )
    return chosen


def _labels(db, name, tables, emotion):
    """File, emotion and split of each labeled file."""
    parts = []
    for key in tables:
        labels = db[key].df[emotion]
        part = pd.DataFrame({"audio": labels.index, "emotion": labels.astype(object).to_numpy()})
        if db[key].split_id is not None:
            part["split"] = db[key].split_id
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True).drop_duplicates(["audio", "emotion"])
    unlabeled = frame["emotion"].isna()
    if unlabeled.all():
        raise ValueError(f"{name}: the column {emotion!r} of {', '.join(tables)} is empty.")
    if unlabeled.any():
        warnings.warn(
            f"{name}: {unlabeled.sum()} of {len(frame)} files have no label and are left out.",
            stacklevel=3,
        )
    frame = frame[~unlabeled]
    twice = frame["audio"][frame["audio"].duplicated()]
    if len(twice):
        raise ValueError(f"{name}: {twice.iloc[0]} has different labels in {', '.join(tables)}.")
    return frame.astype({"emotion": str}).reset_index(drop=True)


def _describe(db, frame):
    """The frame with what the database tells of speakers and of what was said."""
    speakers, scheme = _column(db, frame["audio"], ("speaker",))
    if speakers is not None:
        frame["speaker"] = [None if pd.isna(s) else str(s) for s in speakers]
        about = scheme.labels if scheme is not None and isinstance(scheme.labels, dict) else {}
        sexes = [_property(about.get(speaker), _SEX) for speaker in speakers]
        if any(sexes):
            frame["sex"] = sexes
    if "sex" not in frame:
        values, _ = _column(db, frame["audio"], _SEX)
        if values is not None:
            frame["sex"] = [None if pd.isna(v) else str(v) for v in values]
    said, scheme = _column(db, frame["audio"], _TEXT)
    if said is not None:
        texts = scheme.labels if scheme is not None and isinstance(scheme.labels, dict) else {}
        frame["sentence"] = [None if pd.isna(code) else str(code) for code in said]
        frame["transcript"] = [
            texts.get(code, code) if isinstance(texts.get(code, code), str) else None
            for code in said
        ]
    return frame


def _column(db, files, names):
    """Values of the files in the first filewise column of one of these names, and its scheme."""
    for key in db.tables:
        if db[key].type != "filewise":
            continue
        for name in names:
            if name in db[key].columns:
                values = db[key].df[name].astype(object)
                if not set(files).isdisjoint(values.index):
                    scheme_id = db[key].columns[name].scheme_id
                    scheme = db.schemes[scheme_id] if scheme_id is not None else None
                    return values.reindex(files).tolist(), scheme
    return None, None


def _property(about, names):
    """The first of these properties of a speaker, or None."""
    if not isinstance(about, dict):
        return None
    return next((str(about[name]) for name in names if about.get(name) is not None), None)


def _known(name):
    """What is known here of a database, or None."""
    matching = (info for info in CORPORA.values() if info.audb and info.audb.name == name)
    return next(matching, None)


def _corpus(db, name, version, frame):
    known = _known(name)
    said = "\n\n".join(filter(None, (db.description, db.source and f"Source: {db.source}")))
    return SpeechCorpus(
        frame,
        name if known is None else known.name,
        {label: label for label in sorted(frame["emotion"].unique())},
        license=" ".join(filter(None, (db.license, db.license_url))) or "unknown",
        citation=known.citation if known is not None else (db.author or ""),
        description=f"{name} {version}, as published by audb\n\n{said}\n",
    )
