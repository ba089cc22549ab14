"""Berlin Database of Emotional Speech."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from skser.datasets._corpus import SpeechCorpus, finish
from skser.datasets._files import find_audio, warn_of_missing

_LABELS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
_MALE = {"03", "10", "11", "12", "15"}
_UTTERANCES = {
    "03": 49, "08": 58, "09": 43, "10": 38, "11": 55,
    "12": 35, "13": 61, "14": 69, "15": 56, "16": 71,
}  # fmt: skip
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
_NAME = re.compile(r"(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<code>[WLEAFTN])(?P<version>[a-z])")
_DESCRIPTION = """Berlin Database of Emotional Speech (EmoDB)

535 utterances of ten German sentences by ten actors (five women, five men) in seven emotions,
recorded at the Technical University of Berlin. `recognition` is the share of about twenty
listeners who recognised the intended emotion, and `naturalness` the share who found it
natural; both are NaN where the listening test's file is not beside the audio.
"""


def load_emodb(path, *, return_X_y=False):
    """Load EmoDB, the Berlin Database of Emotional Speech.

    Parameters
    ----------
    path : path-like
        Folder that holds files named as ``03a01Fa.wav`` (or ``.flac``), at any depth, and
        ``erkennung.txt``, the listening test.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    SpeechCorpus
        Paths, with speakers, sexes, sentences, transcripts and, in ``frame``,
        ``recognition`` and ``naturalness`` between 0 and 1.

    Raises
    ------
    FileNotFoundError
        If the folder is missing or holds no such file.

    Warns
    -----
    UserWarning
        Naming the speakers of whom utterances are missing.

    References
    ----------
    Burkhardt, F., Paeschke, A., Rolfes, M., Sendlmeier, W. and Weiss, B. (2005). A Database
    of German Emotional Speech. Interspeech.
    """
    found = find_audio(path, _NAME, "EmoDB", "03a01Fa.wav")
    rows = [
        {
            "audio": str(file),
            "emotion": _LABELS[match["code"]],
            "speaker": match["speaker"],
            "sex": "male" if match["speaker"] in _MALE else "female",
            "sentence": match["sentence"],
            "transcript": _SENTENCES.get(match["sentence"]),
        }
        for file, match in found
    ]
    frame = pd.DataFrame(rows)
    warn_of_missing("EmoDB", frame["speaker"], _UTTERANCES)
    test = _listening_test(path)
    names = [file.stem for file, _ in found]
    frame["recognition"] = [test.get(name, (np.nan, np.nan))[0] for name in names]
    frame["naturalness"] = [test.get(name, (np.nan, np.nan))[1] for name in names]
    corpus = SpeechCorpus(
        frame,
        "EmoDB",
        _LABELS,
        license="CC0-1.0",
        citation=(
            "Burkhardt et al. (2005). A Database of German Emotional Speech. "
            "Interspeech, 1517-1520."
        ),
        description=_DESCRIPTION,
    )
    return finish(corpus, return_X_y)


def _listening_test(path):
    """Recognition and naturalness, 0 to 1, by utterance name."""
    files = sorted(Path(path).rglob("erkennung.txt"))
    if not files:
        return {}
    shares = {}
    for line in files[0].read_text("latin-1").splitlines()[1:]:
        fields = [field.replace("\xa0", "").strip() for field in line.split("\t")]
        if len(fields) >= 4:
            recognition, naturalness = (float(f.replace(",", ".")) / 100 for f in fields[2:4])
            shares[Path(fields[1]).stem] = (recognition, naturalness)
    return shares
