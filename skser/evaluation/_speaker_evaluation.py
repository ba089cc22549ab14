"""Results of an evaluation by speaker."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score

from skser.evaluation._intervals import jackknife, leave_one_out
from skser.evaluation._unknown_speakers import UNKNOWN_SPEAKER, about_speakers
from skser.metrics import unweighted_average_recall

_PROBA = "proba_"


@dataclass(frozen=True)
class SpeakerEvaluation:
    """Results of `cross_validate_speakers`.

    Attributes
    ----------
    predictions : DataFrame
        One row per seed and utterance, sorted by these: ``seed``, ``fold``, ``utterance`` (its
        row in the corpus), ``speaker`` ("unknown speaker" if None), ``true``, ``predicted``, and
        ``proba_anger`` and so on if the model has probabilities.
    fold_results : DataFrame
        One row per fold and seed: ``seed``, ``fold``, ``n_train``, ``n_test``, ``fit_seconds``,
        ``predict_seconds``, ``uar``, ``accuracy``, ``fitted`` (best parameters of a search, number
        of epochs), ``held_out`` (speakers).
    folds : list of (ndarray of int, ndarray of int)
        Rows of the training and the test side of each fold.
    protocol : dict
        Description of the model, the splits, the corpus, and the versions of libraries. Where
        they occur, ``unknown_speakers`` counts utterances of unknown speakers and
        ``shared_speakers`` the speakers on both sides of a fold.
    """

    predictions: pd.DataFrame
    fold_results: pd.DataFrame
    folds: list
    protocol: dict

    @property
    def y_true(self):
        """True classes, in the order of `predictions`."""
        return self.predictions["true"].to_numpy(dtype=str)

    @property
    def y_pred(self):
        """Predicted classes, in the order of `predictions`."""
        return self.predictions["predicted"].to_numpy(dtype=str)

    @property
    def labels(self):
        """Class of each column of `y_proba`; without probabilities, all classes that occur."""
        columns = [c for c in self.predictions if c.startswith(_PROBA)]
        if columns:
            return np.array([c.removeprefix(_PROBA) for c in columns])
        return np.unique(np.concatenate([self.y_true, self.y_pred]))

    @property
    def y_proba(self):
        """Probabilities of shape (n_predictions, n_classes), or None if the model has none."""
        columns = [c for c in self.predictions if c.startswith(_PROBA)]
        return self.predictions[columns].to_numpy(dtype=float) if columns else None

    @property
    def metrics(self):
        """Metrics of `summary` by name, the main one first."""
        return {"uar": unweighted_average_recall, "accuracy": accuracy_score}

    @property
    def main_metric(self):
        """Metric that is used where none is given: the UAR."""
        return next(iter(self.metrics.values()))

    def pooled(self, metric=None):
        """Compute the score of each seed over the utterances of all folds.

        Parameters
        ----------
        metric : callable or None, default=None
            Score as ``metric(y_true, y_pred)`` -> float. None means `main_metric`.

        Returns
        -------
        Series of float64
            Score by seed.
        """
        return self._scores_of("seed", metric)

    def by_speaker(self, metric=None):
        """Compute the score of each speaker, averaged over seeds.

        Parameters
        ----------
        metric : callable or None, default=None
            Score as ``metric(y_true, y_pred)`` -> float. None means `main_metric`. The UAR of a
            speaker is over the classes that the speaker has.

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
        out one speaker at a time, as `jackknife_by_speaker` does.

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
        estimate, left_out = self.without_each_speaker(metric)
        found = jackknife(estimate, left_out, confidence_level)
        return found.low, found.high

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
        metric = self.main_metric if metric is None else metric
        true, predicted = self.y_true, self.y_pred
        seeds = self.predictions["seed"].to_numpy()

        def score(rows):
            of_seed = (rows[seeds[rows] == seed] for seed in np.unique(seeds[rows]))
            return np.mean([metric(true[part], predicted[part]) for part in of_seed])

        with warnings.catch_warnings():
            _ignore_constant_predictions()
            return leave_one_out(score, self.predictions["speaker"].to_numpy(dtype=str))

    def _scores_of(self, by, metric):
        """Compute the score of each group of predictions."""
        metric = self.main_metric if metric is None else metric
        true, predicted = self.y_true, self.y_pred
        with warnings.catch_warnings():
            if by != "seed":
                _ignore_constant_predictions()
            scores = {
                key: metric(true[rows], predicted[rows])
                for key, rows in self.predictions.groupby(by).indices.items()
            }
        return pd.Series(scores, name=getattr(metric, "__name__", "score"), dtype=np.float64)

    def summary(self):
        """Compute UAR and accuracy in the forms that papers report.

        Returns
        -------
        DataFrame
            One row for each score. ``pooled`` is the score over all folds, averaged over seeds,
            and ``sd_seeds`` its standard deviation over seeds (NaN for one seed). ``folds`` is the
            mean score of single folds, ``sd_folds`` its standard deviation and ``worst_fold`` the
            lowest one.
        """
        rows = {}
        for name, metric in self.metrics.items():
            pooled, folds = self.pooled(metric), self.fold_results[name]
            rows[name] = {
                "pooled": pooled.mean(),
                "sd_seeds": pooled.std(),
                "folds": folds.mean(),
                "sd_folds": folds.std(),
                "worst_fold": folds.min(),
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    def __str__(self):
        n_seeds, n_folds = self.fold_results["seed"].nunique(), self.fold_results["fold"].nunique()
        table = (100 * self.summary()).round(1).to_string()
        disjoint = "" if "shared_speakers" in self.protocol else "speaker-disjoint "
        lines = [f"{n_folds} {disjoint}folds, {n_seeds} seeds, in %", table]
        return "\n".join(lines + about_speakers(self.protocol))


def _ignore_constant_predictions():
    """Ignore that some of the speakers have constant predictions; the system may have others."""
    warnings.filterwarnings("ignore", message="All .* predictions are", category=UserWarning)


def joined(results, speakers, y):
    """Join the results of single folds into tables.

    Parameters
    ----------
    results : list of dict
        Results of one fold and seed each.
    speakers, y : ndarray of shape (n_utterances,), str
        Speaker and class of each utterance of the corpus.

    Returns
    -------
    predictions, fold_results : DataFrame
        Tables described in `SpeakerEvaluation`.
    """
    predictions, fold_results = [], []
    classes = sorted({label for result in results for label in result.get("classes", ())})
    for result in results:
        rows = np.array(result["utterances"])
        part = pd.DataFrame(
            {
                "seed": result["seed"],
                "fold": result["fold"],
                "utterance": rows,
                "speaker": speakers[rows],
                "true": y[rows],
                "predicted": result["predicted"],
            }
        )
        if classes:
            # A fold whose training side lacks a class gives it no probability.
            proba = pd.DataFrame(result["proba"], columns=result["classes"])
            proba = proba.reindex(columns=classes, fill_value=0.0).add_prefix(_PROBA)
            part = pd.concat([part, proba], axis=1)
        predictions.append(part)
        fold_results.append(
            {
                **{name: result[name] for name in ("seed", "fold", "n_train")},
                "n_test": len(rows),
                **{name: result[name] for name in ("fit_seconds", "predict_seconds")},
                "uar": unweighted_average_recall(y[rows], result["predicted"]),
                "accuracy": accuracy_score(y[rows], result["predicted"]),
                "fitted": result["fitted"],
                "held_out": np.setdiff1d(speakers[rows], [UNKNOWN_SPEAKER]).tolist(),
            }
        )
    predictions = pd.concat(predictions).sort_values(["seed", "utterance"], kind="stable")
    return predictions.reset_index(drop=True), pd.DataFrame(fold_results)
