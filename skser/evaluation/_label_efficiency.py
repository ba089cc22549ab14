"""Learning curves over the number of labels per class."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.parallel import Parallel, delayed

from skser._delegation import HasMethodsOnceFitted
from skser.evaluation._intervals import expanded_quantiles
from skser.evaluation._seeds import set_seed
from skser.metrics import check_attribute
from skser.model_selection import speaker_disjoint_splits

ALL = "all"


@dataclass(frozen=True)
class LabelEfficiencyCurve:
    """Predictions of several estimators trained on increasing numbers of labels.

    Attributes
    ----------
    predictions : DataFrame
        One row per utterance, estimator, number of labels and repeat: ``estimator``, ``n_labels``
        (per class; for "all", the mean over classes and folds), ``repeat``, ``utterance``,
        ``group``, ``true``, ``predicted``.
    metric : callable
        Score as ``metric(true, predicted)`` -> float; higher is better.

    See Also
    --------
    label_efficiency_curve : Function that returns it, with an example.
    """

    predictions: pd.DataFrame
    metric: object

    def scores(self):
        """Compute the score over all folds of each estimator, number of labels and repeat.

        Returns
        -------
        DataFrame
            Columns ``estimator``, ``n_labels``, ``repeat`` and ``score``.
        """
        groups = self.predictions.groupby(["estimator", "n_labels", "repeat"], sort=True)
        return pd.DataFrame(
            [(*key, self.metric(part["true"], part["predicted"])) for key, part in groups],
            columns=["estimator", "n_labels", "repeat", "score"],
        )

    def multiples(
        self, estimator, baseline, *, confidence_level=0.95, n_bootstrap=400, random_state=0
    ):
        """Compute how many times as many labels a baseline needs for the same score.

        Parameters
        ----------
        estimator, baseline : str
            Names of the two estimators.
        confidence_level : float, default=0.95
            Confidence level of the interval.
        n_bootstrap : int, default=400
            Number of resamples for the interval. Each resamples both groups and repeats. The
            interval is an expanded percentile interval (Hesterberg, 2015), which keeps its level
            for few speakers.
        random_state : int, RandomState instance or None, default=0
            Seed of the resampling.

        Returns
        -------
        DataFrame
            Columns ``multiple``, ``low`` and ``high``, indexed by the estimator's ``n_labels``.
            The baseline's scores are interpolated over the logarithm of the number of labels. The
            multiple is infinite where the baseline does not reach the score with all labels. Where
            it reaches the score with its fewest labels, these determine the multiple.
        """
        random = check_random_state(random_state)
        groups, place = np.unique(self.predictions["group"], return_inverse=True)
        n_repeats = self.predictions["repeat"].nunique()
        pair = [self._by_size(name, place) for name in (estimator, baseline)]
        found = self._catch_up(*pair, np.ones(len(groups), int), range(n_repeats))
        drawn = []
        for _ in range(n_bootstrap):
            # Both estimators get the same speakers and repeats, which keeps them paired.
            counts = np.bincount(
                random.randint(len(groups), size=len(groups)), minlength=len(groups)
            )
            repeats = random.randint(n_repeats, size=n_repeats)
            drawn.append(self._catch_up(*pair, counts, repeats))
        low, high = np.quantile(
            drawn,
            expanded_quantiles(len(groups), confidence_level),
            axis=0,
            method="inverted_cdf",  # interpolating between infinite multiples would give NaN
        )
        index = pd.Index(list(pair[0]), name="n_labels")
        return pd.DataFrame({"multiple": found, "low": low, "high": high}, index=index)

    def _by_size(self, name, place):
        """Return truth, predictions and group of the utterances, by number of labels and repeat."""
        chosen = (self.predictions["estimator"] == name).to_numpy()
        if not chosen.any():
            known = sorted(self.predictions["estimator"].unique())
            raise ValueError(f"Unknown estimator {name!r}; choose one of {known}.")
        part = self.predictions[chosen].assign(place=place[chosen])
        return {
            size: [
                (rows["true"].to_numpy(), rows["predicted"].to_numpy(), rows["place"].to_numpy())
                for _, rows in of_size.groupby("repeat", sort=True)
            ]
            for size, of_size in part.groupby("n_labels", sort=True)
        }

    def _catch_up(self, mine, other, counts, repeats):
        """Return the multiples when each group is repeated as often as `counts` says."""
        scores, scores_other = (
            self._mean_scores(by_size, counts, repeats) for by_size in (mine, other)
        )
        # A curve may dip by chance; a score that fewer labels reached counts as reached.
        reached, sizes = np.maximum.accumulate(scores_other), np.array(list(other))
        needed = np.array([_first_reaching(score, sizes, reached) for score in scores])
        return needed / np.array(list(mine))

    def _mean_scores(self, by_size, counts, repeats):
        """Return the mean score over the repeats, for each number of labels."""
        means = []
        for parts in by_size.values():
            scores = []
            for true, predicted, place in (parts[i] for i in repeats):
                rows = np.repeat(np.arange(len(true)), counts[place])
                scores.append(self.metric(true[rows], predicted[rows]))
            means.append(np.mean(scores))
        return np.array(means)


def _first_reaching(score, sizes, reached):
    """Return the number of labels at which a rising curve reaches a score; inf if it does not."""
    if score > reached[-1]:
        return np.inf
    i = int(np.searchsorted(reached, score))
    if i == 0:
        return sizes[0]
    share = (score - reached[i - 1]) / (reached[i] - reached[i - 1])
    return float(np.exp(np.interp(share, [0, 1], np.log(sizes[i - 1 : i + 1]))))


@validate_params(
    {
        "estimators": [dict],
        "groups": ["array-like", None],
        "cv": ["cv_object"],
        "n_labels": ["array-like"],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "metric": [callable],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def label_efficiency_curve(
    estimators,
    X,
    y,
    *,
    groups=None,
    cv=None,
    n_labels=(4, 8, 16, 32, ALL),
    n_repeats=5,
    metric=balanced_accuracy_score,
    n_jobs=None,
    random_state=None,
):
    """Train estimators on n labels per class, for several n, and predict unseen speakers.

    In each fold and repeat, all estimators are trained on the same utterances, drawn from each
    class of the training side, so that their scores are paired.

    Parameters
    ----------
    estimators : dict of classifiers
        Classifiers by name. All take the same X.
    X : Sequences, list, array or DataFrame of n_utterances
        Utterances in a form that all estimators take.
    y : array-like of shape (n_utterances,)
        Class of each utterance.
    groups : array-like of shape (n_utterances,) or None, default=None
        Speaker of each utterance. Without it, the interval of `LabelEfficiencyCurve.multiples`
        resamples utterances.
    cv : int, cross-validation generator, iterable or None, default=None
        Splitter, or number of folds; None means 5 folds. Folds given by number are stratified by
        class and, with `groups`, speaker-disjoint. Splits that share speakers are refused,
        unless `GivenSplits` allows them.
    n_labels : array-like of int and "all", default=(4, 8, 16, 32, "all")
        Numbers of labels per class. Numbers that some class does not have in some fold are left
        out.
    n_repeats : int, default=5
        Number of draws of the labels. Every ``random_state`` of an estimator is set to the number
        of the repeat. "all" is repeated as well, although nothing is drawn.
    metric : callable, default=balanced_accuracy_score
        Score as ``metric(true, predicted)`` over all folds together.
    n_jobs : int or None, default=None
        Number of processes over folds, numbers and repeats, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    LabelEfficiencyCurve

    References
    ----------
    Boigne, J., Liyanage, B. and Östrem, T. (2020). Recognizing More Emotions with Less Data
    Using Self-supervised Transfer Learning. doi:10.20944/preprints202008.0645.v1. Figure 2.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skser.evaluation import label_efficiency_curve
    >>> X, y = load_wine(return_X_y=True)
    >>> estimators = {"bayes": GaussianNB(), "neighbors": KNeighborsClassifier(1)}
    >>> curve = label_efficiency_curve(
    ...     estimators, X, y, n_labels=(4, 16, "all"), n_repeats=2, random_state=0
    ... )
    >>> scores = curve.scores().groupby(["estimator", "n_labels"])["score"].mean()
    >>> scores["bayes"].round(1).tolist(), scores["neighbors"].round(1).tolist()
    ([0.8, 1.0, 1.0], [0.7, 0.6, 0.7])
    """
    y = check_attribute(y, X, "y")
    speakers = np.arange(len(y)) if groups is None else check_attribute(groups, y, "groups")
    if not estimators:
        raise ValueError("estimators is empty; give at least one classifier by name.")
    for name, estimator in estimators.items():
        if not HasMethodsOnceFitted(["fit", "predict"]).is_satisfied_by(estimator):
            raise TypeError(
                f"estimators[{name!r}] must have fit and predict, got {type(estimator).__name__}."
            )
    random = check_random_state(random_state)
    if cv is None or isinstance(cv, Integral):
        cv = StratifiedGroupKFold(cv or 5, shuffle=True, random_state=random.randint(2**31 - 1))
    folds = speaker_disjoint_splits(cv, np.zeros(len(y)), y, speakers, "cv")
    sizes = _sizes(n_labels, y, folds)
    # Labels are drawn here rather than in the workers, so that n_jobs does not change them.
    tasks = []
    for n in sizes:
        for repeat in range(n_repeats):
            for train, test in folds:
                rows = train if n == ALL else _draw(train, y, n, random)
                tasks += [(name, n, repeat, rows, test) for name in estimators]
    predicted = Parallel(n_jobs)(
        delayed(_predict)(estimators[name], X, y, rows, test, repeat)
        for name, _, repeat, rows, test in tasks
    )
    mean_of_all = np.mean([np.unique(y[train], return_counts=True)[1].mean() for train, _ in folds])
    parts = [
        pd.DataFrame(
            {
                "estimator": name,
                "n_labels": float(mean_of_all if n == ALL else n),
                "repeat": repeat,
                "utterance": test,
                "group": speakers[test],
                "true": y[test],
                "predicted": labels,
            }
        )
        for (name, n, repeat, _, test), labels in zip(tasks, predicted, strict=True)
    ]
    return LabelEfficiencyCurve(pd.concat(parts, ignore_index=True), metric)


def _sizes(n_labels, y, folds):
    """Return the numbers of labels that every class has in every fold."""
    wrong = [n for n in n_labels if not (n == ALL or (isinstance(n, Integral) and n > 0))]
    if wrong:
        raise ValueError(
            f"n_labels must hold integers of at least 1, or 'all', but it holds {wrong[0]!r}."
        )
    classes = np.unique(y)
    fewest = min(np.sum(y[train] == c) for train, _ in folds for c in classes)
    if fewest == 0:
        raise ValueError("The training side of a fold lacks a class. Use fewer or other folds.")
    sizes = [n for n in n_labels if n == ALL or n <= fewest]
    if not sizes:
        raise ValueError(
            f"The rarest class has {fewest} labels in some fold, fewer than any of n_labels "
            f"{list(n_labels)}. Use smaller numbers."
        )
    return sizes


def _draw(train, y, n, random):
    """Draw n training rows of each class, in random order."""
    classes = np.unique(y[train])
    drawn = [random.choice(train[y[train] == c], n, replace=False) for c in classes]
    return random.permutation(np.concatenate(drawn))


def _predict(estimator, X, y, rows, test, repeat):
    """Fit a clone on the drawn rows and predict the test rows."""
    estimator = set_seed(clone(estimator), repeat)
    estimator.fit(_safe_indexing(X, rows), y[rows])
    return estimator.predict(_safe_indexing(X, test))
