"""Import of optional libraries at the moment they are needed."""

import importlib.util


def import_optional(name, *, extra, purpose):
    """Import an optional library, or raise an error that says how to install it.

    Parameters
    ----------
    name : str
        Name of the module, such as ``"opensmile"``.
    extra : str
        Name of the extra of this package that installs the library.
    purpose : str
        Feature that needs the library, as the subject of the error message.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If the library is not installed, with the command that installs the extra. An error that
        the library itself raises on import passes through unchanged.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if importlib.util.find_spec(name.partition(".")[0]) is not None:
            raise  # the library is installed, but a part or a dependency of it is missing
        raise ImportError(
            f"{purpose} needs the library {name!r}: pip install 'skser[{extra}]'."
        ) from error
