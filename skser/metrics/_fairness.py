"""Whether a model is as good for everyone."""

import warnings
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from skser.metrics._validation import check_attribute, check_labels


def group_recalls(y_true, y_pred, groups):
    """UAR and the recall of each class, within each group of utterances.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
    groups : array-like of shape (n_utterances,)
        Sex, age group, speaker, or another attribute.

    Returns
    -------
    DataFrame
        A row per group: ``n``, ``uar`` over the classes that the group has, and a column per
        class, NaN where the group has no utterance of it.
    """
    y_true, y_pred, _ = check_labels(y_true, y_pred)
    groups = check_attribute(groups, y_true, "groups")
    right = pd.Series((y_true == y_pred).astype(float))
    recalls = right.groupby([groups, y_true]).mean().unstack()
    recalls.index.name = recalls.columns.name = None
    counts = pd.Series(groups).value_counts().reindex(recalls.index)
    recalls.insert(0, "uar", recalls.mean(axis=1))
    recalls.insert(0, "n", counts)
    return recalls


@dataclass(frozen=True)
class FairnessGap:
    """How far groups are apart, and how far they would be by chance.

    Attributes
    ----------
    gap : float
        Largest difference of UAR between two groups, over the classes that both have.
    threshold : float
        What a model stays below at the stated level that errs as often, in every class, as
        this one, but knows nothing of the groups.
    p_value : float
        Share of such models with at least this gap.
    best, worst : object
        The groups furthest apart.
    level : float
    """

    gap: float
    threshold: float
    p_value: float
    best: object
    worst: object
    level: float

    @property
    def is_fair(self):
        """Whether the gap is one that chance explains."""
        return self.gap <= self.threshold


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "groups": ["array-like"],
        "level": [Interval(Real, 0, 1, closed="neither")],
        "n_simulations": [Interval(Integral, 10, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def recall_gap(y_true, y_pred, groups, *, level=0.95, n_simulations=1000, random_state=0):
    """Largest difference of UAR between groups, beside what chance would make.

    Small groups differ by chance. How much is found by simulation: random models that tell
    each utterance right with the recall that the model has for its class, whoever speaks.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
    groups : array-like of shape (n_utterances,)
        Sex, age group, speaker, or another attribute. Groups that share no class with another
        are left out, with a warning.
    level : float, default=0.95
        Share of the random models that stay below the threshold.
    n_simulations : int, default=1000
        Random models.
    random_state : int, RandomState instance or None, default=0

    Returns
    -------
    FairnessGap

    Raises
    ------
    ValueError
        If there are fewer than two groups that share a class.

    References
    ----------
    Derington, A., Wierstorf, H., Özkil, A., Eyben, F., Burkhardt, F. and Schuller, B. W.
    (2025). Testing Correctness, Fairness, and Robustness of Speech Emotion Recognition Models.
    IEEE Transactions on Affective Computing 16(3).

    Examples
    --------
    >>> from skser.metrics import recall_gap
    >>> sex = ["female", "male"] * 50
    >>> y_true = ["anger"] * 50 + ["fear"] * 50
    >>> y_pred = ["anger", "fear"] * 25 + ["fear"] * 50
    >>> found = recall_gap(y_true, y_pred, sex)
    >>> found.gap, found.worst, found.is_fair
    (0.5, 'male', False)
    """
    y_true, y_pred, _ = check_labels(y_true, y_pred)
    groups = check_attribute(groups, y_true, "groups")
    classes, true = np.unique(y_true, return_inverse=True)
    names, place = np.unique(groups, return_inverse=True)
    right = y_true == y_pred
    size = np.zeros((len(names), len(classes)))
    np.add.at(size, (place, true), 1)
    shared = (size > 0) & ((size > 0).sum(axis=0) > 1)
    if shared.any(axis=1).sum() < 2:
        raise ValueError(
            f"Groups {names.tolist()} cannot be compared: no two of them have a class in common."
        )
    lonely = names[~shared.any(axis=1)]
    if len(lonely):
        warnings.warn(
            f"Groups {lonely.tolist()} share no class with another and are left out.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    n_right = np.zeros_like(size)
    np.add.at(n_right, (place, true), right)
    gap, best, worst = _gap(n_right / np.maximum(size, 1), size)
    recall = n_right.sum(axis=0) / size.sum(axis=0)
    random = check_random_state(random_state)
    simulated = np.array(
        [
            _gap(random.binomial(size.astype(int), recall) / np.maximum(size, 1), size)[0]
            for _ in range(n_simulations)
        ]
    )
    threshold = np.quantile(simulated, level, method="inverted_cdf")
    # The tolerance: equal gaps may differ in the last digit.
    p_value = (1 + np.sum(simulated >= gap - 1e-12)) / (1 + n_simulations)
    names = names.tolist()
    return FairnessGap(
        float(gap), float(threshold), float(p_value), names[best], names[worst], level
    )


def _gap(recalls, size):
    """Largest difference between two rows, each over the classes that both have."""
    has = (size > 0).astype(float)
    n_common = has @ has.T
    known = recalls * has
    sums = known @ has.T  # of row i, over the classes of row j too
    with np.errstate(invalid="ignore"):
        difference = np.where(n_common > 0, (sums - sums.T) / np.maximum(n_common, 1), -np.inf)
    best, worst = np.unravel_index(difference.argmax(), difference.shape)
    return difference[best, worst], best, worst


def worst_group(y_true, y_pred, groups):
    """The group, such as the speaker, for whom a model works worst.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
    groups : array-like of shape (n_utterances,)

    Returns
    -------
    group : object
    uar : float
        Over the classes that the group has.
    """
    recalls = group_recalls(y_true, y_pred, groups)["uar"]
    worst = recalls.idxmin()
    return worst, float(recalls[worst])
