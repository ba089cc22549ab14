"""Optional libraries, imported where they are used."""

import importlib


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
        Naming the extra.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != name.split(".")[0]:
            raise  # the library is there, and something that it needs is not
        raise ImportError(
            f"{purpose} needs the library {name!r}: pip install 'skser[{extra}]'."
        ) from error
