"""The one error of saved models, and a context that adds the file's name to it."""

import os


class SavedModelError(ValueError):
    """Raised when a model cannot be saved or a file is refused; the message says why.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import skser
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "notes.skser"
    >>> _ = path.write_text("not a model")
    >>> try:
    ...     skser.load(path)
    ... except skser.persistence.SavedModelError as error:
    ...     print("refused")
    refused
    """


class naming:
    """Turn every error about a file into a `SavedModelError` that names the file.

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
        # Missing libraries and files that cannot be opened already name themselves.
        if isinstance(error, ImportError | OSError):
            return
        reason = str(error) if isinstance(error, SavedModelError) else _in_short(error)
        if not reason.startswith(self._path):
            raise SavedModelError(f"{self._path} cannot be loaded. {reason}") from error


def _in_short(error):
    first = (str(error).strip().splitlines() or [""])[0][:200]
    return f"No model can be built from its content ({type(error).__name__}: {first})."
