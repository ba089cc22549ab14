"""Speech part of the Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS)."""

import re

import pandas as pd

from skser._docstrings import insert_descriptions
from skser.datasets._corpus import finish
from skser.datasets._files import find_audio, published_corpus, warn_of_missing
from skser.datasets._parameters import SHARED
from skser.datasets._registry import CORPORA

_INTENSITIES = {"01": "normal", "02": "strong"}
_SENTENCES = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
_NAME = re.compile(
    r"03-01-(?P<code>\d\d)-(?P<intensity>0[12])-(?P<sentence>0[12])-(?P<repetition>0[12])"
    r"-(?P<actor>[012]\d)"
)


@insert_descriptions(SHARED)
def load_ravdess(path, *, return_X_y=False):
    """Load the speech of RAVDESS.

    Parameters
    ----------
    path : path-like
        Folder that holds files with names such as ``03-01-05-01-02-01-12.wav`` (or ``.flac``),
        at any depth: in ``Actor_12/`` and so on as published, or all in one folder. Files of
        song and video are skipped. `fetch_ravdess` downloads the corpus.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with speakers, sexes, sentences and transcripts. ``frame`` has the columns
        ``intensity`` ("normal" or "strong") and ``repetition``.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or has no file of the corpus.
    ValueError
        If an utterance occurs twice, or the emotion in a file's name is unknown; the message
        names the file.

    Warns
    -----
    UserWarning
        If utterances are missing; the message names their actors.

    References
    ----------
    Livingstone, S. R. and Russo, F. A. (2018). The Ryerson Audio-Visual Database of Emotional
    Speech and Song. PLoS ONE 13(5): e0196391.

    Examples
    --------
    >>> import pathlib, tempfile, warnings
    >>> from skser.datasets import load_ravdess
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "03-01-05-02-01-01-12.wav").touch()
    >>> with warnings.catch_warnings(action="ignore"):  # most utterances are missing
    ...     corpus = load_ravdess(folder)
    >>> corpus.target[0], corpus.sexes[0], corpus.frame["intensity"][0]
    ('anger', 'female', 'strong')
    """
    info = CORPORA["ravdess"]
    frame = pd.DataFrame(
        {
            "audio": str(file),
            "emotion": info.emotion(match["code"], file),
            "speaker": match["actor"],
            "sex": info.sexes.get(match["actor"]),
            "sentence": match["sentence"],
            "transcript": _SENTENCES[match["sentence"]],
            "intensity": _INTENSITIES[match["intensity"]],
            "repetition": int(match["repetition"]),
        }
        for file, match in find_audio(path, _NAME, info)
    )
    warn_of_missing(info, frame)
    return finish(published_corpus(info, frame), return_X_y)
