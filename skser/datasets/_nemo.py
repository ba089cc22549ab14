"""nEMO, a corpus of Polish emotional speech."""

import re

import pandas as pd

from skser._docstrings import insert_descriptions
from skser.datasets._audio_files import walk_files
from skser.datasets._corpus import finish
from skser.datasets._files import find_audio, in_row, number_in, published_corpus, read_table
from skser.datasets._parameters import SHARED
from skser.datasets._registry import CORPORA

_NAME = re.compile(r"(?P<speaker>[A-Z]{2}\d)_(?P<code>[a-z]+)_(?P<sentence>\d+)")


@insert_descriptions(SHARED)
def load_nemo(path, *, return_X_y=False):
    """Load nEMO, emotional speech in Polish.

    Parameters
    ----------
    path : path-like
        Folder that holds files with names such as ``SM0_anger_10.wav``, at any depth. The texts
        and the speakers' ages are read from ``data.tsv``, if it exists.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with speakers, sexes, sentences (named by their number) and, if the table exists,
        transcripts. ``frame`` then has the column ``age`` in years.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or has no file of the corpus.
    ValueError
        If an utterance occurs twice, the emotion in a file's name is unknown, or a row of the
        table is invalid; the message names the file or the line.

    References
    ----------
    Christop, I. (2024). nEMO: Dataset of Emotional Speech in Polish. LREC-COLING.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skser.datasets import load_nemo
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("SM0_anger_10.wav", "EB0_surprised_2.wav"):
    ...     (folder / name).touch()
    >>> corpus = load_nemo(folder)
    >>> corpus.target.tolist(), corpus.sexes.tolist(), corpus.sentences.tolist()
    (['surprise', 'anger'], ['female', 'male'], ['2', '10'])
    """
    info = CORPORA["nemo"]
    found = find_audio(path, _NAME, info)
    texts = _texts(path)
    rows = []
    for file, match in found:
        row = {
            "audio": str(file),
            "emotion": info.emotion(match["code"], file),
            "speaker": match["speaker"],
            "sex": info.sexes.get(match["speaker"]),
            "sentence": match["sentence"],
        }
        rows.append(row | texts.get(file.stem, {}))
    return finish(published_corpus(info, pd.DataFrame(rows)), return_X_y)


def _texts(path):
    """Return transcript and age by name of the utterance, or an empty dict without the table."""
    files = [file for file in walk_files(path) if file.name == "data.tsv"]
    if not files:
        return {}
    table = read_table(files[0], ("file_id", "raw_text", "age"), sep="\t")
    return {
        row["file_id"].removesuffix(".wav"): {
            "transcript": row["raw_text"],
            "age": number_in(row["age"], int, in_row(files[0], i), "age"),
        }
        for i, row in table.iterrows()
    }
