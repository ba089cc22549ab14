"""Records of finished work, found again by the content of the audio.

`FeatureCache` serves `memory=`, and `Journal` serves `transform_to`.
"""

import contextlib
import errno
import hashlib
import io
import json
import math
import os
import stat
import warnings
import zlib
from pathlib import Path

import numpy as np

from skser import __version__
from skser._whole_file import whole_file
from skser.audio import utterance_name
from skser.sequences import BlockWriter, write_all

_CHECKSUM = 4  # bytes after the array in a cache entry
# Flags that Windows lacks, where links need permission.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def _checksum(content, key=""):
    return zlib.crc32(content, zlib.crc32(key.encode()))


def _array_in(content):
    """Return the array in a .npy file's content, as a view of it where possible."""
    # A view, since a copy would take longer than everything else here.
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) == (1, 0):
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
        count = math.prod(shape)
        if count and not fortran_order and not dtype.hasobject:
            return np.frombuffer(content, dtype, count, stream.tell()).reshape(shape)
    stream.seek(0)
    return np.load(stream, allow_pickle=False)


def _plain_content(path):
    """Read a regular file; a link, a pipe or a device could lead elsewhere or never end."""
    handle = os.open(path, os.O_RDONLY | _NO_LINK)
    with os.fdopen(handle, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read()


class FeatureCache:
    """Folder of arrays, one per utterance and setting.

    Entries are written atomically, so a killed process leaves nothing half-written. One lock per
    entry lets several processes share the folder without computing anything twice. Each entry
    ends with a checksum of its key and its content; an entry that the disk has damaged is
    computed again. If an entry cannot be written, a warning says so and its result is used
    without being kept.

    Parameters
    ----------
    folder : path-like
        Folder of the cache. It is created if necessary.
    setting : str
        Everything that affects the values, as text.
    like : ndarray or None, default=None
        Array of the dtype, dimensions and columns that entries must have; None accepts any.

    Raises
    ------
    OSError
        If the folder does not exist and cannot be created.
    """

    def __init__(self, folder, setting, like=None):
        self.like = like
        setting = f"skser {__version__}, checked entries, {setting}"
        digest = hashlib.blake2b(setting.encode("utf-8", "surrogatepass"), digest_size=16)
        self.folder = Path(folder) / digest.hexdigest()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            error.add_note(
                f"memory={os.fspath(folder)!r} must be a folder that exists or can be created."
            )
            raise

    def get(self, key, compute, *, wait):
        """Read an entry, or compute and keep it.

        Parameters
        ----------
        key : str
            Identity of the utterance, from `skser.audio.identity`.
        compute : callable
            Function of no arguments that returns the array.
        wait : bool
            Whether to wait while another process computes this entry.

        Returns
        -------
        ndarray or None
            The array; None if another process is computing it and `wait` is False.
        """
        from filelock import FileLock, Timeout

        found = self.find(key)
        if found is not None:
            return found
        try:
            lock = FileLock(self.folder / f"{key}.lock").acquire(timeout=-1 if wait else 0)
        except Timeout:
            return None
        except (OSError, NotImplementedError) as error:  # the latter on systems without locks
            self._warn_of(error)
            return compute()
        with lock:
            found = self.find(key)
            if found is None:
                found = compute()
                self.keep(key, found)
            return found

    def find(self, key):
        """Read an entry; return None if it is missing or damaged."""
        path = self.folder / f"{key}.npy"
        try:
            content = _plain_content(path)
            body, written = memoryview(content)[:-_CHECKSUM], content[-_CHECKSUM:]
            array = None
            if _checksum(body, key).to_bytes(_CHECKSUM, "little") == written:
                array = _array_in(content)
            if array is not None and self._fits(array):
                return array
            reason = "their checksum is wrong" if array is None else f"their shape is {array.shape}"
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            reason = error.strerror
        except ValueError:
            reason = "they are not an array"
        warnings.warn(
            f"The cached features {path} are damaged ({reason}) and are computed again.",
            stacklevel=2,
        )
        return None

    def _fits(self, array):
        like = self.like
        if like is None:
            return True
        # Frames and samples are of any number, the columns of a vector are not.
        varies = like.ndim > 1 or not like.size
        shapes = (array.shape[varies:], like.shape[varies:])
        return (array.dtype, array.ndim) == (like.dtype, like.ndim) and shapes[0] == shapes[1]

    def keep(self, key, array):
        """Write an entry, replacing an earlier one, or warn that it cannot be written."""
        content = io.BytesIO()
        np.save(content, array, allow_pickle=False)
        content = content.getvalue()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)  # someone may have removed it
            with whole_file(self.folder / f"{key}.npy", synced=False) as file:
                file.write(content + _checksum(content, key).to_bytes(_CHECKSUM, "little"))
        except OSError as error:
            self._warn_of(error)

    def _warn_of(self, error):
        # No utterance is named, so that Python shows equal warnings only once.
        warnings.warn(
            f"Features are not cached: memory={str(self.folder.parent)!r} cannot be written "
            f"({getattr(error, 'strerror', None) or error}). These results are complete, but "
            "later calls must compute them again.",
            stacklevel=2,
        )


class Journal:
    """Record of the utterances whose frames a block holds, in the order of the frames.

    The file has lines of JSON. The first is a heading with the settings. Each other line is an
    entry for one utterance: its position in X, its number of frames, its identity, its name and
    the reason if it could not be read, and a checksum.

    Parameters
    ----------
    folder : Path
        Folder of the block. Entries whose frames it does not hold are ignored.
    n_columns : int
        Number of columns of the block.

    Attributes
    ----------
    heading : dict or None
        Settings of the extraction; None if it has not started.
    entries : list of [int, int, str or None, tuple or None]
        Position, number of frames, identity, and (name, reason) of each utterance, up to the
        first damaged entry.
    n_frames : int
        Total number of frames of all entries.
    """

    def __init__(self, folder, n_columns):
        self.folder = folder
        self.n_columns = n_columns
        self.heading, self.entries, self.n_frames, self._end = None, [], 0, 0
        missing = (FileNotFoundError, NotADirectoryError)
        with contextlib.suppress(*missing), self._path.open("rb") as file:
            self._read(file, BlockWriter.n_frames_in(folder, n_columns))

    @property
    def _path(self):
        return self.folder / "journal.jsonl"

    def _read(self, lines, n_frames_there):
        for line in lines:
            content = _content(line)
            if isinstance(content, dict) and self.heading is None:
                self.heading = content
            elif not isinstance(content, list) or self.heading is None:
                return  # cut off by a kill, or damaged
            elif self.n_frames + content[1] <= n_frames_there:
                self.entries.append(content)
                self.n_frames += content[1]
            else:
                return
            self._end += len(line)

    def check(self, heading, identities, items, delete):
        """Raise ValueError if settings or inputs differ from those of the finished entries.

        Parameters
        ----------
        heading : dict
            Present settings.
        identities : list of (str or None)
            Identity of each input; None if it cannot be read.
        items : list
            Inputs, for their names in messages.
        delete : Path
            Folder that the user must delete to start over.
        """
        if self.heading is None:
            return
        remedy = f"Restore it, or delete {delete} to start over."
        for name in {**heading, **self.heading}:
            then, now = self.heading.get(name), heading.get(name)
            if then != now:
                raise ValueError(
                    f"{delete} was started with {name}={then}, but now it is {now}. {remedy}"
                )
        for i, _, known, reason in self.entries:
            if known != identities[i] and not reason:
                name = utterance_name(items[i], i)
                raise ValueError(
                    f"Input {i} ({name}) differs from the one whose features {delete} holds: it "
                    f"is another file, or it has changed since. {remedy}"
                )

    def missing(self, identities, keep_bad):
        """Return the positions of the utterances that are not finished.

        Parameters
        ----------
        identities : list of (str or None)
            Identity of each input; None if it cannot be read.
        keep_bad : bool
            Whether an utterance that could not be read counts as finished while its content
            stays the same.

        Returns
        -------
        list of int
        """
        done = {
            i
            for i, _, known, reason in self.entries
            if not reason or (keep_bad and known == identities[i])
        }
        return [i for i in range(len(identities)) if i not in done]

    @contextlib.contextmanager
    def writing(self, heading):
        """Open the journal for `append`, after cutting off ignored lines."""
        self._path.touch()
        with self._path.open("r+b", buffering=0) as self._file:
            self._file.truncate(self._end)
            self._file.seek(self._end)
            if self.heading is None:
                self._write_line(heading)
            yield

    def append(self, index, n_frames, known, reason=None):
        """Add the entry of an utterance whose frames have been written."""
        entry = [index, n_frames, known, reason]
        self.entries.append(entry)
        self.n_frames += n_frames
        self._write_line([*entry, _checksum(json.dumps(entry).encode())])

    def _write_line(self, content):
        write_all(self._file, json.dumps(content).encode() + b"\n")

    def lengths_and_starts(self, n_utterances):
        """Return the number of frames of each utterance and the first of them in the block.

        If an utterance has several entries, the last one counts.
        """
        indices, n_frames = np.array([entry[:2] for entry in self.entries], np.int64).T
        lengths, starts = np.zeros((2, n_utterances), np.int64)
        lengths[indices] = n_frames
        starts[indices] = np.cumsum(n_frames) - n_frames
        return lengths, starts


def _content(line):
    """Parse a line: return the heading, an entry, or None if it is cut off or damaged."""
    try:
        content = json.loads(line)
    except ValueError:
        return None
    if not line.endswith(b"\n"):
        return None
    if isinstance(content, list):
        *entry, checksum = content or [None]
        return entry if checksum == _checksum(json.dumps(entry).encode()) else None
    return content
