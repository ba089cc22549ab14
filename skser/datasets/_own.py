"""A user's own corpora, from a table or from a folder per class."""

import mimetypes
import os
import re
import unicodedata
import warnings
from pathlib import Path

import pandas as pd
import soundfile

from skser._docstrings import insert_descriptions
from skser._wording import counted
from skser.audio import (
    PART_COLUMNS,
    Utterance,
    seconds,
    table_rows,
    with_index_columns,
)
from skser.datasets._audio_files import (
    READABLE_SUFFIXES,
    audio_files,
    existing_folder,
    is_hidden,
    walk_files,
)
from skser.datasets._corpus import SpeechCorpus, finish
from skser.datasets._parameters import SHARED
from skser.datasets._spellings import as_names, merged_spellings
from skser.datasets._table_checks import (
    SOME,
    check_intervals,
    check_ratings,
    real_paths,
    require_unique_columns,
    warn_of_copies,
    warn_of_overlaps,
)
from skser.datasets._table_file import (
    TEXT_COLUMNS,
    as_values,
    read_any_table,
    with_known_names,
)

_SETS = {"train", "training", "dev", "val", "valid", "validation", "test", "testing", "eval"}


@insert_descriptions(SHARED)
def load_table(table, *, root=None, name="table", dimension_range=None, return_X_y=False):
    r"""Load a corpus from an utterance table.

    Parameters
    ----------
    table : path-like or DataFrame
        CSV file or frame with one row per utterance. The columns ``audio`` (path of the file)
        and ``emotion`` are required. Optional columns are ``start`` and ``end`` in seconds and
        ``channel``, for utterances that are parts of their files, and ``speaker``, ``sex``,
        ``sentence``, ``transcript``, ``valence``, ``activation`` and ``dominance``. Any other
        columns are kept. A frame may have an audformat index (``file``, ``start``, ``end``)
        instead of the column ``audio``. The delimiter of a CSV file (comma, semicolon or tab)
        and its encoding (UTF-8, UTF-16 or cp1252) are detected.
    root : path-like or None, default=None
        Folder that relative paths start from; None means the folder of the CSV file, or the
        working directory for a frame.
    name : str, default="table"
        Name of the corpus.
    dimension_range : tuple of two floats or None, default=None
        Lowest and highest value of the scale of valence, activation and dominance, such as
        (1, 5); None if it is unknown or nothing is rated.
    {return_X_y}

    Returns
    -------
    SpeechCorpus

    Raises
    ------
    FileNotFoundError
        If the CSV file or audio files do not exist; the message names the first ten.
    ValueError
        If the table has no rows, a column is missing or there twice, an utterance has no emotion,
        or a time, channel or rating is invalid; the message names the row.

    Warns
    -----
    UserWarning
        If columns with other usual names (``file``, ``label``, ``speaker_id``, …) were taken
        for the columns above, if emotions, speakers or sexes that differ only in case, spaces or
        notation (1 and "1.0") were merged, or if files occur several times or their utterances
        overlap.

    Notes
    -----
    Text is stripped of surrounding spaces, and empty rows are dropped. In columns of names,
    "NA" and "None" are text, not missing values, and whole numbers become text: both 1 and 1.0
    become "1". Paths may have backslashes, a leading ``~``, and either Unicode normal form. Times
    are compared with the length of the file only when an utterance is read.

    Examples
    --------
    >>> import pandas as pd, pathlib, tempfile
    >>> from skser.datasets import load_table
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "a.wav").touch()
    >>> (folder / "b.wav").touch()
    >>> table = pd.DataFrame(
    ...     {"audio": ["a.wav", "b.wav"], "emotion": ["anger", "neutral"], "speaker": ["x", "y"]}
    ... )
    >>> load_table(table, root=folder)
    SpeechCorpus table: 2 utterances, 2 speakers, 2 emotions
    emotion  anger  neutral  all
    speaker
    x            1        0    1
    y            0        1    1
    all          1        1    2
    """
    frame, root, where, unit = _read(table, root)
    frame = with_known_names(frame, where)
    if unit == "line":
        frame = as_values(frame)
    corpus = labeled_corpus(frame, root, where, unit, name, dimension_range=dimension_range)
    return finish(corpus, return_X_y)


def read_utterances(table):
    """Read the utterances of a table without using any labels in it.

    Parameters
    ----------
    table : path-like
        CSV file as for `load_table`. Its columns ``audio``, ``start``, ``end`` and ``channel`` are
        used, and its errors are those of `load_table`, except that files may be missing: reading
        them raises an error then.

    Returns
    -------
    list of str or Utterance
    """
    frame, root, where, unit = _read(table, None)
    frame = as_values(with_known_names(frame, where))
    _require_values(frame, ["audio"], where, unit)
    frame = _with_parts(frame, where, unit)
    frame["audio"] = _found(frame["audio"], root, where, unit, required=False)
    return table_rows(frame)


def _require_values(frame, columns, where, unit):
    """Raise ValueError if a column is missing or has empty cells."""
    missing = [column for column in columns if column not in frame]
    if missing:
        raise ValueError(f"{where} lacks the columns {missing}; it has {list(frame.columns)}.")
    for column in columns:
        empty = frame.index[frame[column].isna()].tolist()
        if empty:
            raise ValueError(
                f"{where} has no {column} in {unit}s {empty[:SOME]}. Fill in the values, or "
                "remove these rows."
            )


def labeled_corpus(frame, root, where, unit, name, check_times=False, **about):
    """Build a corpus from an utterance table whose columns have their final names.

    Parameters
    ----------
    frame : DataFrame
        Utterance table; its index gives the place of each row for messages.
    root : path-like
        Folder that relative paths start from.
    where : str
        Name of the table in messages.
    unit : str
        Word for a row in messages, such as "line".
    name : str
        Name of the corpus.
    check_times : bool, default=False
        If True, raise ValueError for times beyond their recording; this opens every file.
    **about : dict
        Further arguments for `SpeechCorpus`.

    Returns
    -------
    SpeechCorpus
    """
    root = Path(root).expanduser()
    for column in ("emotion", "speaker", "sex", "sentence"):
        if column in frame:
            frame[column] = as_names(frame[column])
    _require_values(frame, ["audio", "emotion"], where, unit)
    frame["emotion"] = frame["emotion"].astype(str)
    for column in ("emotion", "speaker", "sex"):
        if column in frame:
            frame[column] = merged_spellings(frame[column], column, where)
    frame = _with_parts(frame, where, unit)
    for column in ("valence", "activation", "dominance"):
        if column in frame:
            check_ratings(frame[column], column, where, unit)
    frame["audio"] = _found(frame["audio"], root, where, unit)
    labels = {label: label for label in sorted(frame["emotion"].unique())}
    if check_times:
        check_intervals(frame, where, unit)
    corpus = SpeechCorpus(frame, name, **{"label_map": labels, **about})
    warn_of_overlaps(corpus, frame.index, where, unit)
    return corpus


def _read(table, root):
    """Return the frame, the folder that paths start from, and the words for table and row."""
    if not isinstance(table, pd.DataFrame):
        if not isinstance(table, str | os.PathLike):
            raise TypeError(
                f"table is of type {type(table).__name__}. Give the path of a CSV file, or a "
                "pandas DataFrame."
            )
        table = Path(table).expanduser()
        if table.is_dir():
            raise FileNotFoundError(f"{table} is a folder, not a table. Use load_folder for it.")
        if not table.is_file():
            raise FileNotFoundError(f"The table {table} does not exist. Check the path.")
        root = table.parent if root is None else Path(root)
        return read_any_table(table), root, str(table), "line"
    require_unique_columns(table, "The table")
    frame = with_index_columns(table).reset_index(drop=True)
    if frame.empty and len(frame.columns):
        raise ValueError(
            f"The table has the columns {list(frame.columns)} but no rows. Give one row per "
            "utterance."
        )
    for column in set(TEXT_COLUMNS) & set(frame):
        # Integers with gaps are floats in pandas, but the speaker 1 is not "1.0".
        if pd.api.types.is_float_dtype(frame[column]) and (frame[column].dropna() % 1 == 0).all():
            frame[column] = frame[column].astype("Int64").astype(object)
    for column in frame:
        if frame[column].dtype == object or pd.api.types.is_string_dtype(frame[column]):
            cells = [c.strip() if isinstance(c, str) else c for c in frame[column]]
            cells = [None if isinstance(c, str) and not c else c for c in cells]
            frame[column] = pd.Series(cells, index=frame.index, dtype=object)
    return frame.dropna(how="all"), Path("." if root is None else root), "The table", "row"


def _with_parts(frame, where, unit):
    """Convert times to seconds, compute ``end`` from ``duration``, and check channels."""
    if not {*PART_COLUMNS, "duration"} & set(frame.columns):
        return frame
    frame = frame.copy()
    for column in ("start", "end"):
        if column in frame:
            times = [
                _converted(seconds, cell, column, f"{where}, {unit} {i}")
                for i, cell in zip(frame.index, frame[column].astype(object), strict=True)
            ]
            frame[column] = pd.Series(times, index=frame.index, dtype=float)
    if "start" in frame and "duration" in frame:
        lasts = [
            _converted(seconds, cell, "duration", f"{where}, {unit} {i}")
            for i, cell in zip(frame.index, frame["duration"].astype(object), strict=True)
        ]
        lasts = pd.Series(lasts, index=frame.index, dtype=float)
        ends = frame["start"].fillna(0.0) + lasts
        frame["end"] = frame["end"].fillna(ends) if "end" in frame else ends
    if "channel" in frame:
        for i, cell in zip(frame.index, frame["channel"].astype(object), strict=True):
            # `Utterance` validates the channel when it is created.
            _converted(lambda c, _: Utterance("", channel=c), cell, "", f"{where}, {unit} {i}")
    return frame


def _converted(function, cell, column, where):
    """Return ``function(cell, column)``, or raise its error with the place of the cell."""
    try:
        return function(cell, column)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None


def _found(sources, root, where, unit, required=True):
    """Return the paths of the audio files; sources that are not paths stay as they are."""
    known, gone = {}, []
    for i, source in sources.items():
        if isinstance(source, str | os.PathLike) and source not in known:
            known[source] = _existing(root, os.fspath(source))
            if known[source] is None:
                gone.append((i, str(root / os.fspath(source))))
                known[source] = gone[-1][1]
    if gone and required:
        more = f" and {len(gone) - SOME} more" if len(gone) > SOME else ""
        listed = ", ".join(f"{unit} {i}: {path}" for i, path in gone[:SOME])
        raise FileNotFoundError(
            f"{where}: {len(gone)} of {len(sources)} audio files are missing: "
            f"{listed}{more}. Relative paths start from {root}; if that is wrong, give root=."
        )
    found = [
        known[source] if isinstance(source, str | os.PathLike) else source for source in sources
    ]
    return pd.Series(found, index=sources.index, dtype=object)


def _existing(root, source):
    """Return the path of a file under any spelling of its name, or None if there is no file."""
    for written in dict.fromkeys([source, source.replace("\\", "/")]):
        path = Path(written).expanduser() if written.startswith("~") else root / written
        # macOS tends to write names in decomposed form (NFD), other systems in composed form.
        for form in (None, "NFC", "NFD"):
            candidate = str(path) if form is None else unicodedata.normalize(form, str(path))
            if os.path.isfile(candidate):
                return candidate
            if os.path.isdir(candidate):
                raise ValueError(f"{candidate} is a folder, not an audio file. Give the files.")
    return None


@insert_descriptions(SHARED)
def load_folder(root, *, return_X_y=False):
    """Load a corpus from a folder with one subfolder per emotion.

    The speakers are unknown. To evaluate across speakers, list them in a table and use
    `load_table`.

    Parameters
    ----------
    root : path-like
        Folder with files such as ``root/<emotion>/.../<any>.wav``. Files are found by the usual
        suffixes of the formats that `skser.audio.load_audio` reads, including those that need the
        extra ``containers``.
    {return_X_y}

    Returns
    -------
    SpeechCorpus

    Raises
    ------
    FileNotFoundError
        If `root` is not a folder or has no subfolders, or if subfolders have no audio (the
        message names them).
    ValueError
        If a file is a placeholder of Git LFS or git-annex, or a link that leads nowhere.

    Warns
    -----
    UserWarning
        If subfolders are numbered, such as ``Actor_01``, as those of speakers are; if they are
        named like sets of a split, such as ``train``; if a single subfolder has subfolders; if
        files that may be audio are left out; or if a file occurs several times, by a link or in
        two formats.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skser.datasets import load_folder
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("anger/a.wav", "neutral/b.opus"):
    ...     (root / name).parent.mkdir()
    ...     (root / name).touch()
    >>> load_folder(root).target.tolist()
    ['anger', 'neutral']
    """
    root = existing_folder(root)
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not is_hidden(p.name))
    if not folders:
        raise FileNotFoundError(f"{root} has no subfolders; expected one per emotion.")
    files = sorted(file for file in root.iterdir() if not is_hidden(file.name))
    audio_files(files, READABLE_SUFFIXES)  # raises if a subfolder is a broken link
    rows, empty = [], []
    for folder in folders:
        inside = walk_files(folder)
        sounds = audio_files(inside, READABLE_SUFFIXES)
        rows += [{"audio": str(file), "emotion": folder.name} for file in sounds]
        files += sorted(set(inside) - set(sounds))
        if not sounds:
            empty.append(folder.name)
    if empty:
        raise FileNotFoundError(
            f"{root}: the subfolders {', '.join(empty)} contain no audio files. Remove them, or "
            "add files."
        )
    _warn_of_left_out(files, root)
    frame = pd.DataFrame(rows, dtype=object)  # strings of pandas hold no file names beyond UTF-8
    frame["emotion"] = merged_spellings(frame["emotion"], "emotion", str(root))
    labels = {label: label for label in frame["emotion"].unique()}
    _warn_of_other_folders(frame, root)
    corpus = SpeechCorpus(frame, root.name, labels)
    # The same recording in two formats, or a link to it.
    keys = [os.path.splitext(path)[0] for path in real_paths(corpus)]
    names = [os.path.relpath(path, root) for path in frame["audio"]]
    warn_of_copies(corpus, keys, names, "the files", str(root), "Keep one of each.")
    return finish(corpus, return_X_y)


def _warn_of_left_out(files, root):
    """Warn of audio that is not in a subfolder, or has an unknown suffix or none."""
    left_out = [file for file in files if file.is_file() and _may_be_audio(file)]
    if left_out:
        warnings.warn(
            f"{root}: {counted(len(left_out), 'file is', 'files are')} left out, such as "
            f"{os.path.relpath(left_out[0], root)}. Audio is expected in the subfolder of its "
            "emotion, with the suffix of its format.",
            stacklevel=3,
        )


def _may_be_audio(file):
    """Return whether a file is one of audio by its suffix or, if that is unknown, by content."""
    kind = mimetypes.guess_type(file.name)[0]
    if kind is not None:
        return kind.startswith(("audio/", "video/"))
    try:
        soundfile.info(file)
    except soundfile.LibsndfileError:
        return False
    return True


def _warn_of_other_folders(frame, root):
    """Warn if the subfolders seem to be those of speakers, sets or a whole corpus."""
    labels = list(frame["emotion"].unique())
    stems = {re.sub(r"\d+$", "", label) for label in labels}
    below = {Path(path).relative_to(root).parts[1] for path in frame["audio"]}
    deep = [part for part in sorted(below) if (root / labels[0] / part).is_dir()]
    if len(labels) > 1 and len(stems) == 1 and stems.isdisjoint({"", *labels}):
        seen, remedy = (
            "numbered speakers or sessions",
            "Use the loader of the corpus (load_corpus, ",
        )
        remedy += "or --corpus in a shell), or load_table."
    elif sets := [label for label in labels if label.casefold() in _SETS]:
        seen = f"sets of a split ({', '.join(sets)})"
        remedy = "Load each set with its own call of load_folder, or use load_table."
    elif len(labels) == 1 and deep:
        seen = f"a folder of a whole corpus, with the subfolders {', '.join(deep[:SOME])}"
        remedy = f"If these are the emotions, load {root / labels[0]}."
    else:
        return
    warnings.warn(
        f"{root}: its subfolders {', '.join(labels[:SOME])} are taken as emotions, but look like "
        f"{seen}. {remedy}",
        stacklevel=3,
    )
