"""The one error of this room, and how it comes to name the file."""

import os


class SavedModelError(ValueError):
    """A model that cannot be saved, or a file that is refused; the message says why."""


class naming:
    """Whatever goes wrong with a file is a `SavedModelError` that names it.

    Parameters
    ----------
    path : path-like
    """

    def __init__(self, path):
        self._path = os.fspath(path)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if error is None or not isinstance(error, Exception):
            return
        # A library that is not installed, and a file that cannot be opened, name themselves.
        if isinstance(error, ImportError | OSError):
            return
        reason = str(error) if isinstance(error, SavedModelError) else _in_short(error)
        if not reason.startswith(self._path):
            raise SavedModelError(f"{self._path} cannot be loaded. {reason}") from error


def _in_short(error):
    first = (str(error).strip().splitlines() or [""])[0][:200]
    return f"Its content makes no model ({type(error).__name__}: {first})."
