"""Download and unpacking of a corpus, with resumption and locking."""

import contextlib
import errno
import os
import shutil
import sys
import zipfile
from pathlib import Path

from filelock import FileLock

from skser.datasets._archive import UnsafeArchiveError, unpack_zip

_ATTEMPTS = 3  # number of connections per call; each resumes where the last one stopped
_CHUNK = 1 << 16  # bytes written at once, and lost at most if the connection breaks
_TIMEOUT = 30  # seconds without data before a connection counts as broken


class DownloadError(OSError):
    """Error raised when a corpus cannot be downloaded; the message gives the remedy.

    Examples
    --------
    >>> from skser.datasets import DownloadError
    >>> issubclass(DownloadError, OSError)
    True
    """


def get_data_home(data_home=None):
    """Return the folder that corpora are downloaded to.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder to use; None means the environment variable ``SKSER_HOME``, or ``~/skser_data``
        if that is not set.

    Returns
    -------
    Path
        Absolute path of the folder, which is created only when something is downloaded.

    Examples
    --------
    >>> from skser.datasets import get_data_home
    >>> get_data_home("corpora").name
    'corpora'
    """
    if data_home is None:
        data_home = os.environ.get("SKSER_HOME") or "~/skser_data"
    return Path(data_home).expanduser().absolute()


def fetch_archive(info, name, data_home, mirror, progressbar):
    """Download and unpack the archive of a corpus unless that was done before.

    The license is printed before the download. A second process waits for the first. The folder
    appears complete or not at all.

    Parameters
    ----------
    info : CorpusInfo
        Corpus with an archive.
    name : str
        Name of the folder below the data home.
    data_home : path-like or None
        Folder for downloads, as in `get_data_home`.
    mirror : str or None
        Address of a folder that holds the archive; None means the published address.
    progressbar : bool
        If True, show a progress bar of the download.

    Returns
    -------
    Path
        Folder with the content of the archive.

    Raises
    ------
    DownloadError
        If the archive cannot be downloaded, verified or unpacked.
    ValueError
        If `mirror` is not a web address.
    """
    if mirror is not None and not str(mirror).lower().startswith(("http://", "https://")):
        raise ValueError(
            f"mirror={str(mirror)!r} is not a web address: expected a URL that begins with "
            "https:// or http://. To read files that are already on this machine, use the "
            "corpus's loader."
        )
    archive, home = info.archive, get_data_home(data_home)
    folder = home / name
    with _to_fill(folder, info, archive.file_name) as empty:
        if empty:
            downloaded = _download(archive, home, mirror, progressbar)
            _unpack(archive, downloaded, folder)
            downloaded.unlink()
    return folder


def fetch_files(info, name, data_home, progressbar):
    """Download the files of a data repository unless that was done before.

    The repository gives the MD5 of each file, which pooch verifies. Files that were downloaded
    before an interruption are kept. The folder appears complete or not at all.

    Parameters
    ----------
    info : CorpusInfo
        Corpus with a DOI.
    name : str
        Name of the folder below the data home.
    data_home : path-like or None
        Folder for downloads, as in `get_data_home`.
    progressbar : bool
        If True, show a progress bar over the files.

    Returns
    -------
    Path
        Folder with the files.

    Raises
    ------
    DownloadError
        If a file cannot be downloaded or verified.
    """
    import pooch
    import requests
    from tqdm import tqdm

    folder = get_data_home(data_home) / name
    with _to_fill(folder, info, f"the corpus {info.name}") as empty:
        if not empty:
            return folder
        temporary = folder.with_name(f".{name}.part")
        log = pooch.get_logger()
        level = log.level
        log.setLevel("WARNING")  # or pooch would print a line for each file
        files = pooch.create(temporary, base_url=f"doi:{info.doi}/", retry_if_failed=_ATTEMPTS - 1)
        try:
            repository = pooch.downloaders.doi_to_repository(info.doi, timeout=_TIMEOUT)
            repository.populate_registry(files)
            if odd := [file for file in files.registry if Path(file).name != file]:
                raise ValueError(f"{odd[0]!r} is not the name of a file")
            for file in tqdm(sorted(files.registry), desc=info.name, disable=not progressbar):
                # Without this downloader, pooch would ask for the list of files once per file.
                files.fetch(file, downloader=_from(repository))
        except (requests.exceptions.RequestException, ValueError) as error:
            raise DownloadError(
                f"{info.name} cannot be downloaded from doi:{info.doi} ({_reason(error)}). Check "
                f"the internet connection. The files received so far are kept in {temporary}, and "
                "the next call resumes from there."
            ) from error
        finally:
            log.setLevel(level)
        if folder.is_dir():
            folder.rmdir()
        os.replace(temporary, folder)
    return folder


def _from(repository):
    """Return a downloader for pooch of the files of a data repository."""
    import pooch

    http = pooch.HTTPDownloader(timeout=_TIMEOUT)

    def download(url, output_file, pooch):
        http(repository.download_url(url.rsplit("/", 1)[1]), output_file, pooch)

    return download


@contextlib.contextmanager
def _to_fill(folder, info, what):
    """Lock the folder of a corpus and print the license; the value is False if it is filled."""
    home = folder.parent
    with one_line_errors(what, home):
        if _filled(folder):
            yield False
            return
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / f".{folder.name}.lock"):
            if _filled(folder):  # by another process in the meantime
                yield False
                return
            license = f"{info.name} has the license {info.license}; see {info.url}"
            print(license, file=sys.stderr, flush=True)
            yield True


def _filled(folder):
    """Return True if the folder exists and is not empty."""
    return folder.is_dir() and any(folder.iterdir())


def _download(archive, home, mirror, progressbar):
    """Download an archive, verify its checksum and return its path."""
    import pooch
    import requests

    url = archive.url if mirror is None else f"{mirror.rstrip('/')}/{archive.file_name}"
    try:
        return Path(
            pooch.retrieve(
                url,
                known_hash=archive.checksum,
                fname=archive.file_name,
                path=home,
                downloader=_ResumingDownloader(home / f"{archive.file_name}.part", progressbar),
            )
        )
    except requests.exceptions.HTTPError as error:
        status = error.response.status_code
        raise DownloadError(
            f"{url} answered with HTTP status {status}. Try again later, or give another mirror=."
        ) from error
    except (requests.exceptions.RequestException, _IncompleteError) as error:
        raise DownloadError(
            f"{url} cannot be downloaded ({_reason(error)}). Check the internet connection. The "
            f"part received so far is kept in {home}, and the next call resumes from there."
        ) from error
    except ValueError as error:  # raised by pooch if the checksum differs
        raise DownloadError(
            f"The file from {url} does not have the expected checksum {archive.checksum}, so it "
            "was deleted. Try again, or give another mirror=."
        ) from error


class _IncompleteError(Exception):
    """Error raised when a server closes every connection too early."""


class _ResumingDownloader:
    """Downloader for pooch that resumes an interrupted download.

    pooch deletes its own temporary file when it is interrupted, so the bytes are kept in the
    file `part` until the download is complete.
    """

    def __init__(self, part, progressbar):
        self.part = part
        self.progressbar = progressbar

    def __call__(self, url, output_file, pooch):
        """Download `url` to `output_file`."""
        import requests

        for attempt in range(_ATTEMPTS):
            try:
                if self._resume(url):
                    break
            except (
                requests.exceptions.ConnectionError,
                requests.exceptions.ChunkedEncodingError,
                requests.exceptions.Timeout,
            ):
                if attempt == _ATTEMPTS - 1:
                    raise
        else:
            raise _IncompleteError("the server sent less than it announced")
        os.replace(self.part, output_file)

    def _resume(self, url):
        """Append the missing bytes to the part; return True if it is complete."""
        import requests
        from tqdm import tqdm

        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Accept-Encoding": "identity"}  # ranges count bytes of the file itself
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            if response.status_code == 416:  # the part is at least as long as the file
                total = response.headers.get("Content-Range", "").rpartition("/")[2]
                if total == str(have):
                    return True
                self.part.unlink()  # longer than the file, so not a part of it
                return False
            response.raise_for_status()
            if response.status_code != 206:
                have = 0  # the server ignored the range and sends the whole file
            length = response.headers.get("Content-Length")
            total = None if length is None else have + int(length)
            with (
                open(self.part, "r+b" if have else "wb") as sink,
                tqdm(
                    total=total,
                    initial=have,
                    unit="B",
                    unit_scale=True,
                    desc=url.rsplit("/", 1)[1],
                    disable=not self.progressbar,
                ) as bar,
            ):
                sink.seek(have)
                for chunk in response.iter_content(_CHUNK):
                    sink.write(chunk)
                    bar.update(len(chunk))
                return total is None or sink.tell() == total


def _unpack(archive, downloaded, folder):
    """Unpack an archive into a temporary folder and move that into place.

    The folder therefore appears complete or not at all.
    """
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # left over if a process was killed
    try:
        temporary.mkdir()
        unpack_zip(downloaded, temporary, archive.max_bytes, archive.max_members)
        if folder.is_dir():
            folder.rmdir()  # empty; on Windows, os.replace cannot overwrite a folder
        os.replace(temporary, folder)
    except (UnsafeArchiveError, zipfile.BadZipFile) as error:
        downloaded.unlink()
        raise DownloadError(f"{archive.file_name} was refused and deleted: {error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def one_line_errors(what, home):
    """Turn each OSError into a DownloadError with a remedy on one line.

    Parameters
    ----------
    what : str
        Name of the file or database that is downloaded.
    home : Path
        Folder for downloads.
    """
    try:
        yield
    except DownloadError:
        raise
    except OSError as error:
        remedy = "Choose another folder with data_home= or SKSER_HOME"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(
                error.errno,
                f"The disk of {home} is full: {what} does not fit. {remedy}, or free some space "
                "and try again",
            ) from error
        raise DownloadError(
            error.errno, f"{home} cannot be written ({error.strerror or error}). {remedy}"
        ) from error


def _reason(error):
    """Return the message of the innermost cause, which is the most specific one."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__
