"""Labels of the rows of X, and how they are written down."""

import numpy as np
import pandas as pd


def row_index(X):
    """Labels of the rows of X.

    Parameters
    ----------
    X : any form of X

    Returns
    -------
    pandas Index or None
        That of a pandas DataFrame or Series, or the one that `Sequences` carry; None for what
        has no labels, such as a list, an array or a polars DataFrame.
    """
    index = None if isinstance(X, list | tuple | str) else getattr(X, "index", None)
    return index if isinstance(index, pd.Index) else None


def describe_index(index):
    """Return an index as what JSON can hold.

    Parameters
    ----------
    index : pandas Index

    Returns
    -------
    dict

    Raises
    ------
    TypeError
        If labels are anything but numbers, strings or times.
    """
    if isinstance(index, pd.RangeIndex):
        return {"name": _name(index), "range": [index.start, index.stop, index.step]}
    if isinstance(index, pd.MultiIndex):
        levels = [describe_index(index.get_level_values(i)) for i in range(index.nlevels)]
        return {"levels": levels}
    kind, inferred = index.dtype.kind, index.inferred_type
    if kind in "mM":
        labels = index.asi8.tolist()  # as counts of the unit that the type states
    elif kind in "biuf" and isinstance(index.dtype, np.dtype):
        labels = index.tolist()
    elif inferred in ("string", "empty") and isinstance(index.dtype, np.dtype | pd.StringDtype):
        labels = [None if pd.isna(label) else label for label in index]
    else:
        raise TypeError(
            f"The row labels are {inferred} ({index.dtype}), and only numbers, strings and times "
            "can be saved: give X other labels before, such as those of X.reset_index(drop=True)."
        )
    # Strings have several types, which depend on the version of pandas.
    dtype = str(index.dtype) if kind in "mMbiuf" else "str"
    return {"name": _name(index), "dtype": dtype, "labels": labels}


def _name(index):
    # Of names that JSON does not keep as they are, strings come back.
    return index.name if index.name is None else str(index.name)


def index_described(described):
    """Return the index that `describe_index` described."""
    if "levels" in described:
        return pd.MultiIndex.from_arrays([index_described(level) for level in described["levels"]])
    if "range" in described:
        return pd.RangeIndex(*described["range"], name=described["name"])
    dtype, labels = described["dtype"], described["labels"]
    if dtype == "str":
        return pd.Index(labels, dtype=_STRING, name=described["name"])
    if dtype.startswith(("datetime", "timedelta")):
        counts = np.asarray(labels, np.int64)
        unit, _, zone = dtype.partition("[")[2].rstrip("]").partition(", ")
        of_times = pd.Index(counts.view(f"{dtype[0].replace('d', 'M').replace('t', 'm')}8[{unit}]"))
        if zone:
            of_times = of_times.tz_localize("UTC").tz_convert(zone)
        return of_times.rename(described["name"])
    return pd.Index(labels, dtype=dtype, name=described["name"])


# That of a plain list of strings: object before pandas 3, and its own type since.
_STRING = pd.Index(["a"]).dtype
