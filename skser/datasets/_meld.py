"""Multimodal EmotionLines Dataset (MELD)."""

import re

import pandas as pd

from skser._docstrings import insert_descriptions
from skser.datasets._audio_files import existing_folder, walk_files
from skser.datasets._corpus import finish
from skser.datasets._files import (
    audio_by_name,
    choose,
    find_table,
    in_row,
    number_in,
    published_corpus,
    read_table,
    warn_of_missing,
    with_audio,
)
from skser.datasets._parameters import SHARED
from skser.datasets._registry import CORPORA

_COLUMNS = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")
_SPLIT = re.compile(r"(?:^|.*_)(train|dev|test)(?:_.*|$)", re.IGNORECASE)
_REMEDY = (
    " First extract the audio of each video, for example with: "
    "ffmpeg -i train_splits/dia0_utt0.mp4 -vn train_splits/dia0_utt0.wav"
)


@insert_descriptions(SHARED)
def load_meld(path, *, partitions=None, return_X_y=False):
    r"""Load MELD, the Multimodal EmotionLines Dataset.

    MELD is published as video, so extract the audio first, for example with ``ffmpeg -i
    train_splits/dia0_utt0.mp4 -vn train_splits/dia0_utt0.wav`` for each file.

    Parameters
    ----------
    path : path-like
        Folder that holds, at any depth, ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and
        ``test_sent_emo.csv``, and audio files such as ``dia0_utt0.wav``. The audio files have
        the same names in all three splits, so a folder above each file must name its split, as
        ``train``, ``train_splits``, ``dev_splits_complete`` and
        ``output_repeated_splits_test`` do.
    partitions : str, list of str or None, default=None
        Splits to load: "train", "dev", "test" or several of them. None loads all.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with speakers by name, sexes of the six main characters, and transcripts.
        ``frame`` has the columns ``utterance``, ``split``, ``dialog`` and ``sentiment``.

    Raises
    ------
    FileNotFoundError
        If the folder or a table does not exist, or no audio is found.
    ValueError
        If a column is missing, a row is invalid (the message names file and line), or an
        utterance occurs twice.

    Warns
    -----
    UserWarning
        If labeled utterances have no audio file, or splits have fewer utterances than
        published.

    References
    ----------
    Poria, S., Hazarika, D., Majumder, N., Naik, G., Cambria, E. and Mihalcea, R. (2019). MELD: A
    Multimodal Multi-Party Dataset for Emotion Recognition in Conversations. ACL.

    Examples
    --------
    >>> import pathlib, tempfile, warnings
    >>> from skser.datasets import load_meld
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "train").mkdir()
    >>> (folder / "train/dia0_utt0.wav").touch()
    >>> _ = (folder / "train_sent_emo.csv").write_text(
    ...     "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
    ...     "1,Oh my God!,Monica,joy,positive,0,0\n"
    ... )
    >>> with warnings.catch_warnings(action="ignore"):  # most utterances are missing
    ...     corpus = load_meld(folder, partitions="train")
    >>> corpus.target[0], corpus.speakers[0], corpus.sexes[0], corpus.frame["utterance"][0]
    ('happiness', 'Monica', 'female', 'train dia0_utt0')
    """
    info = CORPORA["meld"]
    path = existing_folder(path)
    files = walk_files(path)
    sounds = audio_by_name(files, info, lambda file: _name(file.relative_to(path)))
    sets = choose(pd.DataFrame({"split": list(info.published)}), "split", partitions, info)
    rows = []
    for split in sets["split"]:
        file = find_table(files, path, f"{split}_sent_emo.csv", info)
        for i, row in read_table(file, _COLUMNS).iterrows():
            rows.append(_row(row, split, in_row(file, i), sounds, info))
    frame = pd.DataFrame(with_audio(rows, info, path, _REMEDY))
    warn_of_missing(info, frame, None if partitions is None else list(sets["split"]))
    return finish(published_corpus(info, frame), return_X_y)


def _row(row, split, where, sounds, info):
    """Return the row of the utterance table for a row of the published table."""
    dialog, utterance = (
        number_in(row[column], int, where, column) for column in ("Dialogue_ID", "Utterance_ID")
    )
    name = f"{split} dia{dialog}_utt{utterance}"
    speaker = row["Speaker"].strip()
    return {
        "audio": sounds.get(name),
        "emotion": info.emotion(row["Emotion"].strip().lower(), where),
        "speaker": speaker or None,
        "sex": info.sexes.get(speaker),
        "transcript": row["Utterance"].strip(),
        "utterance": name,
        "split": split,
        "dialog": f"{split} {dialog}",
        "sentiment": row["Sentiment"].strip().lower(),
    }


def _name(file):
    """Return "split name" of an audio file; the lowest folder that names a split decides."""
    named = [_SPLIT.fullmatch(part) for part in file.parts[:-1]]
    named = [match[1].lower() for match in named if match is not None]
    return f"{named[-1]} {file.stem}" if named else None
