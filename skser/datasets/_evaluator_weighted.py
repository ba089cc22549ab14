"""Labels of dimensions in which reliable raters count for more."""

import numpy as np
import pandas as pd

from skser.datasets._votes import DIMENSIONS, by_others


def evaluator_weighted_estimator(corpus, dimension, *, return_weights=False):
    r"""Estimate a dimension from its votes, weighting each rater by reliability.

    The evaluator weighted estimator (EWE) of utterance :math:`n` is

    .. math:: \hat x_n = \sum_k r_k x_{n,k} \Big/ \sum_k r_k

    over the raters :math:`k` of the utterance. The weight :math:`r_k` is Pearson's correlation
    of the rater's votes with the mean of the other raters' votes on the same utterances.

    Parameters
    ----------
    corpus : SpeechCorpus
        Corpus whose ``votes`` hold the dimension. Votes of the speakers on themselves do not
        count.
    dimension : {"valence", "activation", "dominance"}
        Dimension to estimate.
    return_weights : bool, default=False
        Whether to return the weights as well.

    Returns
    -------
    estimates : ndarray of shape (n_utterances,), float64
        Estimates on the corpus's scale; NaN for utterances without a vote. Where all weights are
        0, the estimate is the mean of the votes.
    weights : Series of float64
        Weight of each rater, by name. Raters whose correlation is negative, or undefined because
        their votes are constant or fewer than two others can be compared, have the weight 0.
        Returned only if `return_weights` is True.

    Raises
    ------
    ValueError
        If the corpus has no votes for the dimension, or anonymous ones.

    References
    ----------
    Grimm, M. and Kroschel, K. (2005). Evaluation of Natural Emotions Using Self Assessment
    Manikins. IEEE Workshop on Automatic Speech Recognition and Understanding, 381-385.

    Examples
    --------
    >>> import pandas as pd
    >>> from skser.datasets import SpeechCorpus, evaluator_weighted_estimator
    >>> frame = pd.DataFrame({"audio": ["1.wav", "2.wav", "3.wav"], "emotion": "neutral"})
    >>> votes = pd.DataFrame(
    ...     {
    ...         "utterance": [0, 1, 2] * 4,
    ...         "rater": ["r"] * 3 + ["s"] * 3 + ["t"] * 3 + ["u"] * 3,
    ...         "valence": [1, 2, 3, 1, 2, 3, 1, 2, 3, 3, 2, 1],
    ...     }
    ... )
    >>> corpus = SpeechCorpus(frame, "mine", {}, votes=votes)
    >>> evaluator_weighted_estimator(corpus, "valence")  # the means are 1.5, 2.0, 2.5
    array([1., 2., 3.])
    """
    if dimension not in DIMENSIONS:
        raise ValueError(f"dimension={dimension!r} is unknown; choose one of {list(DIMENSIONS)}.")
    votes = corpus.votes
    if votes is None or dimension not in votes or not votes[dimension].notna().any():
        raise ValueError(f"{corpus.name} has no votes for {dimension}.")
    votes = by_others(votes).dropna(subset=[dimension])
    if votes["rater"].isna().any():
        raise ValueError(
            f"{corpus.name} has anonymous votes for {dimension}; weights need the raters' names."
        )
    votes = votes.groupby(["utterance", "rater"], as_index=False)[dimension].mean()
    of_utterance = votes.groupby("utterance")[dimension]
    n_others = of_utterance.transform("size") - 1
    others = (of_utterance.transform("sum") - votes[dimension]) / n_others.where(n_others > 0)
    compared = pd.DataFrame({"rater": votes["rater"], "own": votes[dimension], "others": others})
    weights = {
        rater: _correlation(part["own"].to_numpy(), part["others"].to_numpy())
        for rater, part in compared.dropna().groupby("rater")
    }
    weights = pd.Series(weights, dtype=float).reindex(sorted(votes["rater"].unique()))
    weights = weights.clip(lower=0).fillna(0.0).rename_axis("rater").rename("weight")
    estimates = np.full(len(corpus), np.nan)
    for utterance, part in votes.groupby("utterance"):
        values, of_raters = part[dimension].to_numpy(), weights[part["rater"]].to_numpy()
        estimates[utterance] = np.average(values, weights=of_raters if of_raters.any() else None)
    return (estimates, weights) if return_weights else estimates


def _correlation(a, b):
    """Return Pearson's correlation, or NaN where it is undefined."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(np.corrcoef(a, b)[0, 1])
