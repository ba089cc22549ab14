"""Ryerson Audio-Visual Database of Emotional Speech and Song, the speech part."""

import re

import pandas as pd

from skser.datasets._corpus import finish
from skser.datasets._download import DownloadError, fetch_archive
from skser.datasets._files import find_audio, published_corpus, warn_of_missing
from skser.datasets._registry import CORPORA

_INTENSITIES = {"01": "normal", "02": "strong"}
_SENTENCES = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
_NAME = re.compile(
    r"03-01-(?P<code>\d\d)-(?P<intensity>0[12])-(?P<sentence>0[12])-(?P<repetition>0[12])"
    r"-(?P<actor>[012]\d)"
)


def load_ravdess(path, *, return_X_y=False):
    """Load the speech of RAVDESS.

    Parameters
    ----------
    path : path-like
        Folder that holds files named as ``03-01-05-01-02-01-12.wav`` (or ``.flac``), at any
        depth: ``Actor_12/`` as published, or all in one folder. Song and video are passed
        over. `fetch_ravdess` downloads it.
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
    ValueError
        If an utterance is there twice, or naming the file with a number that is no emotion.

    Warns
    -----
    UserWarning
        Naming the actors of whom utterances are missing.

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
    >>> with warnings.catch_warnings(action="ignore"):  # of the utterances that are missing
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


def fetch_ravdess(data_home=None, *, mirror=None, progressbar=False, return_X_y=False):
    """Download the speech of RAVDESS, once, and load it.

    208 MB come from Zenodo and unpack to 590 MB. The archive's checksum is verified, a download
    that was interrupted goes on where it stopped, and processes that fetch at the same time
    download once. Licence: CC-BY-NC-SA-4.0, not for commercial use.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder for downloads; None means that of `get_data_home`.
    mirror : str or None, default=None
        Address of a folder that holds ``Audio_Speech_Actors_01-24.zip``, instead of Zenodo. The
        checksum holds for it too.
    progressbar : bool, default=False
        Whether to show one.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    SpeechCorpus
        That of `load_ravdess`.

    Raises
    ------
    DownloadError
        If there is no connection, the download breaks off, its checksum differs, the archive is
        damaged, or the folder cannot be written, is full, or holds something else in the
        corpus's place.
    ValueError
        If `mirror` is no address.

    Examples
    --------
    >>> from skser.datasets import fetch_ravdess
    >>> corpus = fetch_ravdess(progressbar=True)  # doctest: +SKIP
    """
    archive = CORPORA["ravdess"].archive
    folder = fetch_archive(archive, "ravdess", data_home, mirror, progressbar)
    try:
        return load_ravdess(folder, return_X_y=return_X_y)
    except FileNotFoundError as error:  # made by something else: what is unpacked here is whole
        raise DownloadError(
            f"{folder} is there, but holds no RAVDESS file. Delete or move it to download the "
            "corpus, or choose another folder with data_home=."
        ) from error
