"""Download of the corpora that anyone may download, with the loader of each."""

import skser.datasets
from skser._docstrings import insert_descriptions
from skser.datasets._audb import fetch_audb
from skser.datasets._download import DownloadError, fetch_archive, fetch_files
from skser.datasets._parameters import FETCHED, SHARED
from skser.datasets._registry import CORPORA

_DESCRIPTIONS = {**SHARED, **FETCHED}


@insert_descriptions(_DESCRIPTIONS)
def fetch_emodb(data_home=None, *, mirror=None, progressbar=False, return_X_y=False):
    """Download EmoDB if necessary, and load it.

    The archive has 40 MB. Its publisher gives no checksum and no encrypted connection;
    ``fetch_audb("emodb", "1.4.1")`` downloads the same recordings with checksums. The license is
    CC0-1.0.

    {behavior}

    Parameters
    ----------
    {data_home}
    mirror : str or None, default=None
        Address of a folder that holds ``download.zip``; None means the publisher's.
    {progressbar}
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Corpus as `load_emodb` returns it.

    {raises}

    Examples
    --------
    >>> from skser.datasets import fetch_emodb
    >>> corpus = fetch_emodb(progressbar=True)  # doctest: +SKIP
    """
    return _fetched("emodb", data_home, mirror, progressbar, return_X_y)


@insert_descriptions(_DESCRIPTIONS)
def fetch_ravdess(data_home=None, *, mirror=None, progressbar=False, return_X_y=False):
    """Download the speech of RAVDESS if necessary, and load it.

    The archive on Zenodo has 208 MB and unpacks to 590 MB. Its checksum is verified. The license
    is CC-BY-NC-SA-4.0, which excludes commercial use.

    {behavior}

    Parameters
    ----------
    {data_home}
    mirror : str or None, default=None
        Address of a folder that holds ``Audio_Speech_Actors_01-24.zip``; None means Zenodo. The
        checksum of the file is verified in both cases.
    {progressbar}
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Corpus as `load_ravdess` returns it.

    {raises}

    Examples
    --------
    >>> from skser.datasets import fetch_ravdess
    >>> corpus = fetch_ravdess(progressbar=True)  # doctest: +SKIP
    """
    return _fetched("ravdess", data_home, mirror, progressbar, return_X_y)


@insert_descriptions(_DESCRIPTIONS)
def fetch_emovo(data_home=None, *, mirror=None, progressbar=False, return_X_y=False):
    """Download EMOVO if necessary, and load it.

    The archive has 335 MB. Its publishers share it through Google Drive, without a checksum and
    without a license: ask them before any use other than research.

    {behavior}

    Parameters
    ----------
    {data_home}
    mirror : str or None, default=None
        Address of a folder that holds ``emovo.zip``; None means the publishers' Google Drive.
    {progressbar}
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Corpus as `load_emovo` returns it.

    {raises}

    Examples
    --------
    >>> from skser.datasets import fetch_emovo
    >>> corpus = fetch_emovo(progressbar=True)  # doctest: +SKIP
    """
    return _fetched("emovo", data_home, mirror, progressbar, return_X_y)


@insert_descriptions(_DESCRIPTIONS)
def fetch_nemo(data_home=None, *, mirror=None, progressbar=False, return_X_y=False):
    """Download nEMO if necessary, and load it.

    The archive has about 430 MB. It is the state of the authors' repository on GitHub at a fixed
    commit; GitHub gives no checksum of it. The license is CC-BY-NC-SA-4.0, which excludes
    commercial use.

    {behavior}

    Parameters
    ----------
    {data_home}
    mirror : str or None, default=None
        Address of a folder that holds ``nemo.zip``; None means GitHub.
    {progressbar}
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Corpus as `load_nemo` returns it.

    {raises}

    Examples
    --------
    >>> from skser.datasets import fetch_nemo
    >>> corpus = fetch_nemo(progressbar=True)  # doctest: +SKIP
    """
    return _fetched("nemo", data_home, mirror, progressbar, return_X_y)


@insert_descriptions(_DESCRIPTIONS)
def fetch_tess(data_home=None, *, progressbar=False, return_X_y=False):
    """Download TESS if necessary, and load it.

    The 2800 files have 280 MB. They come one by one from the Borealis Dataverse, which gives an
    MD5 of each. The license is CC-BY-NC-ND-4.0, which excludes commercial use and changed copies.

    {behavior}

    Parameters
    ----------
    {data_home}
    {progressbar}
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Corpus as `load_tess` returns it.

    Raises
    ------
    DownloadError
        If the connection fails, a checksum differs, or the folder cannot be written or is full.

    Examples
    --------
    >>> from skser.datasets import fetch_tess
    >>> corpus = fetch_tess(progressbar=True)  # doctest: +SKIP
    """
    info = CORPORA["tess"]
    folder = fetch_files(info, "tess", data_home, progressbar)
    return skser.datasets.load_tess(folder, return_X_y=return_X_y)


@insert_descriptions(_DESCRIPTIONS)
def fetch_crema_d(data_home=None, *, version=None, progressbar=False, return_X_y=False):
    """Download CREMA-D if necessary, and load it.

    The audio of CREMA-D lies in a repository that needs Git LFS. audEERING publishes the same
    recordings through audb, with versions and checksums; this function is
    ``fetch_audb("crema-d")`` and needs the extra ``audb``. The license is ODbL-1.0.

    Parameters
    ----------
    {data_home}
    version : str or None, default=None
        Version of the database in audb, such as ``"1.3.0"``; None takes the newest.
    {progressbar}
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Corpus as `fetch_audb` returns it.

    Raises
    ------
    ImportError
        If audb is not installed.
    DownloadError
        If the connection fails, or the folder cannot be written or is full.

    Examples
    --------
    >>> from skser.datasets import fetch_crema_d
    >>> corpus = fetch_crema_d(progressbar=True)  # doctest: +SKIP
    """
    return fetch_audb(
        "crema-d", version, data_home=data_home, progressbar=progressbar, return_X_y=return_X_y
    )


def _fetched(key, data_home, mirror, progressbar, return_X_y):
    """Download the archive of a corpus and load the folder that it was unpacked into."""
    info = CORPORA[key]
    folder = fetch_archive(info, key, data_home, mirror, progressbar)
    try:
        return getattr(skser.datasets, info.loader)(folder, return_X_y=return_X_y)
    except FileNotFoundError as error:  # not unpacked by fetch_archive, which leaves no part
        raise DownloadError(
            f"{folder} already exists but has no {info.name} file. Delete or move it to download "
            "the corpus, or choose another folder with data_home=."
        ) from error
