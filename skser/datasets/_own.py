"""A user's own data: a table, or a folder per class."""

import os
from pathlib import Path

import pandas as pd

from skser.datasets._corpus import SpeechCorpus, finish
from skser.datasets._files import audio_files, existing_folder, walk_files


def load_table(table, *, root=None, name="table", return_X_y=False):
    """Load a corpus from an utterance table.

    Parameters
    ----------
    table : path-like or DataFrame
        A CSV file, or a frame, with columns ``audio`` (a path per utterance) and
        ``emotion``, and optionally ``speaker``, ``sex``, ``sentence``, ``transcript``,
        ``valence``, ``activation``, ``dominance`` and others, which are kept.
    root : path-like or None, default=None
        Folder that relative paths start from; None means that of the CSV file, or the
        working directory for a frame.
    name : str, default="table"
        The corpus's name.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    SpeechCorpus

    Raises
    ------
    FileNotFoundError
        If the CSV file is missing, or naming every audio file that is.
    ValueError
        If a column is missing, or an utterance has no emotion.

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
    if isinstance(table, pd.DataFrame):
        frame = table.copy()
        root = Path(root or ".")
    else:
        if not Path(table).is_file():
            raise FileNotFoundError(f"There is no table {table}.")
        frame = pd.read_csv(table, dtype={"speaker": str, "sentence": str})
        root = Path(root or Path(table).parent)
    missing = [column for column in ("audio", "emotion") if column not in frame]
    if missing:
        raise ValueError(f"The table lacks the columns {missing}; it has {list(frame.columns)}.")
    for column in ("audio", "emotion"):
        empty = frame.index[frame[column].isna()].tolist()
        if empty:
            raise ValueError(f"The table has no {column} in rows {empty[:10]}.")
    frame["audio"] = [str(root / os.fspath(audio)) for audio in frame["audio"]]
    frame["emotion"] = frame["emotion"].astype(str)
    gone = [audio for audio in frame["audio"] if not Path(audio).is_file()]
    if gone:
        more = f" and {len(gone) - 10} more" if len(gone) > 10 else ""
        raise FileNotFoundError(
            f"{len(gone)} of {len(frame)} audio files are missing: {', '.join(gone[:10])}{more}."
        )
    labels = {label: label for label in sorted(frame["emotion"].unique())}
    return finish(SpeechCorpus(frame, name, labels), return_X_y)


def load_folder(root, *, return_X_y=False):
    """Load a corpus from a folder that holds a folder per class.

    Speakers are unknown: to evaluate across speakers, name them in a table (`load_table`).

    Parameters
    ----------
    root : path-like
        ``root/<emotion>/.../<any>.wav``; FLAC, OGG, MP3 and AIFF as well.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    SpeechCorpus

    Raises
    ------
    FileNotFoundError
        If `root` is no folder, has no folders in it, or naming those without audio.
    ValueError
        If a file is a placeholder of Git LFS.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skser.datasets import load_folder
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("anger/a.wav", "neutral/b.wav"):
    ...     (root / name).parent.mkdir()
    ...     (root / name).touch()
    >>> load_folder(root).target.tolist()
    ['anger', 'neutral']
    """
    root = existing_folder(root)
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not folders:
        raise FileNotFoundError(f"{root} holds no folders; one per class is expected.")
    rows, empty = [], []
    for folder in folders:
        files = audio_files(walk_files(folder))
        rows += [{"audio": str(file), "emotion": folder.name} for file in files]
        if not files:
            empty.append(folder.name)
    if empty:
        raise FileNotFoundError(f"{root}: no audio files in the folders {', '.join(empty)}.")
    labels = {folder.name: folder.name for folder in folders}
    return finish(SpeechCorpus(pd.DataFrame(rows), root.name, labels), return_X_y)
