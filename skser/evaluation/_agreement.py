"""Agreement of the raters of a corpus: the ceiling that a model is compared with."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.exceptions import UndefinedMetricWarning

from skser._optional import import_optional
from skser.datasets import SpeechCorpus
from skser.metrics import concordance_correlation_coefficient, recall_per_class

_DIMENSIONS = ("valence", "activation", "dominance")


@dataclass(frozen=True)
class Agreement:
    """Agreement of raters with each other.

    Attributes
    ----------
    summary : DataFrame
        One row per target that was voted on ("emotion", "valence", "activation", "dominance"):
        ``alpha``, Krippendorff's alpha (nominal for emotions, interval for numbers; 1 is full
        agreement and 0 that of chance); ``metric``, which is "UAR" or "CCC"; ``human``, that
        metric of all votes together, each against the consensus of the other raters;
        ``n_utterances`` with at least two raters; and ``raters``, the mean number of raters of
        these utterances.
    raters : DataFrame
        One row per target and rater who is not anonymous: the number ``n`` of votes that a
        consensus of others exists for, and ``score``, the metric of these votes. The score is
        NaN if it is undefined, as the CCC of fewer than two votes.

    See Also
    --------
    agreement : Function that returns it, with an example.
    """

    summary: pd.DataFrame
    raters: pd.DataFrame

    def __str__(self):
        return self.summary.round(3).to_string()


def agreement(corpus):
    """Measure how far the raters of a corpus agree.

    The human score says how well one rater predicts what the others agree on, with the metric
    that models are scored with. A model is scored against the consensus of all raters, which is
    a little steadier, so it may exceed the human score.

    The consensus on an emotion is the one that most of the others chose; votes without such a
    consensus, because it is a tie, are not scored. All emotions that were voted for count, even if
    no utterance of the corpus is labeled with them; to compare models and raters, leave such votes
    out. The consensus on a dimension is the mean of the others. Of a rater who named several
    emotions, the first counts. Votes of speakers on themselves do not count.

    Parameters
    ----------
    corpus : SpeechCorpus
        Corpus with ``votes``.

    Returns
    -------
    Agreement

    Raises
    ------
    ImportError
        If the library krippendorff is not installed (extra ``agreement``).
    ValueError
        If the corpus has no votes, or no utterance has the votes of two raters.

    References
    ----------
    Krippendorff, K. (2011). Computing Krippendorff's Alpha-Reliability. University of
    Pennsylvania.

    Examples
    --------
    >>> import pandas as pd
    >>> from skser.datasets import SpeechCorpus
    >>> from skser.evaluation import agreement
    >>> frame = pd.DataFrame({"audio": ["1.wav", "2.wav"], "emotion": ["anger", "fear"]})
    >>> votes = pd.DataFrame(
    ...     {
    ...         "utterance": [0] * 4 + [1] * 4,
    ...         "rater": ["r", "s", "t", "u"] * 2,
    ...         "emotion": ["anger"] * 4 + ["fear"] * 3 + ["anger"],
    ...     }
    ... )
    >>> found = agreement(SpeechCorpus(frame, "mine", {}, votes=votes))
    >>> found.summary.loc["emotion", ["alpha", "human"]].astype(float).round(3).tolist()
    [0.533, 0.875]
    """
    krippendorff = import_optional("krippendorff", extra="agreement", purpose="agreement")
    if not isinstance(corpus, SpeechCorpus):
        raise TypeError(f"corpus must be a SpeechCorpus, not {type(corpus).__name__}.")
    if corpus.votes is None:
        raise ValueError(
            f"{corpus.name} has no votes. Pass votes= to SpeechCorpus, or load the corpus from a "
            "folder that has them."
        )
    votes = corpus.votes
    if "self_evaluation" in votes:
        votes = votes[~votes["self_evaluation"].astype(bool)]
    summary, raters = {}, {}
    for target in ("emotion", *_DIMENSIONS):
        if target not in votes:
            continue
        given = _one_per_rater(votes.dropna(subset=[target]))
        several = given[given.groupby("utterance")[target].transform("size") > 1]
        if several.empty:
            continue
        nominal = target == "emotion"
        consensus = _majority_of_others(several) if nominal else _mean_of_others(several, target)
        score = _mean_recall if nominal else _concordance
        compared = several.assign(consensus=consensus).dropna(subset=["consensus"])
        counts = several.groupby("utterance").size()
        summary[target] = {
            "alpha": _alpha(krippendorff, several, target),
            "metric": "UAR" if nominal else "CCC",
            "human": _score(score, compared, target),
            "n_utterances": len(counts),
            "raters": counts.mean(),
        }
        for rater, part in compared.groupby("rater"):  # leaves anonymous raters out
            raters[target, rater] = {"n": len(part), "score": _score(score, part, target)}
    if not summary:
        raise ValueError(f"{corpus.name} has no utterance with the votes of two raters.")
    index = pd.MultiIndex.from_tuples(list(raters), names=["target", "rater"]) if raters else None
    table = pd.DataFrame(list(raters.values()), index=index, columns=["n", "score"])
    return Agreement(pd.DataFrame.from_dict(summary, orient="index"), table)


def _one_per_rater(votes):
    """Return the first vote of each rater on each utterance, and all anonymous ones."""
    return votes[votes["rater"].isna() | ~votes.duplicated(["utterance", "rater"])]


def _alpha(krippendorff, votes, target):
    """Return Krippendorff's alpha, or NaN if all votes are the same."""
    values = votes[target].to_numpy()
    if target == "emotion":
        values = np.unique(values.astype(str), return_inverse=True)[1]
    if len(np.unique(values)) < 2:
        return np.nan
    # Alpha does not depend on who voted, so the k-th votes of all utterances share a row. A row
    # per rater would need gigabytes for corpora with thousands of raters.
    place = votes.groupby("utterance").cumcount().to_numpy()
    unit = np.unique(votes["utterance"], return_inverse=True)[1]
    table = np.full((place.max() + 1, unit.max() + 1), np.nan)
    table[place, unit] = values
    level = "nominal" if target == "emotion" else "interval"
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement=level))


def _majority_of_others(votes):
    """Return the emotion that most others chose for each vote, or None for a tie."""
    classes, chosen = np.unique(votes["emotion"].to_numpy(dtype=str), return_inverse=True)
    unit = np.unique(votes["utterance"], return_inverse=True)[1]
    counts = np.zeros((unit.max() + 1, len(classes)), dtype=int)
    np.add.at(counts, (unit, chosen), 1)
    others = counts[unit]
    others[np.arange(len(votes)), chosen] -= 1
    most = others.max(axis=1, keepdims=True)
    is_tie = (others == most).sum(axis=1) > 1
    return np.where(is_tie, None, classes[others.argmax(axis=1)].astype(object))


def _mean_of_others(votes, target):
    """Return the mean of the others' ratings for each vote."""
    of_utterance = votes.groupby("utterance")[target]
    others = of_utterance.transform("sum") - votes[target]
    return (others / (of_utterance.transform("size") - 1)).to_numpy()


def _score(score, compared, target):
    """Score votes against the consensus of others; NaN without votes."""
    if compared.empty:
        return np.nan
    kind = str if target == "emotion" else float
    return score(compared["consensus"].to_numpy(kind), compared[target].to_numpy(kind))


def _mean_recall(consensus, votes):
    """Return the UAR; unlike that of models it may be of a rater who always says the same."""
    return float(recall_per_class(consensus, votes).mean())


def _concordance(consensus, ratings):
    """Return the concordance correlation coefficient, or NaN where it is undefined."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UndefinedMetricWarning)
        try:
            return concordance_correlation_coefficient(consensus, ratings)
        except UndefinedMetricWarning:
            return np.nan
