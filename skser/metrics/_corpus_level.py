"""Metrics of aggregates: the class distribution of a corpus, the ranking of its speakers."""

import warnings

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon
from scipy.stats import rankdata
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_consistent_length

from skser.metrics._validation import check_attribute, check_labels


def class_distribution_distance(y_true, y_pred):
    """Compute the Jensen-Shannon distance between the true and predicted class distributions.

    Use it where only the shares of the classes matter. A model that estimates how often callers
    are angry may misjudge single calls, as long as its errors cancel out.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
        True and predicted classes.

    Returns
    -------
    float
        Distance from 0 (equal shares) to 1 (no class in common). It is the square root of the
        Jensen-Shannon divergence in bits.

    See Also
    --------
    scipy.spatial.distance.jensenshannon : The distance of any two distributions.

    References
    ----------
    Endres, D. M. and Schindelin, J. E. (2003). A New Metric for Probability Distributions.
    IEEE Transactions on Information Theory 49(7), 1858-1860.

    Examples
    --------
    >>> from skser.metrics import class_distribution_distance
    >>> class_distribution_distance(["anger", "fear"], ["fear", "anger"])
    0.0
    """
    y_true, y_pred, classes = check_labels(y_true, y_pred)
    true, predicted = ([np.mean(y == c) for c in classes] for y in (y_true, y_pred))
    return float(jensenshannon(true, predicted, base=2))


def speaker_ranking(y_true, y_pred, speakers):
    """Compute the rank correlation between true and predicted shares of a class over speakers.

    A high value means that the model finds the speakers who show an emotion most often.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
        True and predicted classes, or a dimension as floats.
    speakers : array-like of shape (n_utterances,)
        Speaker of each utterance.

    Returns
    -------
    Series of float64, or float
        Spearman's correlation from -1 to 1, for each class of y_true. For floats, it is the
        correlation of the speakers' mean values. It is NaN where all speakers have the same true
        or the same predicted share, as in an acted corpus where each speaker says everything.

    Warns
    -----
    UndefinedMetricWarning
        If all speakers have the same share of a class; the warning names the classes.

    Examples
    --------
    >>> from skser.metrics import speaker_ranking
    >>> y_true = ["anger", "anger", "anger", "fear", "fear", "fear"]
    >>> y_pred = ["anger", "anger", "fear", "fear", "fear", "fear"]
    >>> speaker_ranking(y_true, y_pred, ["a", "a", "b", "b", "c", "c"]).round(2).to_dict()
    {'anger': 0.87, 'fear': 0.87}
    """
    if np.asarray(y_true).dtype.kind == "f":
        y_true, y_pred = (
            column_or_1d(check_array(y, ensure_2d=False, dtype=np.float64, input_name=name))
            for y, name in ((y_true, "y_true"), (y_pred, "y_pred"))
        )
        check_consistent_length(y_true, y_pred)
        names, sides = ["value"], {"value": (y_true, y_pred)}
    else:
        y_true, y_pred, _ = check_labels(y_true, y_pred)
        names = np.unique(y_true).tolist()
        sides = {c: ((y_true == c).astype(float), (y_pred == c).astype(float)) for c in names}
    speakers = check_attribute(speakers, y_true, "speakers")
    if len(np.unique(speakers)) < 2:
        raise ValueError(
            "speaker_ranking needs at least two speakers, but speakers holds only "
            f"{speakers.tolist()[0]!r}."
        )
    correlations = {}
    for name, side in sides.items():
        # Spearman's correlation is Pearson's correlation of ranks.
        ranks = [rankdata(_means(values, speakers)) for values in side]
        is_flat = any(np.ptp(rank) == 0 for rank in ranks)
        correlations[name] = np.nan if is_flat else np.corrcoef(*ranks)[0, 1]
    flat = [name for name in names if np.isnan(correlations[name])]
    if flat:
        warnings.warn(
            f"All speakers have the same true or predicted share of {flat}, so their ranking is "
            "undefined.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    if names == ["value"]:
        return float(correlations["value"])
    return pd.Series(correlations, name="spearman", dtype=np.float64)


def _means(values, speakers):
    """Return each speaker's mean without its rounding errors, which would count as an order."""
    means = pd.Series(values).groupby(speakers).mean().to_numpy()
    return np.round(means / max(np.abs(means).max(), np.finfo(float).tiny), 12)
