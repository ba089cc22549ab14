"""Berlin Database of Emotional Speech."""

import re

import numpy as np
import pandas as pd

from skser._docstrings import insert_descriptions
from skser.datasets._audio_files import walk_files
from skser.datasets._corpus import finish
from skser.datasets._files import (
    find_audio,
    in_row,
    number_in,
    published_corpus,
    read_text,
    warn_of_missing,
)
from skser.datasets._parameters import SHARED
from skser.datasets._registry import CORPORA

_SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
_NAME = re.compile(r"(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<code>[A-Z])(?P<version>[a-z])")


@insert_descriptions(SHARED)
def load_emodb(path, *, return_X_y=False):
    """Load EmoDB, the Berlin Database of Emotional Speech.

    Parameters
    ----------
    path : path-like
        Folder that holds files with names such as ``03a01Fa.wav`` (or ``.flac``), at any depth.
        The results of the listening test are read from ``erkennung.txt``, if it exists.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with speakers, sexes, sentences and transcripts. ``frame`` has the columns
        ``recognition`` and ``naturalness``, shares of listeners between 0 and 1; they are NaN
        without the listening test.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or has no file of the corpus.
    ValueError
        If an utterance occurs twice, if the emotion in a file's name is unknown, or if a number
        of the listening test is invalid; the message names the file or the line.

    Warns
    -----
    UserWarning
        If utterances are missing; the message names their speakers.

    References
    ----------
    Burkhardt, F., Paeschke, A., Rolfes, M., Sendlmeier, W. and Weiss, B. (2005). A Database
    of German Emotional Speech. Interspeech.

    Examples
    --------
    >>> import pathlib, tempfile, warnings
    >>> from skser.datasets import load_emodb
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("03a01Fa.wav", "14b10Wc.wav"):
    ...     (folder / name).touch()
    >>> with warnings.catch_warnings(action="ignore"):  # most utterances are missing
    ...     corpus = load_emodb(folder)
    >>> corpus.target.tolist(), corpus.speakers.tolist(), corpus.transcripts[0]
    (['happiness', 'anger'], ['03', '14'], 'Der Lappen liegt auf dem Eisschrank.')
    """
    info = CORPORA["emodb"]
    found = find_audio(path, _NAME, info)
    frame = pd.DataFrame(
        {
            "audio": str(file),
            "emotion": info.emotion(match["code"], file),
            "speaker": match["speaker"],
            "sex": info.sexes.get(match["speaker"]),
            "sentence": match["sentence"],
            "transcript": _SENTENCES.get(match["sentence"]),
        }
        for file, match in found
    )
    warn_of_missing(info, frame)
    test = _listening_test(path)
    names = [file.stem for file, _ in found]
    frame["recognition"] = [test.get(name, (np.nan, np.nan))[0] for name in names]
    frame["naturalness"] = [test.get(name, (np.nan, np.nan))[1] for name in names]
    return finish(published_corpus(info, frame), return_X_y)


def _listening_test(path):
    """Return recognition and naturalness between 0 and 1, by name of the utterance."""
    files = [file for file in walk_files(path) if file.name == "erkennung.txt"]
    if not files:
        return {}
    shares = {}
    for number, line in enumerate(read_text(files[0]).splitlines()[1:]):
        # The published file has no-break spaces after its fields, and decimal commas.
        fields = [field.replace("\xa0", "").strip() for field in line.split("\t")]
        if len(fields) >= 4:
            shares[fields[1].removesuffix(".wav")] = tuple(
                number_in(f.replace(",", "."), float, in_row(files[0], number), "its shares") / 100
                for f in fields[2:4]
            )
    return shares
