"""Sections of the report of an evaluation of dimensions or of shares of votes."""

from pathlib import Path

import numpy as np
import pandas as pd

from skser.audio import audio_inputs, utterance_name
from skser.evaluation._html_page import cell, picture, sound, table
from skser.evaluation._score_gap import score_gap
from skser.evaluation._target_metrics import OfColumn, is_loss
from skser.evaluation._targets import VOTES, about_target
from skser.inspection import PredictedValuesDisplay, SpeakerScoresDisplay
from skser.metrics import vote_divergence

_NAMES = {
    "ccc": "CCC",
    "pearson": "Pearson's r",
    "rmse": "RMSE",
    "cross_entropy": "cross-entropy",
    "divergence": "Jensen-Shannon divergence",
}


class ValueSections:
    """Sections of a report that depend on the target.

    Parameters
    ----------
    evaluation : SpeakerEvaluation
        Evaluation of dimensions or of shares of votes.
    corpus : SpeechCorpus
        Its corpus.
    """

    def __init__(self, evaluation, corpus):
        self.evaluation = evaluation
        self.corpus = corpus
        target = evaluation.target
        self.of_votes = target == VOTES
        if self.of_votes:
            self.columns = evaluation.labels.tolist()
        else:
            self.columns = [target] if isinstance(target, str) else list(target)
        self.name = next(iter(evaluation.metrics))

    def scores(self):
        """Make the section of scores."""
        evaluation = self.evaluation
        found = evaluation.summary()
        counts = found.pop("n") if "n" in found else None
        texts = found.map(number)
        texts.index = [name_of(name) for name in found.index]
        texts.columns = [
            "pooled, mean of seeds", "sd of seeds", "mean of folds", "sd of folds", "worst fold",
        ]  # fmt: skip
        if evaluation.predictions["speaker"].nunique() > 1:
            bounds = [self._interval(metric) for metric in evaluation.metrics.values()]
            texts.insert(1, "95 % interval over speakers", bounds)
        texts["chance"] = evaluation.chance().map(number).to_numpy()
        if counts is not None:
            texts["utterances"] = counts.to_numpy()
        if self.of_votes:
            about = (
                "Predicted shares of the classes are compared with those of the raters' votes. The "
                "cross-entropy is in nats and the divergence in bits; lower is better. Chance is a "
                "model that always gives the mean shares."
            )
        else:
            about = (
                "CCC and Pearson's r are at most 1; RMSE is in the unit of the ratings, and lower "
                "is better. Chance is a model that always gives the mean rating."
            )
        return {
            "title": "Scores",
            "paragraphs": [about, *about_target(evaluation.protocol)],
            "tables": [table(texts.rename_axis("score").reset_index())],
        }

    def _interval(self, metric):
        """Format the interval of a metric, if no single speaker has all ratings of a dimension."""
        known = ~np.isnan(self.evaluation.y_true.reshape(len(self.evaluation.y_true), -1))
        if isinstance(metric, OfColumn):
            known = known[:, [metric.column]]
        speakers = self.evaluation.predictions["speaker"]
        if pd.DataFrame(known).groupby(speakers).any().sum().min() < 2:
            return "–"
        low, high = self.evaluation.interval(metric)
        return f"{low:.3f} to {high:.3f}"

    def values(self):
        """Make the section of predicted against true values."""
        true, predicted = self.evaluation.y_true, self.evaluation.y_pred
        display = PredictedValuesDisplay.from_predictions(true, predicted, names=self.columns)
        true, predicted = (values.reshape(len(values), -1) for values in (true, predicted))
        rows = {"mean": np.nanmean, "sd": np.nanstd}
        sides = {"votes" if self.of_votes else "ratings": true, "predictions": predicted}
        found = pd.DataFrame(
            {
                f"{name} of {side}": [f"{value:.3f}" for value in of(values, axis=0)]
                for name, of in rows.items()
                for side, values in sides.items()
            },
            index=self.columns,
        )
        caption = "Predicted over true values of all utterances and seeds, with the CCC of each"
        what = "emotion" if self.of_votes else "dimension"
        return {
            "title": "Shares of votes" if self.of_votes else "Dimensions",
            "tables": [table(found.rename_axis(what).reset_index())],
            "pictures": [picture(display, caption)],
        }

    def speakers(self):
        """Make the section of speakers and groups of speakers."""
        scores = self.evaluation.by_speaker().rename(name_of(self.name))
        if scores.isna().all():
            return {
                "title": "Speakers",
                "paragraphs": ["No speaker has ratings of every dimension.", *self._sexes()],
            }
        loss = is_loss(self.evaluation.main_metric)
        worst = scores.idxmax() if loss else scores.idxmin()
        unrated = scores.index[scores.isna()].tolist()
        scores = scores.dropna()
        display = SpeakerScoresDisplay.from_scores(scores)
        caption = f"{name_of(self.name)} of each speaker, none of whom was trained on"
        missing = f"Speakers without a rating of some dimension: {', '.join(unrated)}."
        return {
            "title": "Speakers",
            "paragraphs": [
                f"The speaker with the worst {name_of(self.name)} is {worst}, with "
                f"{scores[worst]:.3f}.",
                *([missing] if unrated else []),
                *self._sexes(),
            ],
            "pictures": [picture(display, caption[0].upper() + caption[1:])],
        }

    def _sexes(self):
        """Compare the sexes in a sentence, if the corpus names both."""
        if self.corpus.sexes is None:
            return []
        predictions = self.evaluation.predictions
        sexes = self.corpus.sexes[predictions["utterance"].to_numpy()]
        # Only one seed, because repeated predictions of an utterance add no evidence.
        rows = (predictions["seed"] == predictions["seed"].min()).to_numpy() & ~pd.isna(sexes)
        rated = ~np.isnan(self.evaluation.y_true.reshape(len(rows), -1)).any(axis=1)
        rows &= rated
        among = "" if rated.all() else f" among the {rows.sum()} utterances with all ratings"
        sexes, speakers = sexes[rows].astype(str), predictions["speaker"].to_numpy()[rows]
        if len(set(sexes)) < 2:
            return []
        given = self.evaluation.y_true[rows], self.evaluation.y_pred[rows], sexes, speakers
        try:
            gap = score_gap(*given, metric=self.evaluation.main_metric)
        except ValueError as error:  # of the data, such as a speaker of two sexes
            return [f"The sexes are not compared. {error}"]
        verdict = "which chance explains" if gap.is_fair else "more than chance explains"
        worse = f" ({gap.worst} worse)" if round(gap.gap, 3) else ""
        return [
            f"Between the sexes, {name_of(self.name)} differs by {gap.gap:.3f}{worse}"
            f"{among}, {verdict}. If the sexes are assigned to the speakers at random, the "
            f"difference is at most {gap.threshold:.3f} in {100 * gap.confidence_level:.0f} % of "
            "cases."
        ]

    def errors(self, n_errors):
        """Make the section of the largest errors, with players."""
        true, predicted = self.evaluation.y_true, self.evaluation.y_pred
        if self.of_votes:
            name = "divergence"
            size = [vote_divergence(t[None], p[None]) for t, p in zip(true, predicted, strict=True)]
        else:
            name = "absolute error"
            size = np.nanmean(np.abs(true - predicted).reshape(len(true), -1), axis=1)
        found = self.evaluation.predictions.assign(size=size)
        # Several seeds may make the same error; it is listed once.
        found = found.sort_values("size", ascending=False, kind="stable")
        found = found.drop_duplicates("utterance").head(n_errors)
        items = audio_inputs(self.corpus.data, self.corpus.sampling_rate)
        rows = [
            [
                cell(Path(utterance_name(items[utterance], utterance)).name),
                cell(speaker),
                cell(self._text(true[place])),
                cell(self._text(predicted[place])),
                cell(f"{error:.3f}"),
                {"audio": sound(self.corpus, items[utterance], utterance)},
            ]
            for place, utterance, speaker, error in zip(
                found.index, found["utterance"], found["speaker"], found["size"], strict=True
            )
        ]
        columns = ["utterance", "speaker", "true", "predicted", name, "listen"]
        return {"title": "Largest errors", "tables": [{"columns": columns, "rows": rows}]}

    def _text(self, values):
        """Format the values of an utterance, the largest shares of votes only."""
        values = np.atleast_1d(values)
        if len(values) == 1:
            return f"{values[0]:.2f}"
        order = np.argsort(-values)[:2] if self.of_votes else range(len(values))
        return ", ".join(f"{self.columns[i]} {number(values[i], 2)}" for i in order)


def name_of(metric):
    """Return the name of a metric for readers, such as "CCC of valence"."""
    for short, name in _NAMES.items():
        if metric == short:
            return name
        if metric.startswith(f"{short}_"):
            return f"{name} of {metric.removeprefix(f'{short}_')}"
    return metric


def number(value, digits=3):
    """Format a number, or a missing one as a dash."""
    return "–" if np.isnan(value) else f"{value:.{digits}f}"
