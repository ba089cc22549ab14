"""Wording of messages."""


def counted(number, noun, plural=None):
    """Return a number with its noun.

    Parameters
    ----------
    number : int
        Number of things.
    noun : str
        Singular of their name.
    plural : str or None, default=None
        Plural. None means the singular with an "s".

    Returns
    -------
    str
        "1 channel" or "2 channels".
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
