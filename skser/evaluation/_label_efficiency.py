"""How many labels an estimator needs, beside others."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils import _safe_indexing, check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_consistent_length

from skser._delegation import HasMethodsOnceFitted
from skser.evaluation._seeds import set_seed
from skser.model_selection import speaker_disjoint_splits

ALL = "all"


@dataclass(frozen=True)
class LabelEfficiencyCurve:
    """Predictions of several estimators, each trained on few and on many labels.

    Attributes
    ----------
    predictions : DataFrame
        A row per utterance, estimator, number of labels and repeat: ``estimator``, ``n_labels``
        (per class; of "all" the mean over classes and folds), ``repeat``, ``utterance``,
        ``group``, ``true``, ``predicted``.
    metric : callable
        ``metric(true, predicted)`` -> float, higher is better.
    """

    predictions: pd.DataFrame
    metric: object

    def scores(self):
        """Scores over all folds.

        Returns
        -------
        DataFrame
            ``estimator``, ``n_labels``, ``repeat`` and ``score``.
        """
        groups = self.predictions.groupby(["estimator", "n_labels", "repeat"], sort=True)
        return pd.DataFrame(
            [(*key, self.metric(part["true"], part["predicted"])) for key, part in groups],
            columns=["estimator", "n_labels", "repeat", "score"],
        )

    def multiples(
        self, estimator, baseline, *, confidence_level=0.95, n_bootstrap=200, random_state=0
    ):
        """With how many times the labels a baseline catches up.

        Parameters
        ----------
        estimator, baseline : str
            Names.
        confidence_level : float, default=0.95
            Confidence level of the interval.
        n_bootstrap : int, default=200
            Resamples of groups and of repeats, together, that the interval is from.
        random_state : int, RandomState instance or None, default=0

        Returns
        -------
        DataFrame
            Indexed by the estimator's ``n_labels``: ``multiple``, ``low``, ``high``. The
            baseline's scores are interpolated over the logarithm of the number of labels. Where
            it does not catch up with all labels there are, the multiple is infinite; below its
            fewest labels it is what these make.
        """
        random = check_random_state(random_state)
        groups, place = np.unique(self.predictions["group"], return_inverse=True)
        n_repeats = self.predictions["repeat"].nunique()
        pair = [self._by_size(name, place) for name in (estimator, baseline)]
        found = self._catch_up(*pair, np.ones(len(groups), int), range(n_repeats))
        drawn = []
        for _ in range(n_bootstrap):
            # The same speakers and repeats for both: they are paired.
            counts = np.bincount(
                random.randint(len(groups), size=len(groups)), minlength=len(groups)
            )
            repeats = random.randint(n_repeats, size=n_repeats)
            drawn.append(self._catch_up(*pair, counts, repeats))
        low, high = np.quantile(
            drawn,
            [(1 - confidence_level) / 2, (1 + confidence_level) / 2],
            axis=0,
            method="inverted_cdf",
        )
        index = pd.Index(list(pair[0]), name="n_labels")
        return pd.DataFrame({"multiple": found, "low": low, "high": high}, index=index)

    def _by_size(self, name, place):
        """For each number of labels, of each repeat: truth, predictions, places of the groups."""
        chosen = (self.predictions["estimator"] == name).to_numpy()
        if not chosen.any():
            known = sorted(self.predictions["estimator"].unique())
            raise ValueError(f"There is no estimator {name!r}; there are {known}.")
        part = self.predictions[chosen].assign(place=place[chosen])
        return {
            size: [
                (rows["true"].to_numpy(), rows["predicted"].to_numpy(), rows["place"].to_numpy())
                for _, rows in of_size.groupby("repeat", sort=True)
            ]
            for size, of_size in part.groupby("n_labels", sort=True)
        }

    def _catch_up(self, mine, other, counts, repeats):
        """Multiples, with each group as often as `counts` says."""
        scores, scores_other = (
            self._mean_scores(by_size, counts, repeats) for by_size in (mine, other)
        )
        # More labels do no harm: what was reached once counts as reached.
        reached, sizes = np.maximum.accumulate(scores_other), np.array(list(other))
        needed = np.array([_first_reaching(score, sizes, reached) for score in scores])
        return needed / np.array(list(mine))

    def _mean_scores(self, by_size, counts, repeats):
        means = []
        for parts in by_size.values():
            scores = []
            for true, predicted, place in (parts[i] for i in repeats):
                rows = np.repeat(np.arange(len(true)), counts[place])
                scores.append(self.metric(true[rows], predicted[rows]))
            means.append(np.mean(scores))
        return np.array(means)


def _first_reaching(score, sizes, reached):
    """Number of labels at which a rising curve reaches a score, between its points by log."""
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

    In each fold and repeat all estimators are given the same utterances, drawn from each class
    of the training side, so that they can be compared in pairs.

    Parameters
    ----------
    estimators : dict of classifiers
        By name. All take the same X.
    X : Sequences, list, array or DataFrame of n_utterances
    y : array-like of shape (n_utterances,)
    groups : array-like of shape (n_utterances,) or None, default=None
        Speakers. Without them the interval of `LabelEfficiencyCurve.multiples` resamples
        utterances.
    cv : int, cross-validation generator, iterable or None, default=None
        None is 5. A number is that many folds, stratified by class and, where there are
        `groups`, speaker-disjoint; splits that are not are refused.
    n_labels : array-like of int and "all", default=(4, 8, 16, 32, "all")
        Per class. A number that some class does not have in some fold is left out.
    n_repeats : int, default=5
        Draws of the labels; where an estimator has a ``random_state`` it is set to the number
        of the repeat. "all" draws nothing, but is repeated too.
    metric : callable, default=balanced_accuracy_score
        ``metric(true, predicted)``, over all folds together.
    n_jobs : int or None, default=None
        Processes over folds, numbers and repeats, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Of the draws.

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
    >>> estimators = {"bayes": GaussianNB(), "neighbours": KNeighborsClassifier(1)}
    >>> curve = label_efficiency_curve(
    ...     estimators, X, y, n_labels=(4, 16, "all"), n_repeats=2, random_state=0
    ... )
    >>> scores = curve.scores().groupby(["estimator", "n_labels"])["score"].mean()
    >>> scores["bayes"].round(1).tolist(), scores["neighbours"].round(1).tolist()
    ([0.8, 1.0, 1.0], [0.7, 0.6, 0.7])
    """
    y = column_or_1d(y)
    check_consistent_length(X, y)
    speakers = np.arange(len(y)) if groups is None else column_or_1d(groups)
    check_consistent_length(y, speakers)
    if not estimators:
        raise ValueError("estimators is empty.")
    for name, estimator in estimators.items():
        if not HasMethodsOnceFitted(["fit", "predict"]).is_satisfied_by(estimator):
            raise TypeError(f"estimators[{name!r}] has no fit or no predict.")
    random = check_random_state(random_state)
    if cv is None or isinstance(cv, Integral):
        cv = StratifiedGroupKFold(cv or 5, shuffle=True, random_state=random.randint(2**31 - 1))
    folds = speaker_disjoint_splits(cv, np.zeros(len(y)), y, speakers, "cv")
    sizes = _sizes(n_labels, y, folds)
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
    """The numbers of labels that every class has in every fold."""
    wrong = [n for n in n_labels if not (n == ALL or (isinstance(n, Integral) and n > 0))]
    if wrong:
        raise ValueError(f"n_labels must be numbers of at least 1, or 'all', not {wrong[0]!r}.")
    classes = np.unique(y)
    fewest = min(np.sum(y[train] == c) for train, _ in folds for c in classes)
    if fewest == 0:
        raise ValueError("In some fold the training side lacks a class: fewer folds, or others.")
    sizes = [n for n in n_labels if n == ALL or n <= fewest]
    if not sizes:
        raise ValueError(f"The rarest class has {fewest} labels in some fold; ask for fewer.")
    return sizes


def _draw(train, y, n, random):
    """Rows of n utterances of each class."""
    classes = np.unique(y[train])
    drawn = [random.choice(train[y[train] == c], n, replace=False) for c in classes]
    return random.permutation(np.concatenate(drawn))


def _predict(estimator, X, y, rows, test, repeat):
    estimator = set_seed(clone(estimator), repeat)
    estimator.fit(_safe_indexing(X, rows), y[rows])
    return estimator.predict(_safe_indexing(X, test))
