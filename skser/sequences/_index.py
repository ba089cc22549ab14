"""Row labels of X, and their description in JSON."""

import numpy as np
import pandas as pd


def row_index(X):
    """Return the labels of the rows of X.

    Parameters
    ----------
    X : any form of X
        Input of an estimator.

    Returns
    -------
    pandas Index or None
        Index of a pandas DataFrame or Series, or of `Sequences` made from one; None if X has no
        labels, as a list, an array or a polars DataFrame.
    """
    index = None if isinstance(X, list | tuple | str) else getattr(X, "index", None)
    return index if isinstance(index, pd.Index) else None


def describe_index(index):
    """Describe an index by a dictionary that JSON can store.

    Parameters
    ----------
    index : pandas Index
        Labels of numbers, strings or times, on one level or several.

    Returns
    -------
    dict
        Description that `index_described` turns back into an index.

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
        labels = index.asi8.tolist()  # integer counts of the unit that the dtype states
    elif kind in "biuf" and isinstance(index.dtype, np.dtype):
        labels = index.tolist()
    elif inferred in ("string", "empty") and isinstance(index.dtype, np.dtype | pd.StringDtype):
        labels = [None if pd.isna(label) else label for label in index]
    else:
        raise TypeError(
            f"The row labels are {inferred} ({index.dtype}), but only numbers, strings and times "
            "can be saved: replace the labels of X first, for example by X.reset_index(drop=True)."
        )
    # The dtype of strings depends on the version of pandas, so it is not stored.
    dtype = str(index.dtype) if kind in "mMbiuf" else "str"
    return {"name": _name(index), "dtype": dtype, "labels": labels}


def _name(index):
    # Names can be any hashable object; those that JSON cannot store are kept as strings.
    return index.name if index.name is None else str(index.name)


def index_described(described):
    """Return the index that a dictionary of `describe_index` describes."""
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


# dtype of a plain list of strings: object before pandas 3, a string dtype since then.
_STRING = pd.Index(["a"]).dtype
