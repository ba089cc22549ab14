"""Comparison of several evaluations on the same corpus."""

import warnings
from dataclasses import dataclass
from itertools import combinations
from numbers import Real

import numpy as np
import pandas as pd
import scipy.stats
from sklearn.utils._param_validation import Interval, validate_params

from skser._wording import counted
from skser.evaluation._intervals import holm, jackknife
from skser.evaluation._speaker_evaluation import SpeakerEvaluation
from skser.evaluation._target_metrics import is_loss, within_range
from skser.evaluation._unknown_speakers import UNKNOWN_SPEAKER, about_speakers


@dataclass(frozen=True)
class SystemComparison:
    """Comparison of several systems on the same utterances.

    Attributes
    ----------
    systems : DataFrame
        One row per system, the best first: ``score``, ``low`` and ``high``, the bounds of its
        confidence interval over speakers, and ``rank``, the mean over speakers of its rank (1 is
        the best).
    pairs : DataFrame
        One row per pair of systems: ``better`` and ``worse``, their names; ``difference`` of their
        scores with ``low`` and ``high``; ``p_value`` and ``p_holm``, corrected for the number of
        pairs.
    speaker_scores : DataFrame of shape (n_speakers, n_systems)
        Score of each system on each speaker.
    p_value : float
        p-value of Friedman's test that all systems have equal ranks over speakers. It is NaN for
        two systems.
    metric : str
        Name of the metric.
    confidence_level : float
        Confidence level of every interval.
    notes : list of str
        What limits the comparison: unknown speakers, and speakers on both sides of a fold.

    See Also
    --------
    compare : Function that returns it, with an example.
    """

    systems: pd.DataFrame
    pairs: pd.DataFrame
    speaker_scores: pd.DataFrame
    p_value: float
    metric: str
    confidence_level: float
    notes: list

    def __str__(self):
        level = f"{100 * self.confidence_level:g} % interval"
        systems = pd.DataFrame(
            {
                self.metric: self.systems["score"].map("{:.3f}".format),
                level: _interval_text(self.systems),
                "mean rank": self.systems["rank"].map("{:.2f}".format),
            }
        )
        pairs = pd.DataFrame(
            {
                "difference": self.pairs["difference"].map("{:+.3f}".format),
                level: _interval_text(self.pairs, "{:+.3f}"),
                "p": self.pairs["p_value"].map("{:.3f}".format),
                "p (Holm)": self.pairs["p_holm"].map("{:.3f}".format),
            }
        )
        pairs.index = [f"{row.better} - {row.worse}" for row in self.pairs.itertuples()]
        n_speakers = (self.speaker_scores.index != UNKNOWN_SPEAKER).sum()
        parts = [counted(n_speakers, "speaker"), systems.to_string(), pairs.to_string()]
        if not np.isnan(self.p_value):
            parts.append(f"Friedman's test over speakers: p = {self.p_value:.3f}")
        return "\n\n".join(parts + self.notes)


def _interval_text(table, form="{:.3f}"):
    """Format the columns low and high as one."""
    return [
        f"{form.format(low)} to {form.format(high)}"
        for low, high in zip(table["low"], table["high"], strict=True)
    ]


@validate_params(
    {
        "evaluations": [dict],
        "metric": [callable, None],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def compare(evaluations, *, metric=None, confidence_level=0.95):
    """Compare evaluations of several systems on the same corpus.

    Scores are pooled over folds and averaged over seeds. Intervals and tests are over speakers, by
    leaving out one at a time, as in `jackknife_by_speaker`; all utterances of unknown speakers
    count as those of one speaker. The p-values of all pairs are corrected with Holm's method;
    intervals are not corrected.

    Parameters
    ----------
    evaluations : dict of SpeakerEvaluation
        Results of `cross_validate_speakers` by the name of the system, all on the same corpus.
        Their folds and their numbers of seeds may differ.
    metric : callable or None, default=None
        Score as ``metric(y_true, y_pred)`` -> float. Higher is better, except for
        `vote_cross_entropy`, `vote_divergence` and scikit-learn's `root_mean_squared_error`.
        None means the main metric of the evaluations: the UAR for classes, the CCC for dimensions
        and the cross-entropy for votes.
    confidence_level : float, default=0.95
        Confidence level of every interval.

    Returns
    -------
    SystemComparison

    Raises
    ------
    ValueError
        If there are fewer than two evaluations, or they are of different utterances or targets.

    See Also
    --------
    skser.inspection.ComparisonDisplay : Picture of a comparison.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.evaluation import compare, cross_validate_speakers
    >>> corpus = make_emotional_speech(4, 10, random_state=0)
    >>> found = compare(
    ...     {
    ...         strategy: cross_validate_speakers(
    ...             DummyClassifier(strategy=strategy, random_state=0), corpus, cv=2
    ...         )
    ...         for strategy in ("stratified", "uniform")
    ...     }
    ... )
    >>> found.speaker_scores.shape, len(found.pairs)
    ((4, 2), 1)
    """
    names = list(evaluations)
    if len(names) < 2:
        raise ValueError(f"compare needs at least two evaluations, got {len(names)}: {names}.")
    for name, evaluation in evaluations.items():
        if not isinstance(evaluation, SpeakerEvaluation):
            raise TypeError(
                f"evaluations[{name!r}] must be a SpeakerEvaluation, got "
                f"{type(evaluation).__name__}."
            )
    first = evaluations[names[0]]
    for name in names[1:]:
        _check_same_utterances(names[0], first, name, evaluations[name])
    metric = first.main_metric if metric is None else metric
    scores = {name: found.without_each_speaker(metric) for name, found in evaluations.items()}
    by_speaker = pd.DataFrame(
        {name: found.by_speaker(metric) for name, found in evaluations.items()}
    )
    rows = []
    for name in names:
        found = jackknife(*scores[name], confidence_level)
        low, high = within_range(metric, found.low, found.high)
        rows.append({"score": found.estimate, "low": low, "high": high})
    systems = pd.DataFrame(rows, index=names)
    loss = is_loss(metric)
    systems["rank"] = by_speaker.round(12).rank(axis=1, ascending=loss).mean()
    systems = systems.sort_values("score", ascending=loss, kind="stable")
    pairs = []
    for better, worse in combinations(systems.index, 2):
        (all_better, each_better), (all_worse, each_worse) = scores[better], scores[worse]
        found = jackknife(all_better - all_worse, each_better - each_worse, confidence_level)
        pairs.append(
            {
                "better": better,
                "worse": worse,
                "difference": found.estimate,
                "low": found.low,
                "high": found.high,
                "p_value": found.p_value,
            }
        )
    pairs = pd.DataFrame(pairs)
    pairs["p_holm"] = holm(pairs["p_value"])
    return SystemComparison(
        systems,
        pairs,
        by_speaker[systems.index],
        _friedman(by_speaker),
        getattr(metric, "__name__", "score"),
        confidence_level,
        [
            f"{name}: {sentence}"
            for name, evaluation in evaluations.items()
            for sentence in about_speakers(evaluation.protocol)
        ],
    )


def _check_same_utterances(name_a, a, name_b, b):
    """Raise if two evaluations are of different utterances, targets or speakers."""
    tables = [
        evaluation.predictions.filter(regex="^(utterance|speaker|true(_.*)?)$")
        .drop_duplicates("utterance")
        .sort_values("utterance")
        .reset_index(drop=True)
        for evaluation in (a, b)
    ]
    if not tables[0].equals(tables[1]):
        raise ValueError(
            f"{name_a!r} and {name_b!r} were evaluated on different utterances, speakers or "
            f"targets ({a.protocol['corpus']}, and {b.protocol['corpus']}): "
            f"{_first_difference((name_a, name_b), *tables)}. Evaluate both on the same corpus."
        )
    hashes = [evaluation.protocol.get("utterances_hash") for evaluation in (a, b)]
    if None not in hashes and hashes[0] != hashes[1]:
        warnings.warn(
            f"The recordings or tables that {name_a!r} and {name_b!r} were evaluated on differ, "
            "although labels and speakers are the same.",
            stacklevel=4,  # past scikit-learn's wrapper
        )


def _first_difference(names, table_a, table_b):
    """Describe the first difference between the utterances of two evaluations."""
    a, b = (table.set_index("utterance") for table in (table_a, table_b))
    for name, found, other in ((names[0], a, b), (names[1], b, a)):
        alone = found.index.difference(other.index, sort=False)
        if len(alone):
            return f"{counted(len(alone), 'utterance')} only in {name!r}, such as {alone[0]!r}"
    for column in dict.fromkeys([*a, *b]):
        if column not in a or column not in b:
            return f"only {names[0 if column in a else 1]!r} has {column!r}"
        differs = (a[column] != b[column]) & ~(a[column].isna() & b[column].isna())
        if differs.any():
            row = differs.to_numpy().argmax()
            values = f"{a[column].iloc[row]!r} and {b[column].iloc[row]!r}"
            return f"{column!r} of utterance {a.index[row]!r} is {values}"
    return "their columns hold values of different types"


def _friedman(scores):
    """Return the p-value of Friedman's test over speakers, or NaN for two systems."""
    values = scores.dropna().round(12).to_numpy()
    if values.shape[1] < 3 or len(values) < 2:
        return np.nan
    if (values == values[:, :1]).all():
        return 1.0  # scipy's statistic is 0 / 0 if all systems are equal
    return float(scipy.stats.friedmanchisquare(*values.T).pvalue)
