"""Codes of the speakers or settings of utterances."""

import numpy as np
import pandas as pd


def codes_of(values):
    """Number the distinct values of a column.

    Parameters
    ----------
    values : array-like of shape (n_utterances,)
        Speakers, settings or other groups, of any type.

    Returns
    -------
    codes : ndarray of shape (n_utterances,), int
        Number of each utterance's value, and -1 where it is missing or a str of spaces only, as
        a table gives where nothing was entered.
    distinct : ndarray of object
        Values by code.
    """
    values = np.asarray(values, dtype=object)
    is_blank = np.array([isinstance(value, str) and not value.strip() for value in values], bool)
    return pd.factorize(np.where(is_blank, None, values))
