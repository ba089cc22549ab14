"""Files that are written completely or not at all."""

import contextlib
import glob
import os
import uuid
from pathlib import Path


@contextlib.contextmanager
def whole_file(path, *, synced=True):
    """Write a file under a temporary name and rename it in one step at the end.

    If the process is killed, the disk is full or an exception is raised, the previous file stays
    in place. Several processes may write the same file; the last one wins.

    Parameters
    ----------
    path : path-like
        File to write.
    synced : bool, default=True
        If True, the content is flushed to the disk before the rename, so that it also survives a
        power failure.

    Yields
    ------
    file
        Temporary file, open for writing bytes.
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
        with contextlib.suppress(OSError):  # for example if the folder was removed meanwhile
            part.unlink()
        raise


def beside(path):
    """Return a unique temporary path in the same folder as `path`."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")


def parts_of(path):
    """Return the temporary files of `path`, both abandoned ones and those being written."""
    return path.parent.glob(f".{glob.escape(path.name)}.*.part")
