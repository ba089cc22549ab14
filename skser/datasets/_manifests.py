"""Lists of utterances in the formats of EmoBox and nkululeko."""

import json
import re
from pathlib import Path

import pandas as pd

from skser._docstrings import insert_descriptions
from skser.datasets._audio_files import walk_files
from skser.datasets._corpus import finish
from skser.datasets._own import labeled_corpus
from skser.datasets._parameters import SHARED
from skser.datasets._table_file import (
    as_values,
    decoded,
    lines_of,
    read_any_table,
    with_known_names,
)

_SPLITS = {"train": "train", "dev": "dev", "valid": "dev", "val": "dev", "test": "test"}
_PARENTS = 4  # EmoBox's paths start up to four folders above the list
_KEYS = {"wav": "audio", "emo": "emotion", "start_time": "start", "end_time": "end",
         "key": "utterance"}  # fmt: skip
# Properties of the audio file, not of the utterance.
_LEFT_OUT = ("type", "sample_rate", "num_frame", "task", "length", "channel")


@insert_descriptions(SHARED)
def load_emobox(path, *, root=None, label_map=None, return_X_y=False):
    """Load a corpus from EmoBox's metadata.

    Parameters
    ----------
    path : path-like or list of path-like
        ``.jsonl`` files, or a folder of them such as ``data/cafe/fold_1``. From file names with
        ``_train_``, ``_valid_`` or ``_test_`` in them, the column ``split`` becomes "train",
        "dev" or "test".
    root : path-like or None, default=None
        Folder that the paths in the files start from; None means the nearest folder above the
        first file in which the first recording is found.
    label_map : dict or None, default=None
        Emotion for each code, upper or lower case. None reads ``label_map.json`` in the folder of
        the file or in the folder above, and keeps the codes if neither exists.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Corpus with the columns ``utterance``, ``dataset`` and ``split``. EmoBox's own files have
        no speakers; they are read from a key ``speaker``, if entries have it.

    Raises
    ------
    FileNotFoundError
        If a file or a recording does not exist.
    ValueError
        If a line is not a JSON object, lacks ``wav`` or ``emo`` as text, has a code that is not in
        `label_map`, or has times beyond its recording; the message names the line.

    References
    ----------
    .. [1] Ma et al. (2024). EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit
       and Benchmark. Interspeech, 1580-1584.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> import numpy as np, soundfile
    >>> from skser.datasets import load_emobox
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> soundfile.write(folder / "a.wav", np.zeros(16000), 16000)
    >>> _ = (folder / "mine_train_fold_1.jsonl").write_text(
    ...     json.dumps({"key": "mine-a", "dataset": "mine", "wav": "a.wav", "emo": "c"})
    ... )
    >>> _ = (folder / "label_map.json").write_text('{"c": "Angry"}')
    >>> load_emobox(folder).frame[["emotion", "split"]].values.tolist()
    [['Angry', 'train']]
    """
    files = _without_earlier_lists(_files(path, ".jsonl"))
    frame = pd.concat([_emobox_rows(file, label_map, len(files)) for file in files])
    name = frame["dataset"].iloc[0] if "dataset" in frame else files[0].stem
    if root is None:
        first = str(frame["audio"].iloc[0])
        above = [files[0].parent, *files[0].absolute().parents][: _PARENTS + 1]
        root = next((folder for folder in above if (folder / first).is_file()), files[0].parent)
    _check_unique(frame, _place(files))
    corpus = labeled_corpus(frame, root, _place(files), "line", str(name), check_times=True)
    return finish(corpus, return_X_y)


@insert_descriptions(SHARED)
def load_nkululeko(path, *, target="emotion", root=None, return_X_y=False):
    r"""Load a corpus from the CSV files of nkululeko.

    Parameters
    ----------
    path : path-like or list of path-like
        CSV files, or a folder of them. The columns ``file`` and `target` are required;
        ``start``, ``end``, ``speaker``, ``gender`` and others are optional. From file names
        that end in ``_train``, ``_dev`` or ``_test``, the column ``split`` is filled.
    target : str, default="emotion"
        Column with the label: ``target`` in nkululeko's configuration.
    root : path-like or None, default=None
        Folder that relative paths start from; None means the folder of the first CSV file, as
        ``absolute_path = False`` in nkululeko.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Corpus whose column ``sex`` is nkululeko's ``gender``.

    Raises
    ------
    FileNotFoundError
        If a CSV file or a recording does not exist.
    ValueError
        If a column or a label is missing, or a time is invalid or beyond the recording; the
        message names the line.

    See Also
    --------
    load_table : Load a table with other column names.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, soundfile
    >>> from skser.datasets import load_nkululeko
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> soundfile.write(folder / "a.wav", np.zeros(32000), 16000)
    >>> _ = (folder / "mine_train.csv").write_text(
    ...     "file,start,end,emotion,speaker,gender\n"
    ...     "a.wav,0 days 00:00:00,0 days 00:00:01.500000,anger,ann,female\n"
    ... )
    >>> corpus = load_nkululeko(folder / "mine_train.csv")
    >>> corpus.frame[["end", "emotion", "sex", "split"]].values.tolist()
    [[1.5, 'anger', 'female', 'train']]
    """
    files = _files(path, ".csv")
    frames = []
    for file in files:
        table = read_any_table(file)
        missing = [column for column in ("file", target) if column not in table]
        if missing:
            raise ValueError(
                f"{file} lacks the columns {missing}; it has {list(table.columns)}. Choose the "
                "column of the label with target=."
            )
        # `target` is renamed to "emotion", which must not exist twice.
        table = (
            table.drop(columns="emotion") if target != "emotion" and "emotion" in table else table
        )
        new_names = {"file": "audio", target: "emotion"}
        if "audio" in table:
            raise ValueError(f"{file} has a column 'file' and a column 'audio'. Remove the latter.")
        if "sex" not in table and target != "gender":
            new_names["gender"] = "sex"
        table = with_known_names(table.rename(columns=new_names), str(file))
        frames.append(_with_split(table, file, len(files)))
    root = files[0].parent if root is None else root
    # Joined first, so that a column has values of one type.
    frame = as_values(pd.concat(frames).fillna(""))
    _check_unique(frame, _place(files))
    corpus = labeled_corpus(frame, root, _place(files), "line", files[0].stem, check_times=True)
    return finish(corpus, return_X_y)


def _files(path, suffix):
    """Return the given files, or those with the suffix in the given folders."""
    files = []
    for one in [path] if isinstance(path, str) or hasattr(path, "__fspath__") else path:
        one = Path(one).expanduser()
        if one.is_dir():
            inside = [file for file in walk_files(one) if file.suffix.lower() == suffix]
            if not inside:
                raise FileNotFoundError(f"{one} has no file that ends in {suffix}.")
            files += inside
        elif not one.is_file():
            raise FileNotFoundError(f"There is no file {one}.")
        else:
            files.append(one)
    if not files:
        raise ValueError("path is an empty list. Give at least one file.")
    return files


def _check_unique(frame, where):
    """Raise ValueError if an utterance occurs twice, as in several folds of one corpus."""
    same = [column for column in ("audio", "start", "end", "channel") if column in frame]
    twice = frame.duplicated(same)
    if twice.any():
        second = twice.to_numpy().argmax()
        rows = frame[same].astype(str)  # as text, because NaN is unequal to itself
        first = (rows == rows.iloc[second]).all(axis=1).to_numpy().argmax()
        raise ValueError(
            f"{where}: lines {frame.index[first]} and {frame.index[second]} are the same "
            f"utterance, {frame['audio'].iloc[second]}. Remove one of them, or give the files of "
            "a single fold."
        )


def _place(files):
    """Return the name of the files for messages: the only file, or their folder."""
    return str(files[0] if len(files) == 1 else files[0].parent)


def _with_split(frame, file, n_files):
    """Add the split in the name of the file, and the name to the index if there are several."""
    words = re.split(r"[\W_]+", file.stem.lower())
    splits = [_SPLITS[word] for word in words if word in _SPLITS]
    if splits and "split" not in frame:
        frame["split"] = splits[-1]  # earlier words may belong to the corpus's own name
    if n_files > 1:
        frame.index = [f"{line} of {file.name}" for line in frame.index]
    return frame


def _emobox_rows(file, label_map, n_files):
    """Read one JSON Lines file of EmoBox; the index holds line numbers."""
    if label_map is None:
        places = [
            folder / "label_map.json" for folder in (file.parent, file.absolute().parent.parent)
        ]
        found = next((place for place in places if place.is_file()), None)
        label_map = _label_map(found) if found is not None else None
    elif not isinstance(label_map, dict):
        raise TypeError(
            f"label_map is of type {type(label_map).__name__}. Give a dict from code to emotion."
        )
    rows, lines = [], []
    for number, line in enumerate(lines_of(decoded(file)), 1):
        if line.strip():
            rows.append(_emobox_row(line, label_map, f"{file}, line {number}"))
            lines.append(number)
    if not rows:
        raise ValueError(f"{file} is empty. Write one JSON object per line for each utterance.")
    return _with_split(pd.DataFrame(rows, index=lines), file, n_files)


def _label_map(file):
    """Read a label map, or raise ValueError if the file is not one."""
    try:
        label_map = json.loads(decoded(file))
    except ValueError as error:
        raise ValueError(f"{file} cannot be read as JSON ({error}). Correct it.") from None
    if not isinstance(label_map, dict):
        raise ValueError(f"{file} is not a JSON object. Write one from code to emotion.")
    return label_map


def _without_earlier_lists(files):
    """Leave out lists in an earlier format (..._fold1.jsonl) where EmoBox has later ones as well.

    EmoBox's folders of EmoDB have both.
    """
    later = [file for file in files if "_fold_" in file.name]
    earlier = {file.with_name(file.name.replace("_fold_", "_fold")) for file in later}
    return [file for file in files if file not in earlier]


def _emobox_row(line, label_map, where):
    """Read the JSON object of an utterance."""
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise ValueError(
            f"{where}: cannot be read as JSON ({error}). Write one object per line."
        ) from None
    missing = [key for key in ("wav", "emo") if not isinstance(entry, dict) or key not in entry]
    if missing:
        raise ValueError(
            f"{where}: lacks {' and '.join(missing)}. Write an object with wav and emo."
        )
    for key, kinds in {"wav": str, "emo": str | int | float}.items():
        if not isinstance(entry[key], kinds):
            raise ValueError(
                f"{where}: {key}={entry[key]!r} is not {'a path' if key == 'wav' else 'a label'}. "
                "Write it as text."
            )
    if label_map is not None:
        # EmoBox's own maps and lists differ in case: the map of EmoDB has "Neutral".
        emotion_of = {str(label).lower(): emotion for label, emotion in label_map.items()}
        emotion = label_map.get(entry["emo"], emotion_of.get(str(entry["emo"]).lower()))
        if emotion is None:
            raise ValueError(
                f"{where}: label_map has no emotion for {entry['emo']!r}, only for "
                f"{sorted(label_map)}. Add it."
            )
        entry["emo"] = emotion
    kept = [key for key in entry if key not in _LEFT_OUT]
    for key in kept:
        ours = _KEYS.get(key, key)
        if ours != key and ours in kept:
            raise ValueError(
                f"{where}: has both {key!r} and {ours!r}, which would be one column. Remove the "
                "latter."
            )
    return {_KEYS.get(key, key): entry[key] for key in kept}
