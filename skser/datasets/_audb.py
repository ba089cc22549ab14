"""Databases that audEERING's audb publishes."""

from pathlib import Path

from skser._optional import import_optional
from skser.datasets._audformat import (
    chosen_tables,
    corpus_of,
    described,
    known_corpus,
    labels,
)
from skser.datasets._corpus import finish
from skser.datasets._download import DownloadError, get_data_home, one_line_errors


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
        The tables with the labels, of whole files or of segments. None will do for databases
        whose corpus has a loader here, and where one table alone has the column.
    emotion : str or list of str, default="emotion"
        The tables' column with the label; several are one per rater, as in `load_audformat`.
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

    home, corpus = get_data_home(data_home), known_corpus(name)
    settings = {"cache_root": str(home / "audb"), "verbose": progressbar}
    with one_line_errors(f"the database {name!r}", home):
        try:
            version = version or audb.latest_version(name)
            header = audb.load(
                name, version=version, only_metadata=True, full_path=False, **settings
            )
            known = None if corpus is None else corpus.audb.tables
            tables = chosen_tables(header, name, table, emotion, known, "emotion")
            frame = labels(header, name, tables, emotion)
            media = list(frame["audio"].unique())
            loaded = audb.load(name, version=version, tables=tables, media=media, **settings)
        except (RuntimeError, audbackend.BackendError) as error:
            places = ", ".join(f"{r.host}/{r.name}" for r in audb.config.REPOSITORIES)
            raise DownloadError(
                f"audb does not find {name!r}{f' in version {version}' if version else ''} in "
                f"{places} ({error}). Is the name right, and this machine online?"
            ) from error
    frame = described(header, frame)
    frame["audio"] = [str(Path(loaded.root, file)) for file in frame["audio"]]
    summary = f"{name} {version}, as published by audb"
    return finish(corpus_of(header, name, frame, summary), return_X_y)
