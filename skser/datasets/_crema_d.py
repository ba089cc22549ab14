"""Crowd-sourced Emotional Multimodal Actors Dataset."""

import re
from pathlib import Path

import pandas as pd

from skser._docstrings import insert_descriptions
from skser.datasets._audio_files import walk_files
from skser.datasets._corpus import finish
from skser.datasets._files import (
    find_audio,
    in_row,
    number_in,
    published_corpus,
    read_table,
    warn_of_missing,
)
from skser.datasets._parameters import SHARED
from skser.datasets._registry import CORPORA
from skser.datasets._votes import votes_by_name

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
_VOTES = {
    "A": "anger", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness",
}  # fmt: skip
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
        read from ``VideoDemographics.csv``, and the votes of the listeners from
        ``tabulatedVotes.csv``, if these files exist.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with speakers, sexes, sentences and transcripts. ``frame`` has the column
        ``intensity`` ("low", "medium", "high" or "unspecified") and, if the table of actors
        exists, ``age`` in years, ``race`` and ``ethnicity``. ``votes`` holds one row per
        listener who heard the voice alone; votes on the face or on both are left out. The
        published table counts votes, so the raters are anonymous.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or has no file of the corpus.
    ValueError
        If an utterance occurs twice, if a label or a row of a table is invalid (the message
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
    votes = votes_by_name(_votes(path, info), [Path(file).stem for file in frame["audio"]])
    return finish(published_corpus(info, frame, votes), return_X_y)


def _votes(path, info):
    """Return a row for each vote on a voice, or an empty list without the table."""
    files = [file for file in walk_files(path) if file.name == "tabulatedVotes.csv"]
    if not files:
        return []
    table = read_table(files[0], (*_VOTES, "fileName", "numResponses"))
    # The heading of the row names is empty. They begin with 1 for voices, 2 for faces and 3 for
    # both, followed by the number of the clip.
    kinds = table.iloc[:, 0].str[:1]
    rows, seen = [], set()
    for i, row in table[kinds == "1"].iterrows():
        where = in_row(files[0], i)
        counts = {code: number_in(row[code], int, where, code) for code in _VOTES}
        n_responses = number_in(row["numResponses"], int, where, "numResponses")
        if min(counts.values()) < 0 or sum(counts.values()) != n_responses:
            raise ValueError(
                f"{where} counts {counts}, which are not the {n_responses} votes of "
                "numResponses. Restore the published table."
            )
        if row["fileName"] in seen:
            raise ValueError(f"{where} repeats the votes on the voice of {row['fileName']}.")
        seen.add(row["fileName"])
        for code, count in counts.items():
            vote = {"utterance": row["fileName"], "rater": None, "emotion": _VOTES[code]}
            rows += [vote] * count
    odd = table.index[~kinds.isin(list("123"))]
    if len(odd):
        raise ValueError(
            f"{in_row(files[0], odd[0])} begins with {table.iloc[odd[0], 0]!r}; expected a number "
            f"that begins with 1, 2 or 3, as {info.name} publishes it."
        )
    return rows


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
