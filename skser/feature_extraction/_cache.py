"""Features kept on disk: one file per utterance and setting."""

import hashlib
import io
import os
import warnings
import zlib
from pathlib import Path

import numpy as np

from skser import __version__
from skser._whole_file import whole_file
from skser.audio import open_audio, rate_of

_CHECKSUM = 4  # bytes behind the array in an entry


class FeatureCache:
    """Folder of arrays, keyed by the content of the audio and by the setting.

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

    @staticmethod
    def key(item, input_sampling_rate):
        """Identity of an utterance: its bytes, wherever they lie and whatever their name.

        None where they cannot be told. Raises `AudioReadError` for what is no file.
        """
        if isinstance(item, str):
            with open_audio(item) as file:
                return hashlib.file_digest(file, _file_digest).hexdigest()
        array = np.asarray(item)
        if array.dtype == object:
            return None
        digest = hashlib.blake2b(digest_size=16, person=b"array")
        rate = float(rate_of(item, input_sampling_rate))
        digest.update(f"{array.dtype.str} {array.shape} {rate!r} ".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()

    def get(self, key, compute, *, wait):
        """Read an entry, or compute and keep it.

        Parameters
        ----------
        key : str
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
            if _checksum(key, content[:-_CHECKSUM]) == content[-_CHECKSUM:]:
                return np.load(io.BytesIO(content), allow_pickle=False)
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
                file.write(content + _checksum(key, content))
        except OSError as error:
            self._warn_of(error)

    def _warn_of(self, error):
        # The same words for every utterance, so that they are said once.
        warnings.warn(
            f"Features are not kept: memory={str(self.folder.parent)!r} cannot be written "
            f"({getattr(error, 'strerror', None) or error}). Results are complete all the same.",
            stacklevel=2,
        )


def _file_digest():
    return hashlib.blake2b(digest_size=16, person=b"file")


def _checksum(key, content):
    return zlib.crc32(content, zlib.crc32(key.encode())).to_bytes(_CHECKSUM, "little")
