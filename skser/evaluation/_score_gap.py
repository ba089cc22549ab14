"""Test of whether a score is equal for groups of speakers, for dimensions and shares of votes."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from skser.evaluation._fairness import gap_against_chance, group_of_speakers
from skser.evaluation._target_metrics import ignore_constant_predictions, is_loss
from skser.metrics import (
    check_attribute,
    check_dimensions,
    concordance_correlation_coefficient,
)


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "groups": ["array-like"],
        "speakers": ["array-like"],
        "metric": [callable],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "n_simulations": [Interval(Integral, 10, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def score_gap(
    y_true,
    y_pred,
    groups,
    speakers,
    *,
    metric=concordance_correlation_coefficient,
    confidence_level=0.95,
    n_simulations=1000,
    random_state=0,
):
    """Compute the largest difference of a score between groups, and test it against chance.

    Groups of few speakers differ because speakers do. The simulations therefore assign the groups
    to the speakers at random.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,) or (n_utterances, n_columns)
        Ratings and predictions, or shares of votes and predicted shares.
    groups : array-like of shape (n_utterances,)
        Group of each utterance: sex, age group or another attribute.
    speakers : array-like of shape (n_utterances,)
        Speaker of each utterance. Each speaker is in one group.
    metric : callable, default=concordance_correlation_coefficient
        Score as ``metric(y_true, y_pred)`` -> float. Higher is better, except for
        `vote_cross_entropy`, `vote_divergence` and scikit-learn's `root_mean_squared_error`.
    confidence_level : float, default=0.95
        Share of simulated gaps up to the threshold.
    n_simulations : int, default=1000
        Number of simulations.
    random_state : int, RandomState instance or None, default=0
        Seed of the simulations.

    Returns
    -------
    FairnessGap
        The gap, in the unit of the metric.

    Raises
    ------
    ValueError
        If there is only one group, a speaker is in two groups, the metric is not defined for a
        group or for one of as many speakers, or y_true and y_pred are of different shapes.

    See Also
    --------
    recall_gap : The same for the UAR of classes.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.evaluation import score_gap
    >>> speakers = np.repeat(np.arange(10), 10)
    >>> sex = np.where(speakers % 2, "male", "female")
    >>> valence = np.tile(np.linspace(-1, 1, 10), 10)
    >>> found = score_gap(valence, np.where(sex == "male", valence / 2, valence), sex, speakers)
    >>> round(found.gap, 2), found.worst, found.is_fair
    (0.2, 'male', False)
    """
    true, predicted = check_dimensions(y_true, y_pred)
    if np.ndim(y_true) == 1:
        true, predicted = true[:, 0], predicted[:, 0]
    groups = check_attribute(groups, true, "groups")
    speakers = check_attribute(speakers, true, "speakers")
    names, place = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"groups holds only {names.tolist()[0]!r}; a gap needs at least two.")
    of_row, group = group_of_speakers(speakers, place)

    def gap_of(group):
        rows = group[of_row]
        scores = np.array(
            [metric(true[rows == i], predicted[rows == i]) for i in range(len(names))]
        )
        if not np.isfinite(scores).all():
            wrong = int((~np.isfinite(scores)).argmax())
            raise ValueError(
                f"The metric is {scores[wrong]} for the group {names.tolist()[wrong]!r}, or for "
                "one of as many speakers. Give a metric that is defined for few utterances, or "
                "leave out small groups."
            )
        best, worst = scores.argmax(), scores.argmin()
        return (scores[best] - scores[worst], *((worst, best) if loss else (best, worst)))

    loss, random = is_loss(metric), check_random_state(random_state)
    with warnings.catch_warnings():
        ignore_constant_predictions()
        gap, best, worst = gap_of(group)
        simulated = np.array([gap_of(random.permutation(group))[0] for _ in range(n_simulations)])
    names = names.tolist()
    return gap_against_chance(gap, simulated, confidence_level, names[best], names[worst])
