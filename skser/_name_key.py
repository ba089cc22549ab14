"""Spellings of names, such as emotions and speakers, that stand for the same name."""

import re
import unicodedata


def name_key(spelling):
    """Return the form that is the same for all spellings of a name."""
    # Format characters, such as a zero-width space, are invisible.
    visible = "".join(c for c in spelling if unicodedata.category(c) != "Cf")
    plain = plain_name(unicodedata.normalize("NFKC", visible))
    # pandas writes the speaker 1 as 1.0 if the column has gaps.
    return re.sub(r"^([-+]?\d+)\.0+$", r"\1", plain)


def plain_name(spelling):
    """Return a name without differences in case and spaces."""
    return " ".join(spelling.casefold().split())
