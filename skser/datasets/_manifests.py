"""Lists of utterances that other toolkits of the field write: EmoBox and nkululeko."""

import json
import re
from pathlib import Path

import pandas as pd

from skser.datasets._corpus import finish
from skser.datasets._files import walk_files
from skser.datasets._own import labeled_corpus
from skser.datasets._table_file import as_values, decoded, read_any_table

_SPLITS = {"train": "train", "dev": "dev", "valid": "dev", "val": "dev", "test": "test"}
_PARENTS = 4  # EmoBox's lists lie up to four folders below the one that their paths start from
_KEYS = {"wav": "audio", "emo": "emotion", "start_time": "start", "end_time": "end",
         "key": "utterance"}  # fmt: skip
_LEFT_OUT = ("type", "sample_rate", "num_frame", "task", "length", "channel")  # of the file


def load_emobox(path, *, root=None, label_map=None, return_X_y=False):
    """Load a corpus from EmoBox's metadata.

    Parameters
    ----------
    path : path-like or list of path-like
        ``.jsonl`` files, or a folder of them such as ``data/cafe/fold_1``. Where files are named
        ``…_train_…``, ``…_valid_…`` and ``…_test_…``, the column ``split`` says train, dev or
        test.
    root : path-like or None, default=None
        Folder that the paths in them start from; None means the nearest folder above the file
        that holds the first recording.
    label_map : dict or None, default=None
        Names of the labels' codes. None takes those of ``label_map.json`` beside the file or one
        folder above, and the codes themselves where there is none.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    SpeechCorpus
        With the columns ``utterance``, ``dataset`` and ``split``. EmoBox does not say who
        speaks; entries with a key ``speaker`` have one.

    Raises
    ------
    FileNotFoundError
        If a file or a recording is missing.
    ValueError
        If a line is not a JSON object, lacks ``wav`` or ``emo``, has a code that `label_map` does
        not name, or times beyond the recording, naming the line.

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
    files = _files(path, ".jsonl")
    frame = pd.concat([_emobox_rows(file, label_map, len(files)) for file in files])
    name = frame["dataset"].iloc[0] if "dataset" in frame else files[0].stem
    if root is None:
        first = str(frame["audio"].iloc[0])
        above = [files[0].parent, *files[0].absolute().parents][: _PARENTS + 1]
        root = next((folder for folder in above if (folder / first).is_file()), files[0].parent)
    _check_unique(frame, _called(files))
    corpus = labeled_corpus(frame, root, _called(files), "line", str(name), check_times=True)
    return finish(corpus, return_X_y)


def load_nkululeko(path, *, target="emotion", root=None, return_X_y=False):
    r"""Load a corpus from the CSV files of nkululeko.

    Parameters
    ----------
    path : path-like or list of path-like
        CSV files with the columns ``file`` and `target`, and optionally ``start``, ``end``,
        ``speaker``, ``gender`` and others, or a folder of them. Where files are named
        ``…_train``, ``…_dev`` and ``…_test``, the column ``split`` says so.
    target : str, default="emotion"
        Column with the label, ``target`` of nkululeko's configuration.
    root : path-like or None, default=None
        Folder that relative paths start from; None means that of the CSV file, which is
        nkululeko's ``absolute_path = False``.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    SpeechCorpus
        ``gender`` becomes ``sex``.

    Raises
    ------
    FileNotFoundError
        If a CSV file or a recording is missing.
    ValueError
        If a column or a label is missing, or a time cannot be understood or lies beyond the
        recording, naming the line.

    See Also
    --------
    load_table : CSV files of any column names.

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
                f"{file} lacks the columns {missing}; it has {list(table.columns)}: name the "
                "label's with target=."
            )
        # A second column of a name that is used here would be taken for it.
        table = (
            table.drop(columns="emotion") if target != "emotion" and "emotion" in table else table
        )
        table = table.rename(columns={"file": "audio", target: "emotion", "gender": "sex"})
        frames.append(_with_split(as_values(table), file, len(files)))
    root = files[0].parent if root is None else root
    frame = pd.concat(frames)
    _check_unique(frame, _called(files))
    corpus = labeled_corpus(frame, root, _called(files), "line", files[0].stem, check_times=True)
    return finish(corpus, return_X_y)


def _files(path, suffix):
    """The files that are named, or those of a folder."""
    files = []
    for one in [path] if isinstance(path, str) or hasattr(path, "__fspath__") else path:
        one = Path(one).expanduser()
        if one.is_dir():
            inside = [file for file in walk_files(one) if file.suffix.lower() == suffix]
            if not inside:
                raise FileNotFoundError(f"{one} holds no file that ends in {suffix}.")
            files += inside
        elif not one.is_file():
            raise FileNotFoundError(f"There is no file {one}.")
        else:
            files.append(one)
    if not files:
        raise ValueError("path is an empty list: name a file at least.")
    return files


def _check_unique(frame, where):
    """Refuse an utterance that is listed twice, as in several folds of one corpus."""
    same = [column for column in ("audio", "start", "end") if column in frame]
    twice = frame.duplicated(same)
    if twice.any():
        second = twice.to_numpy().argmax()
        rows = frame[same].astype(str)  # in which missing times are the same
        first = (rows == rows.iloc[second]).all(axis=1).to_numpy().argmax()
        raise ValueError(
            f"{where}: lines {frame.index[first]} and {frame.index[second]} are one utterance, "
            f"{frame['audio'].iloc[second]}: remove one, or give the files of a single fold."
        )


def _called(files):
    return str(files[0] if len(files) == 1 else files[0].parent)


def _with_split(frame, file, n_files):
    """The frame with the split in its file's name, and lines that name the file among several."""
    words = re.split(r"[\W_]+", file.stem.lower())
    splits = [_SPLITS[word] for word in words if word in _SPLITS]
    if splits and "split" not in frame:
        frame["split"] = splits[-1]
    if n_files > 1:
        frame.index = [f"{line} of {file.name}" for line in frame.index]
    return frame


def _emobox_rows(file, label_map, n_files):
    if label_map is None:
        places = [
            folder / "label_map.json" for folder in (file.parent, file.absolute().parent.parent)
        ]
        found = next((place for place in places if place.is_file()), None)
        label_map = json.loads(decoded(found)) if found is not None else None
    rows, lines = [], []
    for number, line in enumerate(decoded(file).splitlines(), 1):
        if line.strip():
            rows.append(_emobox_row(line, label_map, f"{file}, line {number}"))
            lines.append(number)
    if not rows:
        raise ValueError(f"{file} is empty: a JSON object per line and utterance is needed.")
    return _with_split(pd.DataFrame(rows, index=lines), file, n_files)


def _emobox_row(line, label_map, where):
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise ValueError(
            f"{where}: cannot be read as JSON ({error}): write an object per line."
        ) from None
    missing = [key for key in ("wav", "emo") if not isinstance(entry, dict) or key not in entry]
    if missing:
        raise ValueError(f"{where}: lacks {' and '.join(missing)}: write an object with both.")
    if label_map is not None:
        if entry["emo"] not in label_map:
            raise ValueError(
                f"{where}: label_map has no name for {entry['emo']!r}; it has "
                f"{sorted(label_map)}: add it."
            )
        entry["emo"] = label_map[entry["emo"]]
    return {_KEYS.get(key, key): value for key, value in entry.items() if key not in _LEFT_OUT}
