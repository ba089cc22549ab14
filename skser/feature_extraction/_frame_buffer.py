"""Results of many utterances, their frames in one block that grows."""

import numpy as np

from skser.sequences import Sequences

_SMALL, _LARGE = 2**20, 2**24  # numbers of values


class FrameBuffer:
    """A list whose frames, 2-D float32 arrays of one width, are copied into one block.

    Memory that is touched for the first time costs about as much as computing what it holds;
    arrays that are gathered in a list and concatenated would touch twice as much.
    """

    def __init__(self):
        self._values = None
        self._n_frames = 0
        self._entries = []  # a slice of the block, or anything else as it is

    def append(self, result):
        """Add a result; an array is copied."""
        self._entries.append(self._store(result))

    def _store(self, result):
        if not isinstance(result, np.ndarray):
            return result
        if result.ndim != 2 or result.dtype != np.float32:
            return np.array(result)
        if self._values is None:
            self._values = np.empty((0, result.shape[1]), np.float32)
        if result.shape[1] != self._values.shape[1]:
            return np.array(result)
        start, stop = self._n_frames, self._n_frames + len(result)
        if stop > len(self._values):
            self._grow(stop)
        self._values[start:stop] = result
        self._n_frames = stop
        return slice(start, stop)

    def _grow(self, n_frames):
        capacity, width = self._values.shape
        if capacity * width >= _LARGE:
            # The system moves pages, not their content.
            return self._resize(max(n_frames, capacity * 5 // 4))
        # A large block costs no more than what of it is used.
        wanted = 2 * n_frames if n_frames * width < _SMALL else _LARGE // width + 1
        larger = np.empty((max(n_frames, wanted), width), np.float32)
        larger[: self._n_frames] = self._values[: self._n_frames]
        self._values = larger

    def _resize(self, n_frames):
        # No view is out yet, or they are all given up.
        self._values.resize((n_frames, self._values.shape[1]), refcheck=False)

    def __len__(self):
        return len(self._entries)

    def __getitem__(self, i):
        entry = self._entries[i]
        return self._values[entry] if isinstance(entry, slice) else entry

    def __setitem__(self, i, result):
        self._entries[i] = result

    def sequences(self, layout):
        """`Sequences` of the results, which must all be frames; the buffer is given up."""
        if not all(isinstance(entry, slice) for entry in self._entries):
            return Sequences.from_list(list(self), layout)
        self._resize(self._n_frames)
        return Sequences(self._values, [e.stop - e.start for e in self._entries], layout=layout)
