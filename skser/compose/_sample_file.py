"""Samples of many utterances in a temporary file, so that they need not fit into memory."""

import errno
import tempfile
from pathlib import Path

import numpy as np


class SampleFile:
    """Temporary file of float32 samples, mapped into memory.

    The operating system keeps in memory what fits, and processes of joblib open the file
    instead of receiving copies. It is deleted at the end of a ``with`` block; arrays that are
    still in use stay valid, except on Windows, where the file stays as well.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.compose._sample_file import SampleFile
    >>> with SampleFile() as file:
    ...     file.append(np.array([0.1, 0.2], dtype=np.float32))
    ...     file.append(np.array([0.3], dtype=np.float32))
    ...     file.arrays()
    [array([0.1, 0.2], dtype=float32), array([0.3], dtype=float32)]
    """

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="skser-", ignore_cleanup_errors=True)
        self._file = open(Path(self._folder.name, "samples.f32"), "wb")
        self._ends = [0]
        return self

    def __exit__(self, *exception):
        self._file.close()
        self._folder.cleanup()

    def append(self, samples):
        """Write the samples of one utterance.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
            At least one sample.

        Raises
        ------
        OSError
            If the file cannot be written, such as on a full disk.
        """
        try:
            self._file.write(np.ascontiguousarray(samples, dtype=np.float32).data)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                error.add_note(
                    "Samples of altered copies are written to a temporary file. Let the "
                    "environment variable TMPDIR name a folder on a larger disk."
                )
            raise
        self._ends.append(self._ends[-1] + len(samples))

    def arrays(self):
        """Return what was written since the last call, one array per utterance.

        Returns
        -------
        list of ndarray of shape (n_samples,), float32
            Views of the mapped file. Writing to them does not change it.
        """
        self._file.flush()
        first, n_samples = self._ends[0], self._ends[-1] - self._ends[0]
        # Copy-on-write: torch warns of read-only arrays, and nobody may change what others read.
        values = np.memmap(self._file.name, np.float32, "c", 4 * first, (n_samples,))
        views = [
            values[start - first : end - first].view(np.ndarray)
            for start, end in zip(self._ends[:-1], self._ends[1:], strict=True)
        ]
        self._ends = self._ends[-1:]
        return views
