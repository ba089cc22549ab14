"""Features kept on disk: one file per utterance and setting."""

import hashlib
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np

from skser import __version__
from skser.audio import rate_of


class FeatureCache:
    """Folder of arrays, keyed by the content of the audio and by the setting.

    Entries appear whole or not at all, so a kill leaves nothing half-written, and a lock per
    entry lets several processes share the folder without computing anything twice.

    Parameters
    ----------
    folder : path-like
    setting : str
        Everything that matters to the values, as text.
    """

    def __init__(self, folder, setting):
        digest = hashlib.blake2b(f"skser {__version__} {setting}".encode(), digest_size=16)
        self.folder = Path(folder) / digest.hexdigest()
        self.folder.mkdir(parents=True, exist_ok=True)

    @staticmethod
    def key(item, input_sampling_rate):
        """Identity of an utterance: its bytes, wherever they lie and whatever their name."""
        if isinstance(item, str):
            try:
                content, kind = Path(item).read_bytes(), b"file"
            except OSError:
                return None  # the reader will say what is wrong with it
        else:
            array = np.asarray(item)
            if array.dtype == object:
                return None
            content = np.ascontiguousarray(array).tobytes()
            rate = rate_of(item, input_sampling_rate)
            kind = f"{array.dtype.str} {rate:g}".encode()[:16]
        return hashlib.blake2b(content, digest_size=16, person=kind).hexdigest()

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
            with FileLock(self.folder / f"{key}.lock", timeout=-1 if wait else 0):
                found = self.find(key)
                if found is None:
                    found = compute()
                    self.keep(key, found)
                return found
        except Timeout:
            return None

    def find(self, key):
        """Read an entry; None if there is none."""
        return _load(self.folder / f"{key}.npy")

    def keep(self, key, array):
        """Write an entry, in place of whatever is there."""
        _write(self.folder / f"{key}.npy", array)


def _load(path):
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (ValueError, EOFError) as error:
        warnings.warn(
            f"The cached features {path} are damaged ({error}); computing them again.", stacklevel=2
        )
        return None


def _write(path, array):
    handle, scratch = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, array, allow_pickle=False)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise
