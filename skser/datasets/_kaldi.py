"""Data folders of Kaldi and ESPnet."""

import math
import warnings
from pathlib import Path

import pandas as pd

from skser._docstrings import insert_descriptions
from skser.datasets._audio_files import existing_folder
from skser.datasets._corpus import finish
from skser.datasets._own import labeled_corpus
from skser.datasets._parameters import SHARED
from skser.datasets._table_file import decoded, lines_of

_SEXES = {"f": "female", "m": "male"}


@insert_descriptions(SHARED)
def load_kaldi(path, *, labels="utt2emo", root=None, return_X_y=False):
    r"""Load a corpus from a data folder of Kaldi or ESPnet.

    Parameters
    ----------
    path : path-like
        Folder with ``wav.scp`` and a file of labels, and optionally ``segments``, ``utt2spk``,
        ``spk2gender`` and ``text``.
    labels : str, default="utt2emo"
        Name of the file with one emotion per utterance. ESPnet writes it as ``"text"``.
    root : path-like or None, default=None
        Folder that the relative paths in ``wav.scp`` start from. None tries the working
        directory first, as Kaldi does, and then the data folder.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Corpus with the additional columns ``utterance`` and ``recording``.

    Raises
    ------
    FileNotFoundError
        If the folder, a required file in it or a recording does not exist.
    ValueError
        If a recording is a command, a line is invalid, a name occurs twice or is unknown, or a
        segment reaches beyond its recording; the message names file and line.

    Warns
    -----
    UserWarning
        If utterances have no label (they are left out), if ``utt2spk`` lacks some of them, or if
        utterances of one recording overlap.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, soundfile
    >>> from skser.datasets import load_kaldi
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> soundfile.write(folder / "call.wav", np.zeros(32000), 16000)
    >>> for name, text in {
    ...     "wav.scp": "call call.wav",
    ...     "segments": "ann-1 call 0.0 0.8\nbob-1 call 1.0 2.0",
    ...     "utt2spk": "ann-1 ann\nbob-1 bob",
    ...     "utt2emo": "ann-1 neutral\nbob-1 anger",
    ... }.items():
    ...     _ = (folder / name).write_text(text)
    >>> load_kaldi(folder).frame[["start", "end", "speaker", "emotion"]].values.tolist()
    [[0.0, 0.8, 'ann', 'neutral'], [1.0, 2.0, 'bob', 'anger']]
    """
    folder = existing_folder(path)
    recordings = _entries(folder / "wav.scp")
    emotions = _labels(folder, labels)
    segments = folder / "segments"
    if segments.is_file():
        frame = _segments(segments, recordings)
    else:
        frame = pd.DataFrame(
            [{"utterance": name, "recording": name} for name in recordings],
            index=[line for line, _ in recordings.values()],
        )
        segments = folder / "wav.scp"
    frame["audio"] = [_path(folder, root, name, recordings[name]) for name in frame["recording"]]
    unknown = [name for name in emotions if name not in set(frame["utterance"])]
    if unknown:
        raise ValueError(
            f"{folder / labels}, line {emotions[unknown[0]][0]}: {segments.name} has no utterance "
            f"{unknown[0]}. Correct the name, or remove the line."
        )
    frame["emotion"] = _values(frame["utterance"], emotions)
    frame = _with_speakers_and_texts(folder, frame, labels)
    unlabeled = frame["emotion"].isna()
    if unlabeled.any():
        warnings.warn(
            f"{folder / labels}: {unlabeled.sum()} of {len(frame)} utterances have no label and "
            f"are left out, such as {frame['utterance'][unlabeled].iloc[0]}.",
            stacklevel=2,
        )
        frame = frame[~unlabeled]
    if "speaker" in frame and (unknown := frame["speaker"].isna()).any():
        warnings.warn(
            f"{folder / 'utt2spk'}: {unknown.sum()} of {len(frame)} utterances have no speaker, "
            f"such as {frame['utterance'][unknown].iloc[0]}. Add their lines.",
            stacklevel=2,
        )
    corpus = labeled_corpus(frame, folder, str(segments), "line", folder.name, check_times=True)
    return finish(corpus, return_X_y)


def _entries(file, required=True, empty=False):
    """Return the line number and value of each name in a file of "name value" lines.

    With `empty`, a name without a value has an empty one, as for an utterance without words.
    """
    if not file.is_file():
        if not required:
            return {}
        raise FileNotFoundError(
            f"{file.parent} has no file {file.name}. Give a data folder of Kaldi."
        )
    found = {}
    for number, line in enumerate(lines_of(decoded(file)), 1):
        name, *value = line.split(None, 1) or [""]
        if not name:
            continue
        if not value and not empty:
            raise ValueError(f"{file}, line {number}: {name} has no value. Add it after a space.")
        if name in found:
            raise ValueError(
                f"{file}, line {number}: {name} occurs twice, first in line {found[name][0]}. "
                "Remove one of the lines."
            )
        found[name] = number, "".join(value).strip()
    if not found and required:
        raise ValueError(f"{file} is empty. Write one line per utterance: its name and its value.")
    return found


def _labels(folder, labels):
    """Return the entries of the label file, or raise FileNotFoundError if it does not exist."""
    if not (folder / labels).is_file():
        there = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
        raise FileNotFoundError(
            f"{folder} has no file {labels} with an emotion per utterance. Choose the file with "
            f"labels=, one of {there}, or write it."
        )
    return _entries(folder / labels)


def _segments(file, recordings):
    """Return the utterance table of a segments file, with its line numbers as index."""
    rows, lines = [], []
    for name, (number, value) in _entries(file).items():
        fields = value.split()
        where = f"{file}, line {number}"
        try:
            recording, start, end = fields[0], float(fields[1]), float(fields[2])
            (channel,) = map(int, fields[3:]) if len(fields) > 3 else (-1,)
        except (IndexError, ValueError):
            raise ValueError(
                f"{where}: {value!r} cannot be read. Expected a recording, and its start and end "
                "in seconds, with or without a channel."
            ) from None
        if recording not in recordings:
            raise ValueError(
                f"{where}: wav.scp has no recording {recording}. Add it there, or correct the name."
            )
        end = math.nan if end == -1 else end  # in Kaldi, -1 is the end of the recording
        row = {"utterance": name, "recording": recording, "start": start, "end": end}
        rows.append(row | {"channel": None if channel == -1 else channel})  # -1: none chosen
        lines.append(number)
    frame = pd.DataFrame(rows, index=lines)
    return frame.drop(columns="channel") if frame["channel"].isna().all() else frame


def _path(folder, root, name, entry):
    """Return the path of a recording in ``wav.scp``."""
    number, written = entry
    where = f"{folder / 'wav.scp'}, line {number}"
    if written.endswith("|"):
        raise ValueError(
            f"{where}: recording {name} is a command, and commands are not run. Write its output "
            "to a file, and put the path of that file here."
        )
    places = [Path(), folder] if root is None else [Path(root)]
    found = next((place / written for place in places if (place / written).is_file()), None)
    if found is None:
        raise FileNotFoundError(
            f"{where}: there is no file {written}. If paths start from another folder, give root=."
        )
    return str(found)


def _values(names, entries):
    """Return the value of each name, or None where a name has no entry."""
    values = [entries[name][1] if name in entries else None for name in names]
    return pd.Series(values, index=names.index, dtype=object)


def _with_speakers_and_texts(folder, frame, labels):
    """Add the speakers, sexes and transcripts that the folder has to the table."""
    speakers = _entries(folder / "utt2spk", required=False)
    if speakers:
        frame["speaker"] = _values(frame["utterance"], speakers)
        sexes = _entries(folder / "spk2gender", required=False)
        if sexes:
            written = _values(frame["speaker"], sexes)
            frame["sex"] = [_SEXES.get(str(sex).lower(), sex) for sex in written]
    texts = {} if labels == "text" else _entries(folder / "text", required=False, empty=True)
    if texts:
        frame["transcript"] = _values(frame["utterance"], texts)
    return frame
