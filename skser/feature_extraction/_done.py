"""What is done already, known again by content: for `memory=` and for `transform_to`."""

import contextlib
import hashlib
import io
import json
import math
import os
import warnings
import zlib
from pathlib import Path

import numpy as np

from skser import __version__
from skser._whole_file import whole_file
from skser.audio import utterance_name
from skser.sequences import BlockWriter, write_all

_CHECKSUM = 4  # bytes behind the array in an entry


def _checksum(content, key=""):
    return zlib.crc32(content, zlib.crc32(key.encode()))


def _array_in(content):
    """Array of a .npy file's content, and as a rule a view of it: copies would cost the most."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) == (1, 0):
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
        count = math.prod(shape)
        if count and not fortran_order and not dtype.hasobject:
            return np.frombuffer(content, dtype, count, stream.tell()).reshape(shape)
    stream.seek(0)
    return np.load(stream, allow_pickle=False)


class FeatureCache:
    """Folder of arrays, by the identity of the utterance and by the setting.

    Entries appear whole or not at all, so a kill leaves nothing half-written, and a lock per
    entry lets several processes share the folder without computing anything twice. An entry
    ends with a checksum of its key and its content: what a disk has spoiled is computed again.
    Where nothing can be written, a warning says so and results go on without being kept.

    Parameters
    ----------
    folder : path-like
    setting : str
        Everything that matters to the values, as text.

    Raises
    ------
    OSError
        If the folder is not there and cannot be made.
    """

    def __init__(self, folder, setting):
        setting = f"skser {__version__}, checked entries, {setting}"
        digest = hashlib.blake2b(setting.encode("utf-8", "surrogatepass"), digest_size=16)
        self.folder = Path(folder) / digest.hexdigest()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            error.add_note(
                f"memory={os.fspath(folder)!r} must be a folder, or where one can be made."
            )
            raise

    def get(self, key, compute, *, wait):
        """Read an entry, or compute and keep it.

        Parameters
        ----------
        key : str
            From `skser.audio.identity`.
        compute : callable
            Called without arguments; returns an array.
        wait : bool
            Whether to wait while another process computes this entry.

        Returns
        -------
        ndarray or None
            None if another process is at it and `wait` is False.
        """
        from filelock import FileLock, Timeout

        found = self.find(key)
        if found is not None:
            return found
        try:
            lock = FileLock(self.folder / f"{key}.lock").acquire(timeout=-1 if wait else 0)
        except Timeout:
            return None
        except (OSError, NotImplementedError) as error:  # the latter where locks are unknown
            self._warn_of(error)
            return compute()
        with lock:
            found = self.find(key)
            if found is None:
                found = compute()
                self.keep(key, found)
            return found

    def find(self, key):
        """Read an entry; None if there is none that is as it was written."""
        path = self.folder / f"{key}.npy"
        try:
            content = path.read_bytes()
            body, written = memoryview(content)[:-_CHECKSUM], content[-_CHECKSUM:]
            if _checksum(body, key).to_bytes(_CHECKSUM, "little") == written:
                return _array_in(content)
            reason = "they are not what was written"
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            reason = error.strerror
        warnings.warn(
            f"The cached features {path} are damaged ({reason}); computing them again.",
            stacklevel=2,
        )
        return None

    def keep(self, key, array):
        """Write an entry, in place of whatever is there, or warn that it cannot be written."""
        content = io.BytesIO()
        np.save(content, array, allow_pickle=False)
        content = content.getvalue()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)  # it may have been removed since
            with whole_file(self.folder / f"{key}.npy", synced=False) as file:
                file.write(content + _checksum(content, key).to_bytes(_CHECKSUM, "little"))
        except OSError as error:
            self._warn_of(error)

    def _warn_of(self, error):
        # The same words for every utterance, so that they are said once.
        warnings.warn(
            f"Features are not kept: memory={str(self.folder.parent)!r} cannot be written "
            f"({getattr(error, 'strerror', None) or error}). Results are complete all the same.",
            stacklevel=2,
        )


class Journal:
    """What the frames of a block are, utterance by utterance in their order.

    Lines of JSON: a heading that says what is computed, then per utterance its position in X,
    its number of frames, its identity, if it could not be read its name and the reason, and a
    checksum.

    Parameters
    ----------
    folder : Path
        Of the block. Lines for which it does not hold the frames count for nothing.
    n_columns : int

    Attributes
    ----------
    heading : dict or None
        None if nothing was begun.
    entries : list of [int, int, str or None, tuple or None]
        Up to the first that is damaged.
    n_frames : int
        Of all entries.
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
        """Raise if settings or inputs are no longer those of what is there.

        Parameters
        ----------
        heading : dict
        identities : list of (str or None)
        items : list
            To name an utterance.
        delete : Path
            What to delete to start afresh.
        """
        if self.heading is None:
            return
        remedy = f"Put it back, or delete {delete} to start afresh."
        for name in {**heading, **self.heading}:
            then, now = self.heading.get(name), heading.get(name)
            if then != now:
                raise ValueError(
                    f"{delete} was begun with {name}={then}, now it is {now}. {remedy}"
                )
        for i, _, known, reason in self.entries:
            if known != identities[i] and not reason:
                name = utterance_name(items[i], i)
                raise ValueError(
                    f"Input {i} ({name}) is not what {delete} holds the features of: another "
                    f"file, or changed since. {remedy}"
                )

    def missing(self, identities, keep_bad):
        """Positions of the utterances that are still to be done.

        Parameters
        ----------
        identities : list of (str or None)
        keep_bad : bool
            Whether an utterance that could not be read is done, as long as it is the same.
        """
        done = {
            i
            for i, _, known, reason in self.entries
            if not reason or (keep_bad and known == identities[i])
        }
        return [i for i in range(len(identities)) if i not in done]

    @contextlib.contextmanager
    def writing(self, heading):
        """Context in which `append` works; cuts off what does not count."""
        self._path.touch()
        with self._path.open("r+b", buffering=0) as self._file:
            self._file.truncate(self._end)
            self._file.seek(self._end)
            if self.heading is None:
                self._write_line(heading)
            yield

    def append(self, index, n_frames, known, reason=None):
        """Note an utterance whose frames are written."""
        entry = [index, n_frames, known, reason]
        self.entries.append(entry)
        self.n_frames += n_frames
        self._write_line([*entry, _checksum(json.dumps(entry).encode())])

    def _write_line(self, content):
        write_all(self._file, json.dumps(content).encode() + b"\n")

    def lengths_and_starts(self, n_utterances):
        """Where the frames of each utterance are; its last entry counts."""
        indices, n_frames = np.array([entry[:2] for entry in self.entries], np.int64).T
        lengths, starts = np.zeros((2, n_utterances), np.int64)
        lengths[indices] = n_frames
        starts[indices] = np.cumsum(n_frames) - n_frames
        return lengths, starts


def _content(line):
    """What a line says: the heading, an entry, or None if it is cut off or damaged."""
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
