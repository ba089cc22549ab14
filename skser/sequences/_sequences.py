"""Many variable-length frame sequences in one block, and what its columns and rows mean."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skser.sequences._index import describe_index
from skser.sequences._storage import TemporaryFolder, read_block, write_block

# Values per run where work goes in bounded memory: 16 MB of float32.
_RUN_VALUES = 2**22


@dataclass(frozen=True)
class Layout:
    """What the columns and rows of a `Sequences` block mean.

    Parameters
    ----------
    feature_names : tuple of str
        One per column.
    hop : float or None
        Seconds between the centres of successive frames.
    offset : float
        Seconds from the start of the utterance to the centre of its first frame.
    frequencies : tuple of float or None
        Centre of each band in Hz, for one channel.
    n_channels : int
        Columns are channel-major: all bands of the static features, then all bands of their
        first differences, and so on.
    """

    feature_names: tuple
    hop: float | None = None
    offset: float = 0.0
    frequencies: tuple | None = None
    n_channels: int = 1

    def __post_init__(self):
        if len(self.feature_names) % self.n_channels:
            raise ValueError(
                f"{len(self.feature_names)} columns cannot be {self.n_channels} channels "
                "of equal width."
            )
        if self.frequencies is not None and len(self.frequencies) != self.n_bands:
            raise ValueError(
                f"{len(self.frequencies)} frequencies were given for {self.n_bands} bands."
            )

    @property
    def n_bands(self):
        """Columns of one channel."""
        return len(self.feature_names) // self.n_channels

    @classmethod
    def unnamed(cls, n_columns):
        """Layout of columns that nobody named: ``x0``, ``x1``, ..."""
        return cls(tuple(f"x{i}" for i in range(n_columns)))


class Sequences:
    """Variable-length sequences of frames, kept in one block.

    To scikit-learn it is a one-dimensional container of utterances: splitters,
    cross-validation, grid search, joblib and pickle take it as they take an array.
    Indexing with a slice, an integer array or a boolean mask gives another `Sequences` over
    the *same* block, so cross-validation copies nothing.

    Parameters
    ----------
    values : ndarray of shape (total_frames, n_columns), float32
        The block. Nothing here ever writes into it.
    lengths : array-like of shape (n_utterances,), int
        Frames of each utterance.
    starts : array-like of shape (n_utterances,), int, or None, default=None
        First row of each utterance; None means that they follow one another.
    layout : Layout or None, default=None
        Meaning of columns and rows.
    index : pandas Index of n_utterances labels, or None, default=None
        Labels of the utterances: those of the rows of the table that they were made from.

    Attributes
    ----------
    shape : tuple
        ``(n_utterances,)``.
    n_columns : int
        Width of a frame.

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
            raise ValueError("starts and lengths must be 1-D and of one length.")
        if lengths.size and (
            lengths.min() < 0 or starts.min() < 0 or (starts + lengths).max() > len(values)
        ):
            raise ValueError("An utterance reaches outside the block.")
        layout = layout or Layout.unnamed(values.shape[1])
        if len(layout.feature_names) != values.shape[1]:
            raise ValueError(
                f"The layout names {len(layout.feature_names)} columns, "
                f"the block has {values.shape[1]}."
            )
        if index is not None and len(index) != len(lengths):
            raise ValueError(f"index holds {len(index)} labels for {len(lengths)} utterances.")
        self.values = values
        self.starts = starts
        self.lengths = lengths
        self.layout = layout
        self.index = index
        self._source = None  # the directory behind a mapped block
        self._temporary = None  # the folder that goes with the last of its views

    # Construction --------------------------------------------------------------------

    @classmethod
    def from_list(cls, arrays, layout=None, index=None):
        """Copy 2-D arrays (n_frames, n_columns) of equal width into one block."""
        arrays = [np.asarray(array) for array in arrays]
        if not arrays:
            raise ValueError("0 utterances: at least 1 is required.")
        width = arrays[0].shape[1] if arrays[0].ndim == 2 else None
        for i, array in enumerate(arrays):
            if array.ndim != 2:
                raise ValueError(
                    f"Utterance {i} must be a 2-D array (n_frames, n_columns), "
                    f"not {array.ndim}-D of shape {array.shape}."
                )
            if array.shape[1] != width:
                raise ValueError(
                    f"Utterance {i} has {array.shape[1]} columns, utterance 0 has {width}."
                )
        values = np.concatenate(arrays).astype(np.float32, order="C", copy=False)
        return cls(values, [len(array) for array in arrays], layout=layout, index=index)

    @classmethod
    def from_array(cls, array, layout=None, index=None):
        """View equal-length sequences, an array (n_utterances, n_frames, n_columns)."""
        n_utterances, n_frames, n_columns = array.shape
        values = np.ascontiguousarray(array, dtype=np.float32).reshape(-1, n_columns)
        return cls(values, np.full(n_utterances, n_frames), layout=layout, index=index)

    def to_list(self):
        """2-D views (n_frames, n_columns), one per utterance."""
        return list(self)

    # Container ------------------------------------------------------------------------

    @property
    def shape(self):
        """``(n_utterances,)``."""
        return self.lengths.shape

    @property
    def n_columns(self):
        """Width of a frame."""
        return self.values.shape[1]

    def __len__(self):
        return len(self.lengths)

    def __iter__(self):
        for start, length in zip(self.starts, self.lengths, strict=True):
            yield self.values[start : start + length]

    def __getitem__(self, key):
        if isinstance(key, tuple):  # scikit-learn asks for X[key, ...]
            if len(key) != 2 or key[1] is not Ellipsis:
                raise IndexError(
                    "Sequences has one dimension, its utterances; index X[i] for frames."
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
            "A Sequences holds utterances of different lengths and is no array. Estimators of "
            "vectors need one row per utterance: pool the frames first (X.reduce(np.add), say), "
            "or take to_padded(). To put frames side by side, use skser.compose.FrameUnion in "
            "place of a FeatureUnion."
        )

    def __repr__(self):
        return (
            f"{type(self).__name__}({len(self)} utterances, {int(self.lengths.sum())} frames, "
            f"{self.n_columns} columns)"
        )

    # Work on frames -------------------------------------------------------------------

    def _is_consecutive(self):
        ends = np.cumsum(self.lengths)
        return len(ends) == 0 or np.array_equal(self.starts - self.starts[0], ends - self.lengths)

    def _is_whole(self):
        return len(self.values) == self.lengths.sum() and self._is_consecutive()

    def _rows(self, first, last):
        """Rows of the block that hold frames `first` to `last` of the utterances' own count."""
        ends = np.cumsum(self.lengths)
        frames = np.arange(first, last)
        utterance = np.searchsorted(ends, frames, side="right")
        return frames + (self.starts - (ends - self.lengths))[utterance]

    def _run_length(self):
        return max(1, _RUN_VALUES // max(1, self.n_columns))

    def compact(self):
        """Copy into a block that holds these utterances alone, one after the other."""
        frames = self.frames()
        copied = np.array(frames) if np.shares_memory(frames, self.values) else frames
        return type(self)(copied, self.lengths, layout=self.layout, index=self.index)

    def frames(self):
        """All frames, utterance after utterance.

        A view of the block where they lie in it like that, otherwise a copy.
        """
        n_frames = int(self.lengths.sum())
        if self._is_consecutive():
            first = int(self.starts[0]) if len(self) else 0
            return self.values[first : first + n_frames]
        return self.values[self._rows(0, n_frames)]

    def frame_runs(self):
        """Iterate over `frames` in runs of bounded size, for a block larger than memory.

        Where a run ends depends on the number of frames alone, not on where they lie, so what
        is summed up over runs is the same for every form of the same utterances.

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
        """Slices of utterances with a bounded number of frames, or a single utterance."""
        ends = np.cumsum(self.lengths)
        first = 0
        while first < len(self):
            reach = ends[first] - self.lengths[first] + self._run_length()
            last = max(first + 1, int(np.searchsorted(ends, reach, side="right")))
            yield slice(first, last)
            first = last

    def map_values(self, function, layout=None):
        """Apply a frame-wise function to all frames.

        A mapped block is worked through in runs, and the result is mapped too: it lies in a
        temporary folder next to the source (where that cannot be written to, in that of
        `tempfile`) until the last reference to it is gone; `save` what should last. It is
        pickled by the folder's name.

        Parameters
        ----------
        function : callable
            Takes (n_frames, n_columns) and returns a new array with as many rows.
        layout : Layout or None, default=None
            Meaning of the result's columns; None keeps the names if the width stays.
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
        """Reduce each utterance over its frames, ``np.add``, ``np.maximum`` and the like.

        Returns
        -------
        ndarray of shape (n_utterances, n_columns), float32

        Raises
        ------
        ValueError
            If an utterance has no frames and the ufunc has no value for that.
        """
        if ufunc.identity is None and not self.lengths.all():
            raise ValueError(f"Utterance {np.argmin(self.lengths)} has 0 frames.")
        reduced = np.full((len(self), self.n_columns), ufunc.identity or 0, np.float32)
        for run in self._utterance_runs():
            part = self[run]
            filled = part.lengths > 0
            starts = (np.cumsum(part.lengths) - part.lengths)[filled]
            if len(starts):
                reduced[run][filled] = ufunc.reduceat(part.frames(), starts, axis=0)
        return reduced

    def to_padded(self, fill=0.0):
        """Pad to the longest utterance.

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

    # Disk and pickle ------------------------------------------------------------------

    def save(self, directory):
        """Write to a new directory, whole or not at all, in bounded memory.

        Raises
        ------
        FileExistsError
            If `directory` exists.
        TypeError
            If the labels in `index` are anything but numbers, strings or times.
        """
        directory = Path(directory)
        if directory.exists():
            raise FileExistsError(f"{directory} exists; remove it or save elsewhere.")
        if self.index is not None:
            describe_index(self.index)  # refuses what could not be written
        directory.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        try:
            write_block(scratch, self.frame_runs(), self.lengths, lambda _: self.layout, self.index)
            os.rename(scratch, directory)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    @classmethod
    def open(cls, directory, mmap_mode=None):
        """Open what `save` or a transformer's `transform_to` wrote.

        Parameters
        ----------
        directory : path-like
        mmap_mode : {None, "r", "c"}, default=None
            As in `numpy.load`; with a mode the block stays on disk, and a pickle of these
            sequences names the directory instead of carrying the block.

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
            raise ValueError(f"{directory} is not a whole Sequences: {error}") from error
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
