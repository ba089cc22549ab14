"""Descriptions of parameters that several classes share, written once and inserted."""

import re
import textwrap

_PLACE = re.compile(r"^(?P<indent> *)\{(?P<name>\w+)\}$", re.MULTILINE)


def insert_descriptions(descriptions):
    """Decorate a class or function whose docstring takes some descriptions from a table.

    Parameters
    ----------
    descriptions : dict of str
        Entries of a numpydoc section, by name: the line with the parameter's name and type, and
        the indented lines below it.

    Returns
    -------
    callable
        Decorator that replaces each line ``{name}`` of the docstring by the description of that
        name, with the line's indentation.

    Raises
    ------
    KeyError
        When decorating, if the table lacks a name.

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
        if documented.__doc__ is not None:  # python -OO
            documented.__doc__ = _PLACE.sub(entry, documented.__doc__)
        return documented

    return decorate
