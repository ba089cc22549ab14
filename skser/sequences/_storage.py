"""A block of frames, and its files on disk."""

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
    """Write frames into a folder that `Sequences.open` opens once `finish` has run.

    Until then ``values.npy`` says that it holds no frames and ``layout.json`` is missing, so
    that what a kill or a full disk leaves behind is never taken for whole.

    Parameters
    ----------
    folder : path-like
        Must exist.
    n_columns : int
    n_frames : int, default=0
        Frames already there to go on behind; what lies beyond them is cut off.
    """

    def __init__(self, folder, n_columns, n_frames=0):
        self.folder = Path(folder)
        self.n_columns = n_columns
        self.n_frames = n_frames
        path = self.folder / "values.npy"
        path.touch()
        # Unbuffered: a frame that was written survives a kill, and closing cannot fail.
        self._file = path.open("r+b", buffering=0)
        write_all(self._file, _header(0, n_columns))
        self._file.truncate(self._file.tell() + 4 * n_columns * n_frames)
        self._file.seek(0, os.SEEK_END)

    def append(self, frames):
        """Write frames (n_frames, n_columns) behind those already there."""
        frames = np.ascontiguousarray(frames, np.float32)
        if frames.ndim != 2 or frames.shape[1] != self.n_columns:
            raise ValueError(
                f"Frames of shape {frames.shape} do not go into a block of {self.n_columns} "
                "columns."
            )
        if frames.size:
            write_all(self._file, frames)
        self.n_frames += len(frames)

    def finish(self, lengths, starts, layout, index=None):
        """Write what makes the frames a whole, see it onto the disk, and close.

        Parameters
        ----------
        lengths, starts : ndarray of shape (n_utterances,), int64
        layout : Layout
        index : pandas Index or None, default=None
            Labels of the utterances, which `describe_index` takes.
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
        """Close the file; without `finish` before, the block stays unfinished."""
        self._file.close()

    @staticmethod
    def n_frames_in(folder, n_columns):
        """Frames that an unfinished block in `folder` can hold, by the size of its file."""
        path = Path(folder) / "values.npy"
        size = path.stat().st_size if path.is_file() else 0
        return max(0, size - len(_header(0, n_columns))) // (4 * n_columns)


def write_all(file, content):
    """Write a bytes-like object into an unbuffered file, which may take it in pieces."""
    left = memoryview(content).cast("B")
    while left:
        left = left[file.write(left) :]


def _header(n_frames, n_columns):
    # numpy leaves room for the first axis to grow: the header's length is always the same.
    header = io.BytesIO()
    description = np.lib.format.header_data_from_array_1_0(np.empty((0, n_columns), np.float32))
    description["shape"] = (n_frames, n_columns)
    np.lib.format.write_array_header_1_0(header, description)
    return header.getvalue()


def write_block(folder, runs, lengths, layout_of, index=None):
    """Write utterances that follow one another.

    Parameters
    ----------
    folder : path-like
        Must exist.
    runs : iterable of ndarray of shape (n_run_frames, n_columns)
        At least one.
    lengths : ndarray of shape (n_utterances,), int64
    layout_of : callable
        Takes the number of columns and returns the `Layout`.
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
    """Values, lengths, starts (None: in order), layout's fields and index of a finished block."""
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
            f"lengths.npy counts {lengths.sum()} frames, values.npy holds {len(values)}."
        )
    index = folder / "index.json"
    index = index_described(json.loads(index.read_text("utf-8"))) if index.exists() else None
    return values, lengths, starts, fields, index


class TemporaryFolder:
    """A folder that is removed when nobody holds this object any more.

    Parameters
    ----------
    beside : path-like
        The new folder lies next to this one, on the disk that has room for a block like it;
        where that is not allowed, in the system's folder for temporary files.
    """

    def __init__(self, beside):
        beside = Path(beside)
        parent = beside.parent if os.access(beside.parent, os.W_OK) else None
        self.path = Path(tempfile.mkdtemp(prefix=f".{beside.name}-", dir=parent))
        weakref.finalize(self, _remove, self.path, os.getpid())


def _remove(path, pid):
    if os.getpid() == pid:  # a forked child holds a copy, and must not take it from its parent
        shutil.rmtree(path, ignore_errors=True)
