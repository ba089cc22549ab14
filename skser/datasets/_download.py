"""Downloading a corpus once, whole, and safely."""

import contextlib
import errno
import os
import shutil
import zipfile
from pathlib import Path

from filelock import FileLock

from skser.datasets._archive import UnsafeArchiveError, unpack_zip

_ATTEMPTS = 3  # of a download that breaks off, each going on where the last one stopped
_CHUNK = 1 << 16  # bytes: what a connection that breaks may lose
_TIMEOUT = 30  # seconds without a byte


class DownloadError(OSError):
    """A corpus could not be fetched; the message says why and what to do.

    Examples
    --------
    >>> from skser.datasets import DownloadError
    >>> issubclass(DownloadError, OSError)
    True
    """


def get_data_home(data_home=None):
    """Folder that corpora are downloaded to.

    Parameters
    ----------
    data_home : path-like or None, default=None
        None means the environment variable ``SKSER_HOME``, or ``~/skser_data`` where that is
        not set.

    Returns
    -------
    Path
        It need not exist: it is made when something is fetched.

    Examples
    --------
    >>> from skser.datasets import get_data_home
    >>> get_data_home("corpora").name
    'corpora'
    """
    if data_home is None:
        data_home = os.environ.get("SKSER_HOME") or "~/skser_data"
    return Path(data_home).expanduser().absolute()


def fetch_archive(archive, name, data_home, mirror, progressbar):
    """Folder of an archive's content, downloaded and unpacked where it was not before.

    A second process waits for the first. The folder appears whole or not at all.

    Parameters
    ----------
    archive : Archive
    name : str
        Of the folder below the data home.
    data_home : path-like or None
    mirror : str or None
        Address of the folder that holds the file, instead of the published one.
    progressbar : bool

    Returns
    -------
    Path

    Raises
    ------
    DownloadError
    ValueError
        If `mirror` is no address.
    """
    if mirror is not None and not str(mirror).lower().startswith(("http://", "https://")):
        raise ValueError(
            f"mirror={str(mirror)!r} is no address: a URL that begins with https:// or http:// is "
            "expected. What is on this machine already needs its loader, not a download."
        )
    home = get_data_home(data_home)
    folder = home / name
    with one_line_errors(archive.file_name, home):
        if _filled(folder):
            return folder
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / f".{name}.lock"):
            if not _filled(folder):
                downloaded = _download(archive, home, mirror, progressbar)
                _unpack(archive, downloaded, folder)
                downloaded.unlink()
    return folder


def _filled(folder):
    """Whether there is something in it; an empty folder is as good as none."""
    return folder.is_dir() and any(folder.iterdir())


def _download(archive, home, mirror, progressbar):
    """Path of the archive, with its checksum verified."""
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
        raise DownloadError(f"{url} answers with status {status}. Another mirror= may.") from error
    except (requests.exceptions.RequestException, _BrokenOffError) as error:
        raise DownloadError(
            f"{url} cannot be downloaded ({_reason(error)}). Is this machine offline? What has "
            f"come so far is kept in {home}; the next call goes on from there."
        ) from error
    except ValueError as error:  # how pooch says that the checksum differs
        raise DownloadError(
            f"What {url} sent has another checksum than {archive.checksum}, so it was deleted. "
            "Try again, or another mirror=."
        ) from error


class _BrokenOffError(Exception):
    """A server closed the connection too early, again and again."""


class _ResumingDownloader:
    """A downloader for pooch that goes on where an interrupted one stopped.

    pooch deletes its own temporary file when it is interrupted, so the bytes are kept in `part`
    until all are there.
    """

    def __init__(self, part, progressbar):
        self.part = part
        self.progressbar = progressbar

    def __call__(self, url, output_file, pooch):
        """Download `url` to `output_file`."""
        import requests

        for attempt in range(_ATTEMPTS):
            try:
                if self._go_on(url):
                    break
            except (
                requests.exceptions.ConnectionError,
                requests.exceptions.ChunkedEncodingError,
                requests.exceptions.Timeout,
            ):
                if attempt == _ATTEMPTS - 1:
                    raise
        else:
            raise _BrokenOffError("it sent less than it announced")
        os.replace(self.part, output_file)

    def _go_on(self, url):
        """Append to the part what it lacks; whether it is all there now."""
        import requests
        from tqdm import tqdm

        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            if response.status_code == 416:  # nothing lies behind what is there
                total = response.headers.get("Content-Range", "").rpartition("/")[2]
                if total == str(have):
                    return True
                self.part.unlink()  # longer than the file: of something else
                return False
            response.raise_for_status()
            if response.status_code != 206:
                have = 0  # the server sends all of it again
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
    """Unpack beside the folder, then rename: it is there whole or not at all."""
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    try:
        temporary.mkdir()
        unpack_zip(downloaded, temporary, archive.max_bytes, archive.max_members)
        if folder.is_dir():
            folder.rmdir()  # an empty one, which Windows does not replace
        os.replace(temporary, folder)
    except (UnsafeArchiveError, zipfile.BadZipFile) as error:
        downloaded.unlink()
        raise DownloadError(f"{archive.file_name} is refused and was deleted: {error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def one_line_errors(what, home):
    """Say in one line what a full disk or a folder that cannot be written means here."""
    try:
        yield
    except DownloadError:
        raise
    except OSError as error:
        remedy = "Choose another folder with data_home= or SKSER_HOME"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(
                error.errno,
                f"The disk of {home} is full: {what} does not fit. {remedy}, or make room and call "
                "again",
            ) from error
        raise DownloadError(
            error.errno, f"{home} cannot be written ({error.strerror or error}). {remedy}"
        ) from error


def _reason(error):
    """The innermost cause, which says more than the layers around it."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__
