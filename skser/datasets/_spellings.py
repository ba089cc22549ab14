"""Names of emotions, speakers and sexes that are written in several ways."""

import math
import warnings
from collections import Counter
from numbers import Real

import pandas as pd

from skser._name_key import name_key, plain_name
from skser.datasets._table_checks import SOME


def as_names(cells):
    """Convert the numbers in a column of names to text, and strip the text.

    Both 1 and 1.0 become "1".

    Parameters
    ----------
    cells : Series
        Column of names.

    Returns
    -------
    Series of object
        Missing values and other objects stay as they are; empty text becomes None.
    """
    return pd.Series([_name(cell) for cell in cells], index=cells.index, dtype=object)


def _name(cell):
    """Return a cell as `as_names` does."""
    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, bool) or not isinstance(cell, Real) or not math.isfinite(cell):
        return cell
    return str(int(cell)) if cell == int(cell) else str(cell)


def merged_spellings(cells, column, where):
    """Replace names that differ only in case, spaces or notation by the most frequent spelling.

    Parameters
    ----------
    cells : Series
        Column of names.
    column : str
        Word for one of the names in messages, such as "speaker".
    where : str
        Name of the table in messages.

    Returns
    -------
    Series

    Warns
    -----
    UserWarning
        If names were replaced, or are equal as numbers, such as 1 and 01; the message lists them.
    """
    spellings = Counter(cell for cell in cells if isinstance(cell, str))
    chosen = chosen_spellings(spellings)
    families = {}
    for spelling in sorted(spellings):
        if chosen[spelling] != spelling:
            families.setdefault(chosen[spelling], []).append(spelling)
    if families:
        merged = [f"{', '.join(map(repr, fam))} as {best!r}" for best, fam in families.items()]
        names = "sexes" if column == "sex" else f"{column}s"
        plain = all(
            plain_name(other) == plain_name(best) for best in families for other in families[best]
        )
        warnings.warn(
            f"{where}: {names} that differ only in {'case or spaces' if plain else 'notation'} "
            f"were merged: {'; '.join(merged[:SOME])}{' …' if len(merged) > SOME else ''}.",
            stacklevel=3,
        )
    _warn_of_equal_numerals(set(chosen.values()), column, where)
    return cells.map(lambda cell: chosen.get(cell, cell) if isinstance(cell, str) else cell)


def _warn_of_equal_numerals(names, column, where):
    """Warn of names such as 1 and 01, which may be one name or two."""
    equal = {}
    for name in sorted(names):
        if name.isdecimal():
            equal.setdefault(int(name), []).append(name)
    several = [" and ".join(map(repr, same)) for same in equal.values() if len(same) > 1]
    if several:
        warnings.warn(
            f"{where}: the {column}s {', '.join(several[:SOME])} are kept apart, although they "
            "are equal as numbers. Write each name in one way if they are the same.",
            stacklevel=4,
        )


def chosen_spellings(counts):
    """Return the spelling to use for each spelling: the most frequent one of the same name.

    Parameters
    ----------
    counts : dict of str to int
        Number of occurrences of each spelling.

    Returns
    -------
    dict of str to str
    """
    families = {}
    for spelling in counts:
        families.setdefault(name_key(spelling), []).append(spelling)
    chosen = {}
    for family in families.values():
        # Ties are decided in favor of a visible, then a lowercase, then a short spelling.
        best = max(family, key=lambda s: (counts[s], s.isprintable(), s.islower(), -len(s)))
        chosen |= dict.fromkeys(family, best)
    return chosen
