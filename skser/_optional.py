"""Optional libraries, imported where they are used."""

import importlib.util


def import_optional(name, *, extra, purpose):
    """Import an optional library, or say how to get it.

    Parameters
    ----------
    name : str
        Module, such as ``"opensmile"``.
    extra : str
        The extra of this package that installs it.
    purpose : str
        Who needs it, for the message.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        Naming the extra if the library is not installed; otherwise the library's own.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if importlib.util.find_spec(name.partition(".")[0]) is not None:
            raise  # the library is there, and something that it needs, or a part of it, is not
        raise ImportError(
            f"{purpose} needs the library {name!r}: pip install 'skser[{extra}]'."
        ) from error
