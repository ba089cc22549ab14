"""Container of variable-length frame sequences."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from skser._wording import counted
from skser.sequences._index import describe_index
from skser.sequences._layout import Layout
from skser.sequences._storage import TemporaryFolder, read_block, write_block

# Values per run when frames are processed in bounded memory: 16 MB of float32.
_RUN_VALUES = 2**22


class Sequences:
    """Container of variable-length frame sequences that share one block of memory.

    To scikit-learn it is a one-dimensional container of utterances: splitters,
    cross-validation, grid search, joblib and pickle accept it like an array. Indexing with a
    slice, an integer array or a boolean mask returns another `Sequences` over the *same* block,
    so cross-validation copies no frames.

    Parameters
    ----------
    values : ndarray of shape (total_frames, n_columns), float32
        Block of frames. No method writes into it.
    lengths : array-like of shape (n_utterances,), int
        Number of frames of each utterance.
    starts : array-like of shape (n_utterances,), int, or None, default=None
        First row of each utterance in the block; None if each follows the previous one.
    layout : Layout or None, default=None
        Meaning of the columns and frames; None names the columns ``x0``, ``x1``, ...
    index : pandas Index of n_utterances labels, or None, default=None
        Labels of the utterances, which are the row labels of the table they were made from.

    Attributes
    ----------
    shape : tuple
        ``(n_utterances,)``.
    n_columns : int
        Number of values of each frame.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.sequences import Sequences
    >>> X = Sequences.from_list([np.zeros((3, 2)), np.ones((5, 2))])
    >>> X
    Sequences(2 utterances, 8 frames, 2 columns)
    >>> X[1].shape, X[[1]].shape, X.reduce(np.add)
    ((5, 2), (1,), array([[0., 0.],
           [5., 5.]], dtype=float32))
    """

    ndim = 1
    index = None

    def __init__(self, values, lengths, starts=None, layout=None, index=None):
        if values.ndim != 2 or values.dtype != np.float32 or not values.flags.c_contiguous:
            raise ValueError(
                "values must be a C-contiguous float32 array of shape (total_frames, n_columns), "
                f"not {values.dtype} of shape {values.shape}."
            )
        lengths = np.asarray(lengths, dtype=np.int64)
        if starts is None:
            starts = np.cumsum(lengths) - lengths
        starts = np.asarray(starts, dtype=np.int64)
        if lengths.ndim != 1 or starts.shape != lengths.shape:
            raise ValueError("starts and lengths must be 1-D arrays of equal length.")
        if lengths.size and (
            lengths.min() < 0 or starts.min() < 0 or (starts + lengths).max() > len(values)
        ):
            raise ValueError(
                f"An utterance lies outside the block of {counted(len(values), 'frame')}."
            )
        layout = layout or Layout.unnamed(values.shape[1])
        if len(layout.feature_names) != values.shape[1]:
            raise ValueError(
                f"The layout names {counted(len(layout.feature_names), 'column')}, but the block "
                f"has {values.shape[1]}."
            )
        if index is not None and len(index) != len(lengths):
            raise ValueError(
                f"index holds {counted(len(index), 'label')} for "
                f"{counted(len(lengths), 'utterance')}."
            )
        self.values = values
        self.starts = starts
        self.lengths = lengths
        self.layout = layout
        self.index = index
        self._source = None  # directory, mode, time and size of a memory-mapped block
        self._temporary = None  # keeps a temporary folder alive as long as any view of it

    @classmethod
    def from_list(cls, arrays, layout=None, index=None):
        """Copy 2-D arrays (n_frames, n_columns) of equal width into one block."""
        arrays = [np.asarray(array) for array in arrays]
        if not arrays:
            raise ValueError("X holds 0 utterances, at least 1 is required.")
        width = arrays[0].shape[1] if arrays[0].ndim == 2 else None
        for i, array in enumerate(arrays):
            if array.ndim != 2:
                raise ValueError(
                    f"Utterance {i} must be a 2-D array (n_frames, n_columns), "
                    f"not {array.ndim}-D of shape {array.shape}."
                )
            if array.shape[1] != width:
                raise ValueError(
                    f"Utterance {i} has {counted(array.shape[1], 'column')}, but utterance 0 has "
                    f"{width}."
                )
        values = np.concatenate(arrays).astype(np.float32, order="C", copy=False)
        return cls(values, [len(array) for array in arrays], layout=layout, index=index)

    @classmethod
    def from_array(cls, array, layout=None, index=None):
        """View an array (n_utterances, n_frames, n_columns) of sequences of equal length."""
        n_utterances, n_frames, n_columns = array.shape
        values = np.ascontiguousarray(array, dtype=np.float32).reshape(-1, n_columns)
        return cls(values, np.full(n_utterances, n_frames), layout=layout, index=index)

    def to_list(self):
        """Return a list of 2-D views (n_frames, n_columns), one per utterance."""
        return list(self)

    @property
    def shape(self):
        """``(n_utterances,)``."""
        return self.lengths.shape

    @property
    def n_columns(self):
        """Number of values of each frame."""
        return self.values.shape[1]

    def __len__(self):
        return len(self.lengths)

    def __iter__(self):
        for start, length in zip(self.starts, self.lengths, strict=True):
            yield self.values[start : start + length]

    def __getitem__(self, key):
        if isinstance(key, tuple):  # scikit-learn indexes with X[key, ...]
            if len(key) != 2 or key[1] is not Ellipsis:
                raise IndexError(
                    "Sequences has one dimension, its utterances: index the frames of one "
                    "utterance with X[i][frames]."
                )
            key = key[0]
        if not isinstance(key, slice) and np.ndim(key) == 0:
            start, length = self.starts[key], self.lengths[key]
            return self.values[start : start + length]
        if not isinstance(key, slice):
            key = np.asarray(key)
            if key.size == 0:
                key = key.astype(np.int64)
        index = None if self.index is None else self.index[key]
        return self._view(self.starts[key], self.lengths[key], index)

    def _view(self, starts, lengths, index):
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__, starts=starts, lengths=lengths, index=index)
        return view

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Sequences cannot be converted to an array, because its utterances differ in length. "
            "For an estimator of vectors, pool the frames first, for example with "
            "X.reduce(np.add), or use to_padded(). To join the columns of several transformers, "
            "use skser.compose.FrameUnion instead of a FeatureUnion."
        )

    def __repr__(self):
        return (
            f"{type(self).__name__}({counted(len(self), 'utterance')}, "
            f"{counted(int(self.lengths.sum()), 'frame')}, {counted(self.n_columns, 'column')})"
        )

    def _is_consecutive(self):
        ends = np.cumsum(self.lengths)
        return len(ends) == 0 or np.array_equal(self.starts - self.starts[0], ends - self.lengths)

    def _is_whole(self):
        return len(self.values) == self.lengths.sum() and self._is_consecutive()

    def _rows(self, first, last):
        """Return the rows of the block that hold frames `first` to `last` of all utterances."""
        ends = np.cumsum(self.lengths)
        frames = np.arange(first, last)
        utterance = np.searchsorted(ends, frames, side="right")
        return frames + (self.starts - (ends - self.lengths))[utterance]

    def _run_length(self):
        return max(1, _RUN_VALUES // max(1, self.n_columns))

    def compact(self):
        """Copy the utterances into a new block that holds only them, in order."""
        frames = self.frames()
        copied = np.array(frames) if np.shares_memory(frames, self.values) else frames
        return type(self)(copied, self.lengths, layout=self.layout, index=self.index)

    def frames(self):
        """Return the frames of all utterances, one utterance after the other.

        The array (n_frames, n_columns) is a view if the block has this order, otherwise a copy.
        """
        n_frames = int(self.lengths.sum())
        if self._is_consecutive():
            first = int(self.starts[0]) if len(self) else 0
            return self.values[first : first + n_frames]
        return self.values[self._rows(0, n_frames)]

    def frame_runs(self):
        """Yield `frames` in runs of bounded size, for a block larger than memory.

        The ends of runs depend only on the number of frames, not on their place in the block.
        Sums over runs are therefore the same for every form of the same utterances.

        Yields
        ------
        ndarray of shape (n_run_frames, n_columns)
        """
        n_frames, size = int(self.lengths.sum()), self._run_length()
        ready = self.frames() if self._is_consecutive() else None
        for first in range(0, max(1, n_frames), size):
            last = min(first + size, n_frames)
            yield self.values[self._rows(first, last)] if ready is None else ready[first:last]

    def _utterance_runs(self):
        """Yield slices of utterances with a bounded number of frames, or of one utterance."""
        ends = np.cumsum(self.lengths)
        first = 0
        while first < len(self):
            reach = ends[first] - self.lengths[first] + self._run_length()
            last = max(first + 1, int(np.searchsorted(ends, reach, side="right")))
            yield slice(first, last)
            first = last

    def map_values(self, function, layout=None):
        """Apply a frame-wise function to all frames.

        A memory-mapped block is processed in runs, and the result is memory-mapped too. Its files
        are in a temporary folder next to the source, or in the folder of `tempfile` if that is
        not writable, and are deleted with the last reference to the result; use `save` to keep
        it. A pickle of the result refers to the folder by name.

        Parameters
        ----------
        function : callable
            Function of frames (n_frames, n_columns) that returns a new array with as many rows.
        layout : Layout or None, default=None
            Meaning of the columns of the result; None keeps the current layout if the number of
            columns stays the same, and otherwise uses default names.
        """
        if self._source is not None:
            return self._map_on_disk(function, layout)
        values = np.ascontiguousarray(function(self.frames()), dtype=np.float32)
        if layout is None and values.shape[1] == self.values.shape[1]:
            layout = self.layout
        return type(self)(values, self.lengths, layout=layout, index=self.index)

    def _map_on_disk(self, function, layout):
        directory, mmap_mode, *_ = self._source
        folder = TemporaryFolder(beside=directory)
        results = (np.asarray(function(frames)) for frames in self.frame_runs())
        write_block(folder.path, results, self.lengths, lambda n: self._layout_of(n, layout))
        mapped = type(self).open(folder.path, mmap_mode)
        mapped._temporary, mapped.index = folder, self.index
        return mapped

    def _layout_of(self, n_columns, layout):
        if layout is None:
            return self.layout if n_columns == self.n_columns else Layout.unnamed(n_columns)
        return layout

    def reduce(self, ufunc):
        """Reduce each utterance over its frames.

        Parameters
        ----------
        ufunc : numpy.ufunc
            Reduction, such as ``np.add`` or ``np.maximum``.

        Returns
        -------
        ndarray of shape (n_utterances, n_columns), float32
            Reduced frames; the identity of `ufunc` for an utterance without frames.

        Raises
        ------
        ValueError
            If an utterance has no frames and `ufunc` has no identity.
        """
        if ufunc.identity is None and not self.lengths.all():
            raise ValueError(f"Utterance {np.argmin(self.lengths)} has 0 frames: leave it out.")
        reduced = np.full((len(self), self.n_columns), ufunc.identity or 0, np.float32)
        for run in self._utterance_runs():
            part = self[run]
            filled = part.lengths > 0
            starts = (np.cumsum(part.lengths) - part.lengths)[filled]
            if len(starts):
                reduced[run][filled] = ufunc.reduceat(part.frames(), starts, axis=0)
        return reduced

    def to_padded(self, fill=0.0):
        """Pad all utterances to the length of the longest.

        Parameters
        ----------
        fill : float, default=0.0
            Value of the padding.

        Returns
        -------
        padded : ndarray of shape (n_utterances, max_frames, n_columns), float32
        mask : ndarray of shape (n_utterances, max_frames), bool
            True at frames, False at padding.
        """
        n_frames = int(self.lengths.max(initial=0))
        mask = np.arange(n_frames) < self.lengths[:, None]
        padded = np.full((len(self), n_frames, self.n_columns), fill, np.float32)
        padded[mask] = self.frames()
        return padded, mask

    def save(self, directory):
        """Write to a new directory, completely or not at all, in bounded memory.

        Parameters
        ----------
        directory : path-like
            Directory to create, along with its parents.

        Raises
        ------
        FileExistsError
            If `directory` exists.
        TypeError
            If the labels in `index` are anything but numbers, strings or times.
        """
        directory = Path(directory)
        if directory.exists():
            raise FileExistsError(f"{directory} exists: remove it, or save to another directory.")
        if self.index is not None:
            describe_index(self.index)  # raises before any file is written
        directory.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        try:
            write_block(scratch, self.frame_runs(), self.lengths, lambda _: self.layout, self.index)
            os.rename(scratch, directory)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    @classmethod
    def open(cls, directory, mmap_mode=None):
        """Open sequences that `save` or the `transform_to` of a transformer wrote.

        Parameters
        ----------
        directory : path-like
            Directory to read.
        mmap_mode : {None, "r", "c"}, default=None
            Mode of memory mapping, as in `numpy.load`. With a mode the block stays on disk, and a
            pickle of the sequences refers to the directory instead of holding the block.

        Returns
        -------
        Sequences

        Raises
        ------
        FileNotFoundError
            If the directory is not a saved `Sequences`.
        ValueError
            If its files are damaged or do not belong together.
        """
        directory = Path(directory)
        if not (directory / "layout.json").is_file():
            raise FileNotFoundError(f"{directory} is not a saved Sequences (no layout.json).")
        try:
            values, lengths, starts, fields, index = read_block(directory, mmap_mode)
            opened = cls(values, lengths, starts, Layout(**fields), index)
        except (ValueError, TypeError, KeyError, EOFError, FileNotFoundError) as error:
            raise ValueError(f"{directory} is not a complete Sequences: {error}") from error
        if mmap_mode is not None:
            stat = (directory / "values.npy").stat()
            opened._source = (str(directory.resolve()), mmap_mode, stat.st_mtime_ns, stat.st_size)
        return opened

    def __getstate__(self):
        state = {**self.__dict__, "_temporary": None}
        if self._source is not None:
            del state["values"]
        elif not self._is_whole():
            state.update(self.compact().__dict__)
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self._source is not None:
            directory, mmap_mode, *_ = self._source
            reopened = type(self).open(directory, mmap_mode)
            if reopened._source != self._source:
                raise ValueError(f"{directory} has changed since these sequences were pickled.")
            self.values = reopened.values
