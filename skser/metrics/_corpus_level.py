"""Whether a model is right about many utterances at once, if not about each."""

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
    """Jensen-Shannon distance between the classes' true and predicted shares.

    A model that is to say how often callers are angry may err on each call, as long as its
    errors even out.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)

    Returns
    -------
    float
        0 (the same shares) to 1 (no class in common); the root of the divergence in bits.

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
    """Whether the speakers who show an emotion most are told to.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
        Emotions, or a dimension as floats.
    speakers : array-like of shape (n_utterances,)

    Returns
    -------
    Series of float64, or float
        Spearman's correlation over the speakers of a class's true and predicted shares, by
        class of y_true; for floats, of the speakers' mean values. NaN, with a warning, where all
        speakers are alike on either side, as in a corpus in which each says everything.

    Warns
    -----
    UndefinedMetricWarning
        Naming the classes in which all speakers are alike.

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
        raise ValueError(f"A ranking needs two speakers; there is only {speakers[0]!r}.")
    correlations = {}
    for name, side in sides.items():
        ranks = [rankdata(pd.Series(values).groupby(speakers).mean()) for values in side]
        is_flat = any(np.ptp(rank) == 0 for rank in ranks)
        correlations[name] = np.nan if is_flat else np.corrcoef(*ranks)[0, 1]
    flat = [name for name in names if np.isnan(correlations[name])]
    if flat:
        warnings.warn(
            f"All speakers are alike in {flat}, in truth or as predicted: they have no order.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    if names == ["value"]:
        return float(correlations["value"])
    return pd.Series(correlations, name="spearman", dtype=np.float64)
