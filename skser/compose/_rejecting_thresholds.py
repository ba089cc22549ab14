"""Temperature and thresholds that follow from predictions of held-out utterances."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

_LOG_TEMPERATURES = (-4.0, 5.0)


def check_unknown_label(label, classes):
    """Raise ValueError if a label of refused utterances is a class, or of another kind.

    Parameters
    ----------
    label : str or number
        Label of refused utterances.
    classes : ndarray of shape (n_classes,)
        Sorted classes.
    """
    if label in classes.tolist():
        raise ValueError(
            f"unknown_label={label!r} is a class: give another label to the utterances that are "
            "refused."
        )
    if isinstance(label, str) and classes.dtype.kind in "biuf":
        raise ValueError(
            f"unknown_label={label!r} is a text, but the classes are numbers: give a number that "
            "is not a class, such as unknown_label=-1."
        )
    if not isinstance(label, str) and classes.dtype.kind not in "biuf":
        raise ValueError(
            f"unknown_label={label!r} is a number, but the classes are not: give a text that is "
            "not a class, such as unknown_label='unknown'."
        )


def best_temperature(scores, true):
    """Return the temperature whose probabilities make the true classes most likely.

    Parameters
    ----------
    scores : ndarray of shape (n_utterances, n_classes)
        Log probabilities or decision values of held-out utterances.
    true : ndarray of shape (n_utterances,), int
        Column of each utterance's class.

    Returns
    -------
    float

    References
    ----------
    Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q. (2017). On Calibration of Modern Neural
    Networks. ICML. Section 4.2.
    """

    def loss(log_temperature):
        log_probability = log_softmax(scores / np.exp(log_temperature), axis=1)
        return -np.take_along_axis(log_probability, true[:, None], axis=1).mean()

    lowest, highest = _LOG_TEMPERATURES
    highest = max(highest, np.log(scores.std() + 1) + 1)  # decision values may be large
    found = minimize_scalar(loss, bounds=(lowest, highest), method="bounded")
    return float(np.exp(found.x))


def largest_typical(distance, novelty):
    """Return the distance that a share `novelty` of utterances like the held-out ones exceeds.

    Parameters
    ----------
    distance : ndarray of shape (n_utterances,)
        Distances of held-out utterances.
    novelty : float or None
        Share. None means that none exceeds it.

    Returns
    -------
    float
        Conformal quantile. It is at most the largest distance, which fewer than 1 / `novelty`
        utterances cannot exceed for certain.
    """
    if novelty is None:
        return np.inf
    rank = int(np.ceil((len(distance) + 1) * (1 - novelty)))
    return float(np.sort(distance)[min(rank, len(distance)) - 1])


def least_confidence(confidence, right, n_all, coverage, risk):
    """Return the confidence from which on utterances are answered.

    Parameters
    ----------
    confidence : ndarray of shape (n_utterances,)
        Confidence of those held-out utterances that are not refused for another reason.
    right : ndarray of shape (n_utterances,), bool
        Whether the most probable class is the true one.
    n_all : int
        Number of all held-out utterances.
    coverage : float or None
        Share of all held-out utterances to answer.
    risk : float or None
        Largest share of errors among the answers.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If no threshold keeps to `risk`.
    """
    if coverage is None and risk is None:
        return 0.0
    order = np.argsort(-confidence, kind="stable")
    confidence, n_wrong = confidence[order], np.cumsum(~right[order])
    if coverage is not None:
        n_answers = int(np.ceil(coverage * n_all))
        return 0.0 if n_answers >= len(confidence) else float(confidence[n_answers - 1])
    # Utterances of equal confidence are answered together. One error more is counted, as for a
    # fixed threshold; choosing the threshold on the same utterances is not accounted for.
    last = np.append(confidence[1:] != confidence[:-1], True)
    risks = (n_wrong + 1) / (np.arange(len(confidence)) + 2)
    allowed = np.flatnonzero(last & (risks <= risk))
    if not len(allowed):
        raise ValueError(
            f"risk={risk} cannot be kept on the held-out utterances: the lowest risk is "
            f"{risks[last].min():.3f}. Give a larger risk=, or more training utterances."
        )
    best = allowed[-1]
    return 0.0 if best == len(confidence) - 1 else float(confidence[best])


def label_sets(probability, conformity_scores, confidence_level):
    """Return the classes that are probable enough to hold the true one at a given level.

    Parameters
    ----------
    probability : ndarray of shape (n_utterances, n_classes)
        Class probabilities.
    conformity_scores : ndarray of shape (n_held_out,)
        One minus the probability of the true class of held-out utterances, in rising order.
    confidence_level : float
        Share of utterances whose set is to hold their class.

    Returns
    -------
    ndarray of shape (n_utterances, n_classes), bool
    """
    if not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level={confidence_level} must be between 0 and 1.")
    n = len(conformity_scores)
    rank = int(np.ceil((n + 1) * confidence_level))
    # With too few held-out utterances, only all classes together hold the true one for sure.
    limit = np.inf if rank > n else conformity_scores[rank - 1]
    is_in = 1 - probability <= limit
    is_in[np.arange(len(is_in)), probability.argmax(axis=1)] = True
    return is_in


def with_unknown(labels, refused, unknown_label):
    """Replace the labels of refused utterances.

    Parameters
    ----------
    labels : ndarray of shape (n_utterances,)
        Class labels.
    refused : ndarray of shape (n_utterances,), bool
        Whether an utterance is refused.
    unknown_label : str or number
        Label of refused utterances.

    Returns
    -------
    ndarray of shape (n_utterances,)
        Labels, of a type that holds `unknown_label` too if there are refused utterances.
    """
    if not refused.any():
        return labels
    # A longer text than any class must not be cut off.
    labels = labels.astype(np.result_type(labels, np.asarray(unknown_label).dtype))
    labels[refused] = unknown_label
    return labels
