"""Crowd-sourced Emotional Multimodal Actors Dataset."""

import re

import pandas as pd

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


def load_crema_d(path, *, return_X_y=False):
    """Load CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset.

    The emotion is the one that the actor was asked for.

    Parameters
    ----------
    path : path-like
        Folder that holds files named as ``1001_DFA_ANG_XX.wav`` (or ``.flac``, ``.mp3``), at
        any depth. Where it has a folder ``AudioWAV``, as the published repository, only that
        is read. ``VideoDemographics.csv``, if it is there, tells of the actors.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    SpeechCorpus
        Paths, with speakers, sexes, sentences, transcripts and, in ``frame``, ``intensity``
        ("low", "medium", "high" or "unspecified") and, with the table of actors, ``age`` in
        years, ``race`` and ``ethnicity``.

    Raises
    ------
    FileNotFoundError
        If the folder is missing or holds no such file.
    ValueError
        If an utterance is there twice, or naming the file or row that cannot be understood; or
        if the sound was not downloaded, as in a copy of the repository made without Git LFS.

    Warns
    -----
    UserWarning
        Naming the actors of whom utterances are missing.

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
    >>> with warnings.catch_warnings(action="ignore"):  # of the utterances that are missing
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
    """What the table of actors says, by actor; nothing if there is no table."""
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
