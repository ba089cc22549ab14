"""Whether a model is as good for everyone."""

import warnings
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from skser.metrics import check_attribute, check_labels


@dataclass(frozen=True)
class FairnessGap:
    """How far groups are apart, and how far they would be by chance.

    Attributes
    ----------
    gap : float
        Largest difference of UAR between two groups, over the classes that both have.
    threshold : float
        What the gap stays below, at the `confidence_level`, where the groups make no
        difference.
    p_value : float
        Share of such cases with at least this gap.
    best, worst : object
        The groups furthest apart.
    confidence_level : float
        Share of random cases that stay below `threshold`.
    """

    gap: float
    threshold: float
    p_value: float
    best: object
    worst: object
    confidence_level: float

    @property
    def is_fair(self):
        """Whether the gap is one that chance explains."""
        return self.gap <= self.threshold


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "groups": ["array-like"],
        "speakers": ["array-like", None],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "n_simulations": [Interval(Integral, 10, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def recall_gap(
    y_true,
    y_pred,
    groups,
    *,
    speakers=None,
    confidence_level=0.95,
    n_simulations=1000,
    random_state=0,
):
    """Largest difference of UAR between groups, beside what chance would make.

    Groups of few speakers differ because speakers do. With `speakers`, chance deals the groups
    out to the speakers anew. Without, it is random models that tell each utterance right with
    the recall that the model has for its class, whoever speaks: that takes utterances for
    independent, and calls differences unfair that are those of single speakers.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
    groups : array-like of shape (n_utterances,)
        Sex, age group, speaker, or another attribute. Groups that share no class with another
        are left out, with a warning.
    speakers : array-like of shape (n_utterances,) or None, default=None
        Each in one group. Not for `groups` that are speakers themselves.
    confidence_level : float, default=0.95
        Share of the random cases that stay below the threshold.
    n_simulations : int, default=1000
        Random cases.
    random_state : int, RandomState instance or None, default=0

    Returns
    -------
    FairnessGap

    Raises
    ------
    ValueError
        If there are fewer than two groups that share a class, or a speaker is in two.

    References
    ----------
    Derington, A., Wierstorf, H., Özkil, A., Eyben, F., Burkhardt, F. and Schuller, B. W.
    (2025). Testing Correctness, Fairness, and Robustness of Speech Emotion Recognition Models.
    IEEE Transactions on Affective Computing 16(3).

    Examples
    --------
    >>> from skser.evaluation import recall_gap
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
    gap, best, worst = _gap(n_right, size)
    random = check_random_state(random_state)
    if speakers is None:
        recall = n_right.sum(axis=0) / size.sum(axis=0)
        cases = (random.binomial(size.astype(int), recall) for _ in range(n_simulations))
        simulated = np.array([_gap(case, size)[0] for case in cases])
    else:
        speakers = check_attribute(speakers, y_true, "speakers")
        by_speaker = _by_speaker(speakers, place, true, right, len(names), len(classes))
        simulated = np.array([_dealt_out(*by_speaker, random) for _ in range(n_simulations)])
    threshold = np.quantile(simulated, confidence_level, method="inverted_cdf")
    # The tolerance: equal gaps may differ in the last digit.
    p_value = (1 + np.sum(simulated >= gap - 1e-12)) / (1 + n_simulations)
    names = names.tolist()
    return FairnessGap(
        float(gap), float(threshold), float(p_value), names[best], names[worst], confidence_level
    )


def _by_speaker(speakers, place, true, right, n_groups, n_classes):
    """Utterances and correct ones (n_speakers, n_classes), group of each speaker, groups."""
    names, of_row = np.unique(speakers, return_inverse=True)
    group = np.zeros(len(names), dtype=int)
    group[of_row] = place
    divided = group[of_row] != place
    if divided.any():
        raise ValueError(
            f"Speaker {names[of_row[divided]].tolist()[0]!r} is in more than one group: chance "
            "cannot deal the groups out to speakers. Leave speakers=None."
        )
    size, n_right = np.zeros((2, len(names), n_classes))
    np.add.at(size, (of_row, true), 1)
    np.add.at(n_right, (of_row, true), right)
    return size, n_right, group, n_groups


def _dealt_out(size, n_right, group, n_groups, random):
    """Gap with the groups dealt out to the speakers anew."""
    group = random.permutation(group)
    sums = np.zeros((2, n_groups, size.shape[1]))
    for total, part in zip(sums, (n_right, size), strict=True):
        np.add.at(total, group, part)
    return _gap(*sums)[0]


def _gap(n_right, size):
    """Largest difference between two groups, each over the classes that both have."""
    has = (size > 0).astype(float)
    n_common = has @ has.T
    known = n_right / np.maximum(size, 1)
    sums = known @ has.T  # of row i, over the classes of row j too
    difference = np.where(n_common > 0, (sums - sums.T) / np.maximum(n_common, 1), -np.inf)
    best, worst = np.unravel_index(difference.argmax(), difference.shape)
    return difference[best, worst], best, worst
