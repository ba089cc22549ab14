"""Test of whether a model works equally well for groups of speakers."""

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
    """Largest gap in a score between groups, with the gap that chance alone would produce.

    Attributes
    ----------
    gap : float
        Largest difference of the score between two groups. For the UAR, it is over the classes
        that both have.
    threshold : float
        Quantile at `confidence_level` of the gaps in simulations where groups do not matter.
    p_value : float
        Share of these simulations with at least this gap.
    best, worst : object
        The two groups with this gap.
    confidence_level : float
        Share of simulated gaps up to `threshold`.

    See Also
    --------
    recall_gap : Function that returns it for classes, with an example.
    score_gap : Function that returns it for other scores.
    """

    gap: float
    threshold: float
    p_value: float
    best: object
    worst: object
    confidence_level: float

    @property
    def is_fair(self):
        """True if chance explains the gap: it is at most `threshold`."""
        return self.gap <= self.threshold


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "groups": ["array-like"],
        "speakers": ["array-like", None],  # no default: nobody should leave it out by accident
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
    speakers,
    *,
    confidence_level=0.95,
    n_simulations=1000,
    random_state=0,
):
    """Compute the largest difference of UAR between groups, and test it against chance.

    Groups of few speakers differ because speakers do. The simulations therefore assign the groups
    to the speakers at random. Without `speakers`, they draw random models instead, which recognize
    each utterance with the probability that the model has for its class, whoever speaks. That
    treats utterances as independent, and reports differences between single speakers as unfair.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
        True and predicted classes.
    groups : array-like of shape (n_utterances,)
        Group of each utterance: sex, age group, speaker or another attribute. Groups that share no
        class with another group are left out, with a warning.
    speakers : array-like of shape (n_utterances,) or None
        Speaker of each utterance. Each speaker is in one group. Give None only if `groups` are the
        speakers themselves, or if each speaker is in several groups.
    confidence_level : float, default=0.95
        Share of simulated gaps up to the threshold.
    n_simulations : int, default=1000
        Number of simulations.
    random_state : int, RandomState instance or None, default=0
        Seed of the simulations.

    Returns
    -------
    FairnessGap

    Raises
    ------
    ValueError
        If no two groups share a class, or a speaker is in two groups.

    References
    ----------
    Derington, A., Wierstorf, H., Özkil, A., Eyben, F., Burkhardt, F. and Schuller, B. W.
    (2025). Testing Correctness, Fairness, and Robustness of Speech Emotion Recognition Models.
    IEEE Transactions on Affective Computing 16(3).

    Examples
    --------
    >>> from skser.evaluation import recall_gap
    >>> sex, speakers = ["female", "male"] * 50, list(range(10)) * 10
    >>> y_true = ["anger"] * 50 + ["fear"] * 50
    >>> y_pred = ["anger", "fear"] * 25 + ["fear"] * 50
    >>> found = recall_gap(y_true, y_pred, sex, speakers)
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
            f"Groups {names.tolist()} cannot be compared, because no two of them share a class."
        )
    lonely = names[~shared.any(axis=1)]
    if len(lonely):
        warnings.warn(
            f"Groups {lonely.tolist()} share no class with another group and are left out.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    n_right = np.zeros_like(size)
    np.add.at(n_right, (place, true), right)
    gap, best, worst = _gap(n_right, size)
    names = names.tolist()
    random = check_random_state(random_state)
    if speakers is None:
        recall = n_right.sum(axis=0) / size.sum(axis=0)
        cases = (random.binomial(size.astype(int), recall) for _ in range(n_simulations))
        simulated = np.array([_gap(case, size)[0] for case in cases])
    else:
        speakers = check_attribute(speakers, y_true, "speakers")
        by_speaker = _by_speaker(speakers, place, true, right, len(names), len(classes))
        simulated = np.array([_shuffled_gap(*by_speaker, random) for _ in range(n_simulations)])
        simulated = simulated[np.isfinite(simulated)]  # of groups that share a class
    return gap_against_chance(gap, simulated, confidence_level, names[best], names[worst])


def gap_against_chance(gap, simulated, confidence_level, best, worst):
    """Return a gap with its test against simulated gaps.

    Parameters
    ----------
    gap : float
        Largest difference of a score between two groups.
    simulated : ndarray of shape (n_simulations,)
        Gaps where groups do not matter.
    confidence_level : float
        Share of simulated gaps up to the threshold.
    best, worst : object
        The two groups with this gap.

    Returns
    -------
    FairnessGap
    """
    threshold = np.quantile(simulated, confidence_level, method="inverted_cdf")
    # Without a tolerance, equal gaps that differ in the last digit would not count.
    p_value = (1 + np.sum(simulated >= gap - 1e-12)) / (1 + len(simulated))
    return FairnessGap(float(gap), float(threshold), float(p_value), best, worst, confidence_level)


def group_of_speakers(speakers, place, remedy=""):
    """Find the group of each speaker.

    Parameters
    ----------
    speakers : ndarray of shape (n_utterances,)
        Speaker of each utterance.
    place : ndarray of shape (n_utterances,), int
        Number of the group of each utterance.
    remedy : str, default=""
        Further sentence of the error message.

    Returns
    -------
    of_row : ndarray of shape (n_utterances,), int
        Number of the speaker of each utterance.
    group : ndarray of shape (n_speakers,), int
        Number of the group of each speaker.

    Raises
    ------
    ValueError
        If a speaker is in two groups.
    """
    names, of_row = np.unique(speakers, return_inverse=True)
    group = np.zeros(len(names), dtype=int)
    group[of_row] = place
    divided = group[of_row] != place
    if divided.any():
        raise ValueError(
            f"Speaker {speakers[divided].tolist()[0]!r} is in more than one group, so groups "
            f"cannot be assigned to speakers at random.{remedy}"
        )
    return of_row, group


def _by_speaker(speakers, place, true, right, n_groups, n_classes):
    """Count all and correct utterances (n_speakers, n_classes); find the group of each speaker."""
    remedy = " Give speakers=None to treat utterances as independent."
    of_row, group = group_of_speakers(speakers, place, remedy)
    size, n_right = np.zeros((2, len(group), n_classes))
    np.add.at(size, (of_row, true), 1)
    np.add.at(n_right, (of_row, true), right)
    return size, n_right, group, n_groups


def _shuffled_gap(size, n_right, group, n_groups, random):
    """Return the gap after assigning the groups to the speakers at random."""
    group = random.permutation(group)
    sums = np.zeros((2, n_groups, size.shape[1]))
    for total, part in zip(sums, (n_right, size), strict=True):
        np.add.at(total, group, part)
    return _gap(*sums)[0]


def _gap(n_right, size):
    """Return the largest difference between two groups over the classes that both have."""
    has = (size > 0).astype(float)
    n_common = has @ has.T
    np.fill_diagonal(n_common, 0)  # a group is not compared with itself
    known = n_right / np.maximum(size, 1)
    sums = known @ has.T  # sums[i, j]: recalls of group i over the classes of group j
    difference = np.where(n_common > 0, (sums - sums.T) / np.maximum(n_common, 1), -np.inf)
    best, worst = np.unravel_index(difference.argmax(), difference.shape)
    return difference[best, worst], best, worst
