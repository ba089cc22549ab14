"""Parameter descriptions that several docstrings share."""

import re
import textwrap

_PLACE = re.compile(r"^(?P<indent> *)\{(?P<name>\w+)\}$", re.MULTILINE)


def insert_descriptions(descriptions):
    """Return a decorator that fills shared descriptions into a docstring.

    Parameters
    ----------
    descriptions : dict of str
        Numpydoc entries by name. Each entry is the line with the parameter's name and type,
        followed by its indented description.

    Returns
    -------
    callable
        Decorator of classes and functions. It replaces each line ``{name}`` of the docstring with
        the entry of that name, indented like the line.

    Raises
    ------
    KeyError
        If a docstring asks for a name that `descriptions` does not have; raised when decorating.

    Examples
    --------
    >>> from skser._docstrings import insert_descriptions
    >>> def speak(words, verbose=False):
    ...     "{verbose}"
    >>> table = {"verbose": "verbose : bool, default=False"}
    >>> insert_descriptions(table)(speak).__doc__
    'verbose : bool, default=False'
    """

    def entry(place):
        return textwrap.indent(descriptions[place["name"]], place["indent"])

    def decorate(documented):
        if documented.__doc__ is not None:  # python -OO strips docstrings
            documented.__doc__ = _PLACE.sub(entry, documented.__doc__)
        return documented

    return decorate
