"""Crowd-sourced Emotional Multimodal Actors Dataset."""

import re

import pandas as pd

from skser._docstrings import insert_descriptions
from skser.datasets._corpus import finish
from skser.datasets._files import (
    find_audio,
    in_row,
    number_in,
    published_corpus,
    read_table,
    walk_files,
    warn_of_missing,
)
from skser.datasets._parameters import SHARED
from skser.datasets._registry import CORPORA

_INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified", "X": "unspecified"}
_SENTENCES = {
    "DFA": "Don't forget a jacket.",
    "IEO": "It's eleven o'clock.",
    "IOM": "I'm on my way to the meeting.",
    "ITH": "I think I have a doctor's appointment.",
    "ITS": "I think I've seen this before.",
    "IWL": "I would like a new alarm clock.",
    "IWW": "I wonder what this is about.",
    "MTI": "Maybe tomorrow it will be cold.",
    "TAI": "The airplane is almost full.",
    "TIE": "That is exactly what happened.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
_NAME = re.compile(
    r"(?P<actor>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<code>[A-Z]{3})_(?P<intensity>LO|MD|HI|XX?)"
)


@insert_descriptions(SHARED)
def load_crema_d(path, *, return_X_y=False):
    """Load CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset.

    The label is the emotion that the actor was asked to portray, not the one that listeners
    heard.

    Parameters
    ----------
    path : path-like
        Folder that holds files with names such as ``1001_DFA_ANG_XX.wav`` (or ``.flac``,
        ``.mp3``), at any depth. If it has a folder ``AudioWAV``, as in the published
        repository, only files in that folder are read. The actors' age, race and ethnicity are
        read from ``VideoDemographics.csv``, if it exists.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with speakers, sexes, sentences and transcripts. ``frame`` has the column
        ``intensity`` ("low", "medium", "high" or "unspecified") and, if the table of actors
        exists, ``age`` in years, ``race`` and ``ethnicity``.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or has no file of the corpus.
    ValueError
        If an utterance occurs twice, if a label or a row of the table is invalid (the message
        names it), or if the audio files are only placeholders, as in a copy of the repository
        made without Git LFS.

    Warns
    -----
    UserWarning
        If utterances are missing; the message names their actors.

    References
    ----------
    Cao, H., Cooper, D. G., Keutmann, M. K., Gur, R. C., Nenkova, A. and Verma, R. (2014).
    CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset. IEEE Transactions on Affective
    Computing 5(4).

    Examples
    --------
    >>> import pathlib, tempfile, warnings
    >>> from skser.datasets import load_crema_d
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "1002_IEO_HAP_HI.wav").touch()
    >>> with warnings.catch_warnings(action="ignore"):  # most utterances are missing
    ...     corpus = load_crema_d(folder)
    >>> corpus.target[0], corpus.sexes[0], corpus.transcripts[0], corpus.frame["intensity"][0]
    ('happiness', 'female', "It's eleven o'clock.", 'high')
    """
    info = CORPORA["crema-d"]
    frame = pd.DataFrame(
        {
            "audio": str(file),
            "emotion": info.emotion(match["code"], file),
            "speaker": match["actor"],
            "sex": info.sexes.get(match["actor"]),
            "sentence": match["sentence"],
            "transcript": _SENTENCES.get(match["sentence"]),
            "intensity": _INTENSITIES[match["intensity"]],
        }
        for file, match in find_audio(path, _NAME, info, preferred="AudioWAV")
    )
    warn_of_missing(info, frame)
    actors = _actors(path)
    if actors:
        for column in ("age", "race", "ethnicity"):
            frame[column] = [actors.get(s, {}).get(column) for s in frame["speaker"]]
    return finish(published_corpus(info, frame), return_X_y)


def _actors(path):
    """Return age, race and ethnicity by actor, or an empty dict without the table."""
    files = [file for file in walk_files(path) if file.name == "VideoDemographics.csv"]
    if not files:
        return {}
    table = read_table(files[0], ("ActorID", "Age", "Race", "Ethnicity"))
    return {
        row["ActorID"]: {
            "age": number_in(row["Age"], int, in_row(files[0], i), "Age"),
            "race": row["Race"],
            "ethnicity": row["Ethnicity"],
        }
        for i, row in table.iterrows()
    }
