"""MSP-Podcast."""

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
    read_text,
    with_audio,
)
from skser.datasets._parameters import SHARED
from skser.datasets._podcast_votes import podcast_votes
from skser.datasets._registry import CORPORA
from skser.datasets._votes import votes_by_name

_TABLE = "labels_consensus.csv"
_DIMENSIONS = {"valence": "EmoVal", "activation": "EmoAct", "dominance": "EmoDom"}
_SEXES = {"Female": "female", "Male": "male", "Unknown": None}


@insert_descriptions(SHARED)
def load_msp_podcast(path, *, partitions=None, return_X_y=False):
    r"""Load MSP-Podcast with the consensus labels of its raters.

    Parameters
    ----------
    path : path-like
        Folder that holds, at any depth, ``labels_consensus.csv`` and the audio files that it
        names, as ``Labels`` and ``Audios`` in the published releases. Transcripts are read from
        ``.txt`` files with the names of the audio files, and votes from ``labels_detailed.csv``
        or ``labels_detailed.json``, if they exist.
    partitions : str, list of str or None, default=None
        Partitions to load, by the corpus's own names: "Train", "Development", "Test1",
        "Test2", "Test3". None loads all.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with speakers, sexes and transcripts (missing where they are unknown), and
        valence, activation and dominance between 1 and 7. ``frame`` has the columns
        ``utterance`` and ``split``. The ten emotions include "other" and "no agreement", for
        utterances whose raters had no majority. ``votes`` holds the primary emotion and the
        dimensions that each rater gave; emotions in a rater's own words are "other".

    Raises
    ------
    FileNotFoundError
        If the folder or the table does not exist, or no audio is found.
    ValueError
        If a column is missing, a row is invalid (the message names file and line), a partition
        does not exist, or an utterance occurs twice.

    Warns
    -----
    UserWarning
        If labeled utterances have no audio file.

    References
    ----------
    Lotfian, R. and Busso, C. (2019). Building Naturalistic Emotionally Balanced Speech Corpus by
    Retrieving Emotional Speech From Existing Podcast Recordings. IEEE Transactions on Affective
    Computing 10(4).

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skser.datasets import load_msp_podcast
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "MSP-PODCAST_0001_0008.wav").touch()
    >>> _ = (folder / "labels_consensus.csv").write_text(
    ...     "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
    ...     "MSP-PODCAST_0001_0008.wav,N,2.4,4.0,3.0,127,Male,Test1\n"
    ... )
    >>> corpus = load_msp_podcast(folder, partitions="Test1")
    >>> corpus.target[0], corpus.speakers[0], float(corpus.activation[0]), corpus.dimension_range
    ('neutral', '127', 2.4, (1.0, 7.0))
    """
    info = CORPORA["msp-podcast"]
    path = existing_folder(path)
    files = walk_files(path)
    table_file = find_table(files, path, _TABLE, info)
    columns = ("FileName", "EmoClass", *_DIMENSIONS.values(), "SpkrID", "Gender", "Split_Set")
    table = read_table(table_file, columns)
    table = choose(table, "Split_Set", partitions, info)
    sounds = audio_by_name(files, info, lambda file: file.stem)
    texts = {f.stem: f for f in files if f.suffix == ".txt" and f.stem in sounds}
    rows = [
        _row(row, in_row(table_file, i), sounds, texts, info)
        for i, row in zip(table.index, table.to_dict("records"), strict=True)
    ]
    frame = pd.DataFrame(with_audio(rows, info, path))
    votes = votes_by_name(podcast_votes(files, info), frame["utterance"])
    return finish(published_corpus(info, frame, votes), return_X_y)


def _row(row, where, sounds, texts, info):
    """Return the row of the utterance table for a row of the published table."""
    name = row["FileName"].rpartition(".")[0] or row["FileName"]
    if row["Gender"] not in _SEXES:
        raise ValueError(
            f"{where} has the Gender {row['Gender']!r}; expected one of {list(_SEXES)}."
        )
    ratings = {
        key: number_in(row[column], float, where, column) for key, column in _DIMENSIONS.items()
    }
    low, high = info.dimension_range
    for key, rating in ratings.items():
        if not low <= rating <= high:  # NaN is rejected too
            raise ValueError(
                f"{where} has {rating:g} in {_DIMENSIONS[key]}; expected {low:g} to {high:g}."
            )
    return {
        "audio": sounds.get(name),
        "emotion": info.emotion(row["EmoClass"], where),
        "speaker": None if row["SpkrID"] in ("Unknown", "") else row["SpkrID"],
        "sex": _SEXES[row["Gender"]],
        "transcript": read_text(texts[name]).strip() if name in texts else None,
        **ratings,
        "utterance": name,
        "split": row["Split_Set"],
    }
