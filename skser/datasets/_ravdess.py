"""Ryerson Audio-Visual Database of Emotional Speech and Song, the speech part."""

import re

import pandas as pd

from skser.datasets._corpus import SpeechCorpus, finish
from skser.datasets._files import find_audio, warn_of_missing

_LABELS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
_INTENSITIES = {"01": "normal", "02": "strong"}
_SENTENCES = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
_UTTERANCES = {f"{actor:02d}": 60 for actor in range(1, 25)}
_NAME = re.compile(
    r"03-01-(?P<code>0[1-8])-(?P<intensity>0[12])-(?P<sentence>0[12])-(?P<repetition>0[12])"
    r"-(?P<actor>[012]\d)"
)
_DESCRIPTION = """Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS), speech

1440 utterances of two English sentences by 24 professional actors (twelve women, twelve men) in
eight emotions, each but neutral at two intensities, each said twice. One pair of files is
identical byte for byte: actor 07, `03-01-03-01-02-01-07` and `03-01-03-01-02-02-07`.
"""


def load_ravdess(path, *, return_X_y=False):
    """Load the speech of RAVDESS.

    Parameters
    ----------
    path : path-like
        Folder that holds files named as ``03-01-05-01-02-01-12.wav`` (or ``.flac``), at any
        depth: ``Actor_12/`` as published, or all in one folder. Song and video are passed
        over.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    SpeechCorpus
        Paths, with speakers, sexes, sentences, transcripts and, in ``frame``, ``intensity``
        ("normal" or "strong") and ``repetition``.

    Raises
    ------
    FileNotFoundError
        If the folder is missing or holds no such file.

    Warns
    -----
    UserWarning
        Naming the actors of whom utterances are missing.

    References
    ----------
    Livingstone, S. R. and Russo, F. A. (2018). The Ryerson Audio-Visual Database of Emotional
    Speech and Song. PLoS ONE 13(5): e0196391.
    """
    rows = [
        {
            "audio": str(file),
            "emotion": _LABELS[match["code"]],
            "speaker": match["actor"],
            "sex": "male" if int(match["actor"]) % 2 else "female",
            "sentence": match["sentence"],
            "transcript": _SENTENCES[match["sentence"]],
            "intensity": _INTENSITIES[match["intensity"]],
            "repetition": int(match["repetition"]),
        }
        for file, match in find_audio(path, _NAME, "RAVDESS speech", "03-01-05-01-02-01-12.wav")
    ]
    frame = pd.DataFrame(rows)
    warn_of_missing("RAVDESS", frame["speaker"], _UTTERANCES)
    corpus = SpeechCorpus(
        frame,
        "RAVDESS",
        _LABELS,
        license="CC-BY-NC-SA-4.0",
        citation=(
            "Livingstone and Russo (2018). The Ryerson Audio-Visual Database of Emotional Speech "
            "and Song (RAVDESS). PLoS ONE 13(5): e0196391."
        ),
        description=_DESCRIPTION,
    )
    return finish(corpus, return_X_y)
