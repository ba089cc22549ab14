"""Files that are there whole or not at all."""

import contextlib
import glob
import os
import uuid
from pathlib import Path


@contextlib.contextmanager
def whole_file(path, *, synced=True):
    """Write a file beside its place, and move it there in one step at the end.

    A kill, a full disk or an exception leaves what was there before. Any number of processes may
    write one file; the last one wins.

    Parameters
    ----------
    path : path-like
    synced : bool, default=True
        Whether it must be on the disk before it is moved, so that it outlives a power cut too.

    Yields
    ------
    file
        Open for bytes.
    """
    path = Path(path)
    part = beside(path)
    try:
        with open(part, "xb") as file:
            yield file
            if synced:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):  # the folder is gone, say
            part.unlink()
        raise


def beside(path):
    """A name beside a path that nobody else has, for what is not finished."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")


def parts_of(path):
    """What was left unfinished, or is in the making, beside a path."""
    return path.parent.glob(f".{glob.escape(path.name)}.*.part")
