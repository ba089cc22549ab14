"""Files of a block of frames on disk."""

import io
import json
import os
import shutil
import tempfile
import weakref
from dataclasses import asdict
from pathlib import Path

import numpy as np

from skser.sequences._index import describe_index, index_described


class BlockWriter:
    """Writer of frames to a folder that `Sequences.open` can open after `finish`.

    Until then the header of ``values.npy`` states 0 frames and ``layout.json`` is missing, so
    that the remains of a killed process or a full disk are never mistaken for a complete block.

    Parameters
    ----------
    folder : path-like
        Existing folder to write to.
    n_columns : int
        Number of values of each frame.
    n_frames : int, default=0
        Number of frames in the folder to keep; new frames are appended to them, and the rest of
        the file is cut off.
    """

    def __init__(self, folder, n_columns, n_frames=0):
        self.folder = Path(folder)
        self.n_columns = n_columns
        self.n_frames = n_frames
        path = self.folder / "values.npy"
        path.touch()
        # Without a buffer, written frames survive a kill of the process, and `close` cannot fail.
        self._file = path.open("r+b", buffering=0)
        write_all(self._file, _header(0, n_columns))
        self._file.truncate(self._file.tell() + 4 * n_columns * n_frames)
        self._file.seek(0, os.SEEK_END)

    def append(self, frames):
        """Append frames (n_frames, n_columns) to those already written."""
        frames = np.ascontiguousarray(frames, np.float32)
        if frames.ndim != 2 or frames.shape[1] != self.n_columns:
            raise ValueError(
                f"Frames of shape {frames.shape} do not fit a block of {self.n_columns} columns: "
                f"pass an array of shape (n_frames, {self.n_columns})."
            )
        if frames.size:
            write_all(self._file, frames)
        self.n_frames += len(frames)

    def finish(self, lengths, starts, layout, index=None):
        """Write the remaining files, flush everything to the disk, and close.

        Parameters
        ----------
        lengths, starts : ndarray of shape (n_utterances,), int64
            Number of frames and first frame of each utterance.
        layout : Layout
            Meaning of the columns and frames.
        index : pandas Index or None, default=None
            Labels of the utterances, of a kind that `describe_index` accepts.
        """
        self._file.seek(0)
        write_all(self._file, _header(self.n_frames, self.n_columns))
        self.close()
        np.save(self.folder / "lengths.npy", lengths)
        if not np.array_equal(starts, np.cumsum(lengths) - lengths):
            np.save(self.folder / "starts.npy", starts)
        if index is not None:
            (self.folder / "index.json").write_text(json.dumps(describe_index(index)), "utf-8")
        (self.folder / "layout.json").write_text(json.dumps(asdict(layout)), "utf-8")
        for path in self.folder.iterdir():
            with path.open("r+b") as file:
                os.fsync(file.fileno())

    def close(self):
        """Close the file; the block stays unfinished unless `finish` was called."""
        self._file.close()

    @staticmethod
    def n_frames_in(folder, n_columns):
        """Return the number of complete frames in an unfinished block, from its file size."""
        path = Path(folder) / "values.npy"
        size = path.stat().st_size if path.is_file() else 0
        return max(0, size - len(_header(0, n_columns))) // (4 * n_columns)


def write_all(file, content):
    """Write all of a bytes-like object to an unbuffered file, which may accept only a part."""
    left = memoryview(content).cast("B")
    while left:
        left = left[file.write(left) :]


def _header(n_frames, n_columns):
    # NumPy pads headers so that the first axis can grow; the length of this one never changes.
    header = io.BytesIO()
    description = np.lib.format.header_data_from_array_1_0(np.empty((0, n_columns), np.float32))
    description["shape"] = (n_frames, n_columns)
    np.lib.format.write_array_header_1_0(header, description)
    return header.getvalue()


def write_block(folder, runs, lengths, layout_of, index=None):
    """Write a complete block of utterances that follow one another.

    Parameters
    ----------
    folder : path-like
        Existing folder to write to.
    runs : iterable of ndarray of shape (n_run_frames, n_columns)
        Successive frames, in one or more arrays.
    lengths : ndarray of shape (n_utterances,), int64
        Number of frames of each utterance.
    layout_of : callable
        Function that takes the number of columns and returns the `Layout`.
    index : pandas Index or None, default=None
        Labels of the utterances.
    """
    writer = None
    try:
        for frames in runs:
            writer = writer or BlockWriter(folder, frames.shape[1])
            writer.append(frames)
        writer.finish(lengths, np.cumsum(lengths) - lengths, layout_of(writer.n_columns), index)
    finally:
        if writer is not None:
            writer.close()


def read_block(folder, mmap_mode):
    """Read a finished block.

    Parameters
    ----------
    folder : path-like
        Folder to read.
    mmap_mode : {None, "r", "c"}
        Mode of memory mapping, as in `numpy.load`.

    Returns
    -------
    values, lengths, starts, fields, index
        Arguments of `Sequences`, with the fields of `Layout` as a dictionary. `starts` is None if
        each utterance follows the previous one.

    Raises
    ------
    ValueError
        If the files do not belong together.
    """
    folder = Path(folder)
    fields = json.loads((folder / "layout.json").read_text("utf-8"))
    fields["feature_names"] = tuple(fields["feature_names"])
    if fields["frequencies"] is not None:
        fields["frequencies"] = tuple(fields["frequencies"])
    values = np.load(folder / "values.npy", mmap_mode=mmap_mode)
    lengths = np.load(folder / "lengths.npy")
    starts = folder / "starts.npy"
    starts = np.load(starts) if starts.exists() else None
    if lengths.sum() != len(values):
        raise ValueError(
            f"lengths.npy counts {lengths.sum()} frames, but values.npy holds {len(values)}."
        )
    index = folder / "index.json"
    index = index_described(json.loads(index.read_text("utf-8"))) if index.exists() else None
    return values, lengths, starts, fields, index


class TemporaryFolder:
    """Temporary folder that is removed together with this object.

    Parameters
    ----------
    beside : path-like
        Folder next to which the new folder is created, because that disk has room for a block
        of this size. If that is not permitted, the system's folder for temporary files is used.
    """

    def __init__(self, beside):
        beside = Path(beside)
        parent = beside.parent if os.access(beside.parent, os.W_OK) else None
        self.path = Path(tempfile.mkdtemp(prefix=f".{beside.name}-", dir=parent))
        weakref.finalize(self, _remove, self.path, os.getpid())


def _remove(path, pid):
    if os.getpid() == pid:  # a forked child must not remove the folder of its parent
        shutil.rmtree(path, ignore_errors=True)
