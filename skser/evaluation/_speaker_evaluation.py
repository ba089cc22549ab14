"""Results of an evaluation by speaker."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from skser._wording import counted
from skser.evaluation._intervals import jackknife, leave_one_out
from skser.evaluation._target_metrics import (
    OfColumn,
    ignore_constant_predictions,
    metrics_of,
    over_ratings,
    within_range,
    worst,
)
from skser.evaluation._targets import EMOTION, PROBA, VOTES, about_target
from skser.evaluation._unknown_speakers import UNKNOWN_SPEAKER, about_speakers


@dataclass(frozen=True)
class SpeakerEvaluation:
    """Results of `cross_validate_speakers`.

    Attributes
    ----------
    predictions : DataFrame
        One row per seed and tested utterance, sorted by these (several if it is in the test sides
        of several folds): ``seed``, ``fold``, ``utterance`` (its
        row in the corpus), ``speaker`` ("unknown speaker" if None), ``true``, ``predicted``, and
        ``proba_anger`` and so on if the model has probabilities. For several dimensions and for
        votes, ``true_valence``, ``predicted_valence`` and so on replace ``true`` and
        ``predicted``; missing ratings are NaN.
    fold_results : DataFrame
        One row per fold and seed: ``seed``, ``fold``, ``n_train``, ``n_test``, ``fit_seconds``,
        ``predict_seconds``, the scores of `metrics` (``uar``, ``accuracy`` and ``macro_f1`` for
        classes), ``fitted`` (best parameters of a search, number of epochs), ``held_out``
        (speakers).
    folds : list of (ndarray of int, ndarray of int)
        Rows of the training and the test side of each fold.
    protocol : dict
        Description of the model, the splits, the corpus, the versions of libraries, and the
        ``environment``: Python, system, processor and date of the call. Where they occur,
        ``unknown_speakers`` counts utterances of unknown speakers and ``shared_speakers`` the
        speakers on both sides of a fold.

    See Also
    --------
    cross_validate_speakers : Function that returns it.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.evaluation import cross_validate_speakers
    >>> corpus = make_emotional_speech(4, 10, random_state=0)
    >>> model = DummyClassifier(strategy="stratified", random_state=0)
    >>> found = cross_validate_speakers(model, corpus, cv=2)
    >>> found.by_speaker().index.tolist()
    ['01', '02', '03', '04']
    >>> len(found.predictions)
    40
    >>> print(found.summary().to_string(float_format="{:.2f}".format))
              pooled  sd_seeds  folds  sd_folds  worst_fold
    uar         0.25       NaN   0.25      0.00        0.25
    accuracy    0.25       NaN   0.25      0.00        0.25
    macro_f1    0.20       NaN   0.20      0.00        0.20
    """

    predictions: pd.DataFrame
    fold_results: pd.DataFrame
    folds: list
    protocol: dict

    @property
    def target(self):
        """Name of the target: "emotion", "votes", a dimension or a list of dimensions."""
        return self.protocol.get("target", EMOTION)

    @property
    def y_true(self):
        """True classes, values (NaN where not rated) or shares, in the order of `predictions`."""
        return self._values("true")

    @property
    def y_pred(self):
        """Predicted classes, values or shares, in the order of `predictions`."""
        return self._values("predicted")

    def _values(self, side):
        if side in self.predictions:
            return self.predictions[side].to_numpy(dtype=str if self.target == EMOTION else float)
        columns = [c for c in self.predictions if c.startswith(f"{side}_")]
        return self.predictions[columns].to_numpy(dtype=float)

    @property
    def labels(self):
        """Class of each column of `y_proba`; without probabilities, all classes that occur.

        For votes, the class of each column of `y_true` and `y_pred`. None for dimensions.
        """
        if self.target == VOTES:
            columns = [c for c in self.predictions if c.startswith("true_")]
            return np.array([c.removeprefix("true_") for c in columns])
        if self.target != EMOTION:
            return None
        columns = [c for c in self.predictions if c.startswith(PROBA)]
        if columns:
            return np.array([c.removeprefix(PROBA) for c in columns])
        return np.unique(np.concatenate([self.y_true, self.y_pred]))

    @property
    def y_proba(self):
        """Probabilities of shape (n_predictions, n_classes), or None if the model has none."""
        columns = [c for c in self.predictions if c.startswith(PROBA)]
        return self.predictions[columns].to_numpy(dtype=float) if columns else None

    @property
    def metrics(self):
        """Metrics of `summary` by name, the main one first.

        Those of several dimensions score each one over the utterances with a rating of it. They
        are NaN where a dimension has none.
        """
        return metrics_of(self.target)

    @property
    def main_metric(self):
        """Metric that is used where none is given: UAR, CCC, or cross-entropy of votes."""
        return next(iter(self.metrics.values()))

    def pooled(self, metric=None):
        """Compute the score of each seed over the utterances of all folds.

        Parameters
        ----------
        metric : callable or None, default=None
            Score as ``metric(y_true, y_pred)`` -> float. None means `main_metric`. Where ratings
            are missing, it is applied to each dimension and averaged.

        Returns
        -------
        Series of float64
            Score by seed.
        """
        return self._scores_of("seed", metric)

    def by_speaker(self, metric=None):
        """Compute the score of each speaker, averaged over seeds.

        All utterances of unknown speakers count as those of one, "unknown speaker".

        Parameters
        ----------
        metric : callable or None, default=None
            Score as ``metric(y_true, y_pred)`` -> float. None means `main_metric`. The UAR of a
            speaker is over the classes that the speaker has, the CCC of a speaker whose ratings or
            predictions are constant is 0, and the score of a speaker without a rating of some
            dimension is NaN.

        Returns
        -------
        Series of float64
            Score by speaker, sorted by name.
        """
        scores = self._scores_of(["speaker", "seed"], metric)
        return scores.groupby(level=0).mean().rename_axis("speaker")

    def interval(self, metric=None, *, confidence_level=0.95):
        """Compute a confidence interval over speakers for the pooled score, averaged over seeds.

        The interval covers the score that other speakers of the same kind would show. It leaves
        out one speaker at a time, as `jackknife_by_speaker` does, and is clipped to the range of
        the score, such as 0 to 1 for the UAR. All utterances of unknown speakers are left out at
        a time.

        Parameters
        ----------
        metric : callable or None, default=None
            Score as ``metric(y_true, y_pred)`` -> float. None means `main_metric`.
        confidence_level : float, default=0.95
            Confidence level of the interval.

        Returns
        -------
        low, high : float
            Bounds of the interval.
        """
        metric = self.main_metric if metric is None else metric
        estimate, left_out = self.without_each_speaker(metric)
        found = jackknife(estimate, left_out, confidence_level)
        return within_range(metric, found.low, found.high)

    def chance(self):
        """Compute the scores of a model that ignores the audio.

        It always gives the most frequent emotion, the mean rating, or the mean shares of votes of
        all tested utterances.

        Returns
        -------
        Series of float64
            Score by the name of its metric.
        """
        true = self.y_true
        if self.target == EMOTION:
            names, counts = np.unique(true, return_counts=True)
            constant = np.full(len(true), names[counts.argmax()])
        else:
            constant = np.broadcast_to(np.nanmean(true, axis=0), true.shape).copy()
        with warnings.catch_warnings():
            ignore_constant_predictions()
            found = {name: metric(true, constant) for name, metric in self.metrics.items()}
        return pd.Series(found, dtype=np.float64)

    def without_each_speaker(self, metric=None):
        """Compute the pooled score, averaged over seeds, and the same without each speaker.

        Parameters
        ----------
        metric : callable or None, default=None
            Score as ``metric(y_true, y_pred)`` -> float. None means `main_metric`.

        Returns
        -------
        score : float
            Score of all speakers.
        left_out : ndarray of shape (n_speakers,)
            Score without each speaker, in sorted order.
        """
        true, predicted = self.y_true, self.y_pred
        metric = over_ratings(self.main_metric if metric is None else metric, true)
        seeds = self.predictions["seed"].to_numpy()

        def score(rows):
            of_seed = (rows[seeds[rows] == seed] for seed in np.unique(seeds[rows]))
            return np.mean([metric(true[part], predicted[part]) for part in of_seed])

        with warnings.catch_warnings():
            ignore_constant_predictions()
            return leave_one_out(score, self.predictions["speaker"].to_numpy(dtype=str))

    def _scores_of(self, by, metric):
        """Compute the score of each group of predictions."""
        true, predicted = self.y_true, self.y_pred
        metric = over_ratings(self.main_metric if metric is None else metric, true)
        with warnings.catch_warnings():
            if by != "seed":
                ignore_constant_predictions()
            scores = {
                key: metric(true[rows], predicted[rows])
                for key, rows in self.predictions.groupby(by).indices.items()
            }
        return pd.Series(scores, name=getattr(metric, "__name__", "score"), dtype=np.float64)

    def summary(self):
        """Compute the scores of all `metrics` in the forms that papers report.

        Returns
        -------
        DataFrame
            One row for each score. ``pooled`` is the score over all folds, averaged over seeds,
            and ``sd_seeds`` its standard deviation over seeds (NaN for one seed). ``folds`` is the
            mean score of single folds, ``sd_folds`` the standard deviation over folds, each
            averaged over seeds, and ``worst_fold`` the worst of all. Several dimensions have the
            mean of each score over the dimensions, the score of each dimension, as in
            ``ccc_valence``, and the column ``n``: the number of utterances with a rating of the
            dimension, or of any.
        """
        rows = {}
        for name, metric in self.metrics.items():
            pooled, folds = self.pooled(metric), self.fold_results[name]
            of_fold = self.fold_results.groupby("fold")[name].mean()
            rows[name] = {
                "pooled": pooled.mean(),
                "sd_seeds": pooled.std(),
                "folds": folds.mean(),
                "sd_folds": of_fold.std(),
                "worst_fold": worst(metric, folds),
            }
            if isinstance(self.target, list):
                rows[name]["n"] = self._n_rated(metric)
        return pd.DataFrame.from_dict(rows, orient="index")

    def _n_rated(self, metric):
        """Return the number of utterances that a metric of several dimensions is over."""
        first = ~self.predictions.duplicated("utterance").to_numpy()  # of several seeds
        rated = ~np.isnan(self.y_true[first])
        if isinstance(metric, OfColumn):
            return int(rated[:, metric.column].sum())
        return int(rated.any(axis=1).sum())

    def __str__(self):
        n_seeds, n_folds = self.fold_results["seed"].nunique(), self.fold_results["fold"].nunique()
        if self.target == EMOTION:
            unit, table = "in %", (100 * self.summary()).round(1).to_string(na_rep="–")
        else:
            name = self.target if isinstance(self.target, str) else ", ".join(self.target)
            unit, table = name, self.summary().round(3).to_string(na_rep="–")
        # Nobody knows what the models of predictions that were read from a file were trained on.
        known = self.folds and "shared_speakers" not in self.protocol
        disjoint = "speaker-disjoint " if known else ""
        lines = [
            f"{counted(n_folds, disjoint + 'fold')}, {counted(n_seeds, 'seed')}, {unit}",
            table,
        ]
        lines += self._interval_and_chance()
        return "\n".join(lines + about_speakers(self.protocol) + about_target(self.protocol))

    def _interval_and_chance(self):
        """Return a line on the main score; none if a speaker may lack ratings."""
        complete = self.target == EMOTION or not np.isnan(self.y_true).any()
        if not complete or self.predictions["speaker"].nunique() < 2:
            return []
        name, chance = next(iter(self.chance().items()))
        values = (*self.interval(), chance)
        is_share = self.target == EMOTION
        low, high, chance = (f"{100 * v:.1f}" if is_share else f"{v:.3f}" for v in values)
        return [f"95 % interval of {name} over speakers: {low} to {high}; chance: {chance}"]


def joined(results, speakers, target):
    """Join the results of single folds into tables.

    Parameters
    ----------
    results : list of dict
        Results of one fold and seed each.
    speakers : ndarray of shape (n_utterances,), str
        Speaker of each utterance of the corpus.
    target : Target
        Target of each utterance of the corpus.

    Returns
    -------
    predictions, fold_results : DataFrame
        Tables described in `SpeakerEvaluation`.
    """
    predictions, fold_results = [], []
    classes = {label for result in results for label in result.get("classes", ())}
    if classes and target.name == EMOTION:  # a class may be in test sides only
        tested = np.concatenate([result["utterances"] for result in results])
        classes |= set(target.values[tested])
    classes = sorted(classes)
    metrics = metrics_of(target.name)
    for result in results:
        rows = np.array(result["utterances"])
        part = pd.DataFrame(
            {
                "seed": result["seed"],
                "fold": result["fold"],
                "utterance": rows,
                "speaker": speakers[rows],
            }
        )
        part = pd.concat([part, target.table(rows, result["predicted"])], axis=1)
        if classes:
            # A fold whose training side lacks a class gives it no probability.
            proba = pd.DataFrame(result["proba"], columns=result["classes"])
            proba = proba.reindex(columns=classes, fill_value=0.0).add_prefix(PROBA)
            part = pd.concat([part, proba], axis=1)
        predictions.append(part)
        true, predicted = target.values[rows], np.asarray(result["predicted"])
        with warnings.catch_warnings():
            ignore_constant_predictions()
            scores = {name: float(metric(true, predicted)) for name, metric in metrics.items()}
        fold_results.append(
            {
                **{name: result[name] for name in ("seed", "fold", "n_train")},
                "n_test": len(rows),
                **{name: result[name] for name in ("fit_seconds", "predict_seconds")},
                **scores,
                "fitted": result["fitted"],
                "held_out": np.setdiff1d(speakers[rows], [UNKNOWN_SPEAKER]).tolist(),
            }
        )
    predictions = pd.concat(predictions).sort_values(["seed", "utterance"], kind="stable")
    return predictions.reset_index(drop=True), pd.DataFrame(fold_results)
