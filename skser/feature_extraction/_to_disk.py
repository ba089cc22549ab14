"""Extraction straight to disk, which loses no finished utterance if the process is killed."""

import contextlib
import os
import shutil
from pathlib import Path

from skser import __version__
from skser.audio import AudioReadError, identity
from skser.feature_extraction._done import Journal
from skser.sequences import BlockWriter, Sequences, describe_index


def extract_to(output_dir, engine, items, layout, index=None):
    """Do the work of `AudioTransformer.transform_to`, after its parameters are checked.

    Parameters
    ----------
    output_dir : path-like
        Directory to write.
    engine : ExtractionEngine
    items : list of str or list of ndarray
        Result of `audio_inputs`.
    layout : Layout
        Layout of the frames.
    index : pandas Index or None, default=None
        Labels of the utterances. They replace those of an existing directory in the result.

    Returns
    -------
    Sequences
        Frames mapped from the directory.
    """
    directory, transformer = Path(output_dir), engine.transformer
    if index is not None:
        describe_index(index)  # raises before the work if the index cannot be written
    heading = {
        "transformer": type(transformer).__qualname__,
        **transformer._settings(),
        "number of utterances": len(items),
        "version of skser": __version__,
    }
    identities = [_known(item, transformer.input_sampling_rate) for item in items]
    if not directory.exists():
        with _partial_folder(directory) as folder:
            if not directory.exists():  # another process may have finished it meanwhile
                journal = Journal(folder, len(layout.feature_names))
                journal.check(heading, identities, items, delete=folder.parent)
                _extract(journal, heading, identities, engine, items, layout, index)
                os.rename(folder, directory)
                _sync_folder(directory.parent)
    journal = Journal(directory, len(layout.feature_names))
    if journal.heading is None:
        raise FileExistsError(
            f"{directory} exists and was not written by transform_to: choose another output_dir."
        )
    journal.check(heading, identities, items, delete=directory)
    reasons = {i: reason for i, _, _, reason in journal.entries}  # the last entry counts
    failures = [tuple(reason) for _, reason in sorted(reasons.items()) if reason]
    if failures:
        error = AudioReadError(failures, len(items))
        if transformer.on_error == "raise":
            error.add_note(f"{directory} holds 0 frames for these; delete it to start over.")
            raise error
        transformer._warn_of(error, stacklevel=4)
    opened = Sequences.open(directory, mmap_mode="r")
    opened.index = index  # the labels of this X
    return opened


def _known(item, input_sampling_rate):
    try:
        return identity(item, input_sampling_rate)
    except AudioReadError:  # extraction reports it
        return None


def _extract(journal, heading, identities, engine, items, layout, index):
    """Extract the utterances that the journal does not list, and finish the block."""
    keep_bad = engine.transformer.on_error == "empty"
    left = journal.missing(identities, keep_bad)
    results = engine.stream(left, items, wait=True)
    failures = []
    writer = BlockWriter(journal.folder, journal.n_columns, journal.n_frames)
    with (
        contextlib.closing(writer),
        journal.writing(heading),
        _named_if_full(journal.folder.parent),
    ):
        for i, result in zip(left, results, strict=True):
            if not isinstance(result, tuple):
                writer.append(result)  # first, since a journal entry promises that it is written
                journal.append(i, len(result), identities[i])
            elif keep_bad:
                journal.append(i, 0, identities[i], result)
            else:
                failures.append(result)
        if failures:
            error = AudioReadError(failures, len(items))
            error.add_note(
                f"The others are kept in {journal.folder.parent}: repair these and call again."
            )
            raise error
        writer.finish(*journal.lengths_and_starts(len(items)), layout, index)


@contextlib.contextmanager
def _named_if_full(folder):
    """Add the folder, and a note that finished work is kept, to errors of the disk."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or os.fspath(folder)
        error.add_note(
            f"Finished utterances are kept in {folder}: make room, or fix what the error names, "
            "and call again."
        )
        raise


@contextlib.contextmanager
def _partial_folder(directory):
    """Lock the folder of an unfinished block and yield it; remove it once the block is finished."""
    from filelock import FileLock, Timeout

    partial = directory.with_name(f"{directory.name}.partial")
    (partial / "block").mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(partial / "lock", timeout=0).acquire()
    except Timeout:
        raise RuntimeError(
            f"Another process is writing {directory} and holds {partial / 'lock'}: wait for it, "
            "or choose another output_dir."
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
