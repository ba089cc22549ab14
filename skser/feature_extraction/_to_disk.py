"""Features written straight to disk, so that a kill costs no finished utterance."""

import contextlib
import hashlib
import json
import os
import shutil
import zlib
from pathlib import Path

import numpy as np

from skser import __version__
from skser.audio import AudioReadError
from skser.feature_extraction._cache import FeatureCache
from skser.sequences import BlockWriter, Sequences, write_all


def extract_to(directory, transformer, items, prepared, layout):
    """Do the work of `AudioTransformer.transform_to`, whose parameters are checked.

    Parameters
    ----------
    directory : path-like
    transformer : AudioTransformer
    items : list of str or list of ndarray
        From `audio_inputs`.
    prepared : object
        What `_prepare` returns.
    layout : Layout

    Returns
    -------
    Sequences
        Mapped.
    """
    directory = Path(directory)
    heading = {
        "transformer": type(transformer).__qualname__,
        **transformer._settings(),
        "number of utterances": len(items),
        "version of skser": __version__,
    }
    identities = [_identity(item, transformer.input_sampling_rate) for item in items]
    if not directory.exists():
        with _partial_folder(directory) as folder:
            if not directory.exists():  # by now
                journal = Journal(folder, len(layout.feature_names))
                journal.check(heading, identities, items, delete=folder.parent)
                _extract(journal, heading, identities, transformer, items, prepared, layout)
                os.rename(folder, directory)
                _sync_folder(directory.parent)
    journal = Journal(directory, len(layout.feature_names))
    if journal.heading is None:
        raise FileExistsError(f"{directory} exists and was not written by transform_to.")
    journal.check(heading, identities, items, delete=directory)
    reasons = {i: reason for i, _, _, reason in journal.entries}  # the last entry counts
    failures = [tuple(reason) for _, reason in sorted(reasons.items()) if reason]
    if failures:
        error = AudioReadError(failures, len(items))
        if transformer.on_error == "raise":
            error.add_note(f"{directory} holds 0 frames of these; delete it to start afresh.")
            raise error
        transformer._warn_of(error, stacklevel=4)
    return Sequences.open(directory, mmap_mode="r")


def _extract(journal, heading, identities, transformer, items, prepared, layout):
    """Extract what the journal does not list yet, and finish the block."""
    keep_bad = transformer.on_error == "empty"
    done = {
        i
        for i, _, identity, reason in journal.entries
        if not reason or (keep_bad and identity == identities[i])
    }
    left = [i for i in range(len(items)) if i not in done]
    cache = transformer._cache()
    results = transformer._run(left, items, prepared, cache, wait=True)
    failures = []
    writer = BlockWriter(journal.folder, journal.n_columns, journal.n_frames)
    with (
        contextlib.closing(writer),
        journal.writing(heading),
        _named_if_full(journal.folder.parent),
    ):
        for i, result in zip(left, results, strict=True):
            if not isinstance(result, tuple):
                writer.append(result)  # first, since the journal vouches for it
                journal.append(i, len(result), identities[i])
            elif keep_bad:
                journal.append(i, 0, identities[i], result)
            else:
                failures.append(result)
        if failures:
            error = AudioReadError(failures, len(items))
            error.add_note(
                f"The others are kept in {journal.folder.parent}: mend these and call again."
            )
            raise error
        writer.finish(*journal.lengths_and_starts(len(items)), layout)


@contextlib.contextmanager
def _named_if_full(folder):
    """Context in which errors of the disk say where they come from, and what is not lost."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or os.fspath(folder)
        error.add_note(f"What is done is kept in {folder}: mend this and call again.")
        raise


class Journal:
    """What the frames of a block are, utterance by utterance in their order.

    Lines of JSON: a heading that says what is computed, then per utterance its position in X,
    its number of frames, the identity of its audio, if that could not be read its name and the
    reason, and a checksum.

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
        for i, _, identity, reason in self.entries:
            if identity != identities[i] and not reason:
                name = items[i] if isinstance(items[i], str) else f"utterance {i}"
                raise ValueError(
                    f"Input {i} ({name}) is not what {delete} holds the features of: another "
                    f"file, or changed since. {remedy}"
                )

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

    def append(self, index, n_frames, identity, reason=None):
        """Note an utterance whose frames are written."""
        entry = [index, n_frames, identity, reason]
        self.entries.append(entry)
        self.n_frames += n_frames
        self._write_line([*entry, _checksum(entry)])

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
        return content[:-1] if content[-1:] == [_checksum(content[:-1])] else None
    return content


def _checksum(entry):
    return zlib.crc32(json.dumps(entry).encode())


def _identity(item, input_sampling_rate):
    if not isinstance(item, str):
        return FeatureCache.key(item, input_sampling_rate)
    try:
        stat = os.stat(item)
    except (OSError, ValueError):  # a name that no file can have
        return None
    name = f"{os.path.abspath(item)} {stat.st_size} {stat.st_mtime_ns}"
    return hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()


@contextlib.contextmanager
def _partial_folder(directory):
    """The folder of an unfinished block, for this process alone; removed if none is left."""
    from filelock import FileLock, Timeout

    partial = directory.with_name(f"{directory.name}.partial")
    (partial / "block").mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(partial / "lock", timeout=0).acquire()
    except Timeout:
        raise RuntimeError(
            f"Another process is writing {directory}; it holds {partial / 'lock'}."
        ) from None
    with lock:
        yield partial / "block"
    if directory.exists():
        shutil.rmtree(partial, ignore_errors=True)


def _sync_folder(path):
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
