"""Databases published through audEERING's audb."""

import sys
from pathlib import Path

from skser._docstrings import insert_descriptions
from skser._optional import import_optional
from skser.datasets._audformat import (
    DIMENSIONS,
    chosen_tables,
    corpus_of,
    known_corpus,
    labels,
    row_keys,
    rows_of,
    with_metadata,
)
from skser.datasets._audformat_votes import rater_votes, votes_of_frame
from skser.datasets._corpus import finish
from skser.datasets._download import DownloadError, get_data_home, one_line_errors
from skser.datasets._parameters import SHARED


@insert_descriptions(SHARED)
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
    """Download an emotion database through audb and load it.

    audb (extra ``audb``) publishes databases with versions and checksums, among them EmoDB,
    CREMA-D, RAVDESS and nEMO; see https://audeering.github.io/datasets for a list. Only the
    audio files of the chosen tables are downloaded, after the license is printed, and later calls
    reuse them. To use other repositories, set ``audb.config.REPOSITORIES``.

    Parameters
    ----------
    name : str
        Name of the database, such as ``"emodb"``.
    version : str or None, default=None
        Version of the database, such as ``"1.4.1"``; None takes the newest. Give a version if
        results are to be reproducible.
    table : str, list of str or None, default=None
        Names of the tables with the labels, of whole files or of segments. None is enough for
        databases whose corpus has a loader in this package, and for databases in which only one
        table has the column `emotion`.
    emotion : str or list of str, default="emotion"
        Column of the tables with the label. A list names one column per rater, as in
        `load_audformat`.
    {data_home}
    {progressbar}
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with the database's license and, where the database has them, speakers, sexes,
        sentences, transcripts and the column ``split`` of ``frame``.

    Raises
    ------
    ImportError
        If audb is not installed.
    DownloadError
        If the database is not found, the connection fails, or the folder cannot be written or
        is full.
    ValueError
        If a table or column does not exist or must be named (the message lists those that
        exist), or if a segment reaches beyond its file.

    Warns
    -----
    UserWarning
        As `load_audformat`, such as for files without a label.

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
            # The labels come first: they say which audio files are needed at all.
            version = version or audb.latest_version(name)
            new = not (home / "audb" / name / version).exists()
            header = audb.load(
                name, version=version, only_metadata=True, full_path=False, **settings
            )
            known = None if corpus is None else corpus.audb.tables
            tables = chosen_tables(header, name, table, emotion, known, "emotion")
            frame = labels(header, name, tables, emotion)
            media = list(frame["audio"].unique())
            if new:
                license = f"{name} has the license {header.license}; see {header.source}"
                print(license, file=sys.stderr, flush=True)
            loaded = audb.load(name, version=version, tables=tables, media=media, **settings)
        except (RuntimeError, audbackend.BackendError) as error:
            places = ", ".join(f"{r.host}/{r.name}" for r in audb.config.REPOSITORIES)
            raise DownloadError(
                f"audb cannot find {name!r}{f' in version {version}' if version else ''} in "
                f"{places} ({error}). Check the name and the internet connection."
            ) from error
    keys = row_keys(frame)
    votes = rater_votes(header, tables, emotion, DIMENSIONS, row_keys, rows_of)
    frame, scales = with_metadata(header, frame, tables)
    frame["audio"] = [str(Path(loaded.root, file)) for file in frame["audio"]]
    summary = f"{name} {version}, as published by audb"
    corpus = corpus_of(header, name, frame, summary, scales, votes_of_frame(votes, keys))
    return finish(corpus, return_X_y)
