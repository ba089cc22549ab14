"""Features written straight to disk, so that a kill costs no finished utterance."""

import contextlib
import os
import shutil
from pathlib import Path

from skser import __version__
from skser.audio import AudioReadError, identity
from skser.feature_extraction._done import Journal
from skser.sequences import BlockWriter, Sequences, describe_index


def extract_to(output_dir, engine, items, layout, index=None):
    """Do the work of `AudioTransformer.transform_to`, whose parameters are checked.

    Parameters
    ----------
    output_dir : path-like
    engine : ExtractionEngine
    items : list of str or list of ndarray
        From `audio_inputs`.
    layout : Layout
    index : pandas Index or None, default=None
        Labels of the utterances. In a directory that is there already, others may be written.

    Returns
    -------
    Sequences
        Mapped.
    """
    directory, transformer = Path(output_dir), engine.transformer
    if index is not None:
        describe_index(index)  # refuses what could not be written, before the work
    heading = {
        "transformer": type(transformer).__qualname__,
        **transformer._settings(),
        "number of utterances": len(items),
        "version of skser": __version__,
    }
    identities = [_known(item, transformer.input_sampling_rate) for item in items]
    if not directory.exists():
        with _partial_folder(directory) as folder:
            if not directory.exists():  # by now
                journal = Journal(folder, len(layout.feature_names))
                journal.check(heading, identities, items, delete=folder.parent)
                _extract(journal, heading, identities, engine, items, layout, index)
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
    opened = Sequences.open(directory, mmap_mode="r")
    opened.index = index  # the labels of this X
    return opened


def _known(item, input_sampling_rate):
    try:
        return identity(item, input_sampling_rate)
    except AudioReadError:  # named by whoever reads it
        return None


def _extract(journal, heading, identities, engine, items, layout, index):
    """Extract what the journal does not list yet, and finish the block."""
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
        writer.finish(*journal.lengths_and_starts(len(items)), layout, index)


@contextlib.contextmanager
def _named_if_full(folder):
    """Context in which errors of the disk say where they come from, and what is not lost."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or os.fspath(folder)
        error.add_note(f"What is done is kept in {folder}: mend this and call again.")
        raise


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
