"""Report of an evaluation as one HTML file."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss

from skser._optional import import_optional
from skser._wording import counted
from skser.audio import audio_inputs, utterance_name
from skser.evaluation import leakage_report, recall_gap
from skser.evaluation._cross_validation import utterances_hash
from skser.evaluation._html_page import TEMPLATE, cell, picture, sound, table
from skser.evaluation._report_protocol import about_corpora, protocol_section
from skser.evaluation._report_values import ValueSections, name_of, number
from skser.evaluation._targets import EMOTION, target_of
from skser.evaluation._unknown_speakers import UNKNOWN_SPEAKER, about_speakers
from skser.inspection import (
    CalibrationDisplay,
    ConfusionDisplay,
    RiskCoverageDisplay,
    RobustnessDisplay,
    SpeakerRecallDisplay,
)
from skser.metrics import (
    class_distribution_distance,
    expected_calibration_error,
    group_recalls,
    recall_per_class,
    worst_group,
)


class EvaluationReport:
    """HTML report with the scores, pictures, protocol and worst errors of an evaluation.

    The report is a single file that contains its pictures and sounds and needs no network.

    Parameters
    ----------
    evaluation : SpeakerEvaluation
        Result of `skser.evaluation.cross_validate_speakers`.
    corpus : SpeechCorpus
        Corpus of the evaluation, with its target.
    leakage : bool, default=True
        Whether to search for sentences and recordings on both sides of a split, which reads all
        audio. Speakers have been checked by the evaluation.
    robustness : DataFrame or None, default=None
        Result of `skser.evaluation.robustness_report` to include.
    displays : dict or None, default=None
        Further displays to include by caption, such as an `AttentionDisplay`. Their figures are
        closed.
    n_errors : int, default=10
        Number of errors to list with a player, the most confident ones first; for dimensions and
        votes, the largest ones.
    title : str or None, default=None
        Title of the report. None means a title that names the corpus.

    Raises
    ------
    ValueError
        If the evaluation was not made on `corpus`.

    Examples
    --------
    >>> from skser.evaluation import EvaluationReport
    >>> from skser.evaluation import cross_validate_speakers
    >>> evaluation = cross_validate_speakers(model, corpus)  # doctest: +SKIP
    >>> EvaluationReport(evaluation, corpus).save("report.html")  # doctest: +SKIP
    """

    def __init__(
        self,
        evaluation,
        corpus,
        *,
        leakage=True,
        robustness=None,
        displays=None,
        n_errors=10,
        title=None,
    ):
        predictions = evaluation.predictions
        rows = predictions["utterance"].to_numpy()
        try:
            values = target_of(corpus, evaluation.target).values
        except ValueError:  # the corpus lacks the target
            values = np.empty(0)
        speakers = np.where(pd.isna(corpus.speakers), UNKNOWN_SPEAKER, corpus.speakers).astype(str)
        if (
            rows.max() >= len(values)
            or not _equal(values[rows], evaluation.y_true)
            or not np.array_equal(speakers[rows], predictions["speaker"].astype(str))
        ):
            raise ValueError(
                f"{corpus.name} is not the corpus of this evaluation, which has other utterances, "
                "labels or speakers."
            )
        if evaluation.protocol.get("utterances_hash") not in (None, utterances_hash(corpus)):
            warnings.warn(
                f"The recordings or the table of {corpus.name} are not those of the evaluation. "
                "Sounds, sexes and leaks in the report are those of the corpus given here.",
                stacklevel=2,
            )
        self.evaluation = evaluation
        self.corpus = corpus
        self.leakage = leakage
        self.robustness = robustness
        self.displays = displays
        self.n_errors = n_errors
        self.title = title

    def save(self, path):
        """Write the report to a file.

        Parameters
        ----------
        path : path-like
            Path of the HTML file.

        Returns
        -------
        Path
            The same path.
        """
        path = Path(path)
        path.write_text(self.to_html(), encoding="utf-8")
        return path

    def to_html(self):
        """Return the report as HTML.

        Returns
        -------
        str
        """
        jinja2 = import_optional("jinja2", extra="report", purpose="EvaluationReport")
        # Names of speakers, files and classes may contain markup, so everything is escaped.
        template = jinja2.Environment(autoescape=True).from_string(TEMPLATE)
        evaluation, corpus = self.evaluation, self.corpus
        if evaluation.target == EMOTION:
            first = [
                self._scores(), self._classes(), self._speakers(), self._probabilities(),
            ]  # fmt: skip
            errors = self._errors()
        else:
            values = ValueSections(evaluation, corpus)
            first = [values.scores(), values.values(), values.speakers()]
            errors = values.errors(self.n_errors)
        sections = [
            *first, self._robustness(), self._further(), errors, self._leakage(), self._protocol(),
        ]  # fmt: skip
        n_seeds, n_folds = (evaluation.fold_results[name].nunique() for name in ("seed", "fold"))
        notes = about_speakers(evaluation.protocol) + about_corpora(evaluation, corpus)
        are_apart = evaluation.folds and "shared_speakers" not in evaluation.protocol
        apart = " in which no known speaker is on both sides" if are_apart else ""
        tested = evaluation.predictions["utterance"].nunique()
        of_all = f"{tested:,} of " if tested < len(corpus.target) else ""
        n_utterances = of_all + counted(len(corpus.target), "utterance")
        speakers = evaluation.predictions["speaker"]
        n_speakers = counted(speakers[speakers != UNKNOWN_SPEAKER].nunique(), "speaker")
        return template.render(
            title=self.title or f"Speech emotion recognition on {corpus.name}",
            abstract=(
                f"Tested on {n_utterances} by {n_speakers}, {counted(n_folds, 'fold')}{apart}, "
                f"{counted(n_seeds, 'seed')}. All scores are for utterances that the model was not "
                f"trained on. {' '.join(notes)}"
            ).strip(),
            sections=[section for section in sections if section],
        )

    def _scores(self):
        """Make the section of scores."""
        evaluation = self.evaluation
        summary = 100 * evaluation.summary()
        names = {"uar": "UAR (balanced accuracy)", "macro_f1": "macro F1"}
        summary.index = [names.get(name, name) for name in summary.index]
        summary.columns = [
            "pooled, mean of seeds", "sd of seeds", "mean of folds", "sd of folds", "worst fold",
        ]  # fmt: skip
        if evaluation.predictions["speaker"].nunique() > 1:
            intervals = [evaluation.interval(metric) for metric in evaluation.metrics.values()]
            texts = [f"{100 * low:.1f} to {100 * high:.1f}" for low, high in intervals]
            summary.insert(1, "95 % interval over speakers", texts)
        summary["chance"] = 100 * evaluation.chance().to_numpy()
        share = class_distribution_distance(evaluation.y_true, evaluation.y_pred)
        return {
            "title": "Scores",
            "paragraphs": [
                "In percent. UAR is the mean of the recalls of all classes. Chance is a model that "
                "always names the most frequent emotion.",
                "Macro F1 is the mean of the F1 scores of all classes. The Jensen-Shannon "
                f"distance between true and predicted shares of the classes is {share:.3f} "
                "(0: equal shares, 1: no class in common).",
            ],
            "tables": [table(summary.rename_axis("in %").reset_index())],
        }

    def _classes(self):
        """Make the section of the recall of each class."""
        evaluation = self.evaluation
        recalls = 100 * recall_per_class(evaluation.y_true, evaluation.y_pred)
        tested = evaluation.predictions["utterance"].unique()
        counts = pd.Series(self.corpus.target[tested].astype(str)).value_counts()
        intervals = [self._recall_interval(name) for name in recalls.index]
        classes = pd.DataFrame(
            {
                "recall in %": recalls,
                "95 % interval over speakers": intervals,
                "utterances": counts.reindex(recalls.index),
            }
        )
        display = ConfusionDisplay.from_predictions(evaluation.y_true, evaluation.y_pred)
        return {
            "title": "Classes",
            "tables": [table(classes.rename_axis("emotion").reset_index())],
            "pictures": [picture(display, "Share of each true class, with counts over all seeds")],
        }

    def _recall_interval(self, name):
        """Format the interval of the recall of a class, if several speakers have it."""
        predictions = self.evaluation.predictions
        if predictions["speaker"][self.evaluation.y_true == name].nunique() < 3:
            return "–"

        def recall(y_true, y_pred):
            return np.mean(y_pred[y_true == name] == name)

        low, high = self.evaluation.interval(recall)
        return f"{max(0, 100 * low):.1f} to {min(100, 100 * high):.1f}"

    def _speakers(self):
        """Make the section of speakers and groups of speakers."""
        evaluation = self.evaluation
        true, predicted = evaluation.y_true, evaluation.y_pred
        speakers = evaluation.predictions["speaker"].to_numpy()
        worst, uar = worst_group(true, predicted, speakers)
        paragraphs = [f"The speaker with the lowest UAR is {worst}, with {100 * uar:.1f} %."]
        paragraphs += self._sexes(true, predicted, speakers)
        recalls = group_recalls(true, predicted, speakers)
        recalls["n"] //= evaluation.predictions["seed"].nunique()
        display = SpeakerRecallDisplay(recalls).plot()
        return {
            "title": "Speakers",
            "paragraphs": paragraphs,
            "pictures": [picture(display, "UAR of each speaker, none of whom was trained on")],
        }

    def _sexes(self, true, predicted, speakers):
        """Compare the sexes in a sentence, if the corpus names both."""
        if self.corpus.sexes is None:
            return []
        predictions = self.evaluation.predictions
        sexes = self.corpus.sexes[predictions["utterance"].to_numpy()]
        # Only one seed, because repeated predictions of an utterance add no evidence.
        rows = (predictions["seed"] == predictions["seed"].min()).to_numpy() & ~pd.isna(sexes)
        sexes = sexes[rows].astype(str)
        if len(set(sexes)) < 2:
            return []
        try:
            gap = recall_gap(true[rows], predicted[rows], sexes, speakers=speakers[rows])
        except ValueError as error:  # of the data, such as sexes without a common emotion
            return [f"The sexes are not compared. {error}"]
        verdict = "which chance explains" if gap.is_fair else "more than chance explains"
        worse = f" ({gap.worst} worse)" if round(100 * gap.gap, 1) else ""
        return [
            f"Between the sexes, UAR differs by {100 * gap.gap:.1f} points{worse}, "
            f"{verdict}. If the sexes are assigned to the speakers at random, the difference is at "
            f"most {100 * gap.threshold:.1f} points in {100 * gap.confidence_level:.0f} % of cases."
        ]

    def _probabilities(self):
        """Make the section of calibration, if the model has probabilities."""
        evaluation = self.evaluation
        if evaluation.y_proba is None or len(evaluation.labels) < 2:
            return None
        given = (evaluation.y_true, evaluation.y_proba)
        labels = {"labels": evaluation.labels}
        error = expected_calibration_error(*given, **labels)
        # scikit-learn warns if rows do not sum to 1 exactly, as a softmax in float32 does not.
        y_proba = evaluation.y_proba / evaluation.y_proba.sum(axis=1, keepdims=True)
        brier = brier_score_loss(evaluation.y_true, y_proba, **labels, scale_by_half=False)
        pictures = [
            picture(
                CalibrationDisplay.from_predictions(*given, **labels),
                "Accuracy of the most probable class, over its probability",
            ),
            picture(
                RiskCoverageDisplay.from_predictions(*given, **labels),
                "Error rate among the most confident predictions, over their share",
            ),
        ]
        return {
            "title": "Probabilities",
            "paragraphs": [
                f"Expected calibration error {100 * error:.1f} %, Brier score {brier:.3f} (0 to 2)."
            ],
            "pictures": pictures,
        }

    def _robustness(self):
        """Make the section of scores on distorted recordings, if a report was given."""
        if self.robustness is None:
            return None
        scores = self.robustness.copy()
        scores.index.names = ["distortion", "level"]
        if self.evaluation.target == EMOTION:
            scores[["score", "change", "same"]] *= 100
            columns = {"score": "score in %", "change": "change", "same": "same prediction in %"}
        else:
            columns = {"score": "score", "change": "change", "shift": "shift of predictions"}
            scores = scores.map("{:.3f}".format)
        scores = scores[list(columns)].rename(columns=columns)
        return {
            "title": "Robustness",
            "tables": [table(scores.reset_index())],
            "pictures": [
                picture(
                    RobustnessDisplay.from_report(self.robustness), "Scores on distorted recordings"
                )
            ],
        }

    def _further(self):
        """Make the section of the caller's own pictures, if any were given."""
        if not self.displays:
            return None
        pictures = [picture(display, caption) for caption, display in self.displays.items()]
        return {"title": "Further pictures", "pictures": pictures}

    def _errors(self):
        """Make the section of the most confident errors, with players."""
        predictions, y_proba = self.evaluation.predictions, self.evaluation.y_proba
        wrong = np.flatnonzero(self.evaluation.y_true != self.evaluation.y_pred)
        title, sure = "Errors", None
        if y_proba is not None:
            # An estimator may predict another class than its most probable one, as SVC does.
            column = pd.Index(self.evaluation.labels).get_indexer(self.evaluation.y_pred)
            # Refused utterances have a label without a probability.
            sure = np.where(column < 0, np.nan, y_proba[np.arange(len(column)), column])
            wrong = wrong[np.argsort(-sure[wrong], kind="stable")]
            title = "Most confident errors"
        # Several seeds may make the same error; it is listed once.
        chosen = predictions.iloc[wrong].drop_duplicates("utterance").head(self.n_errors)
        if chosen.empty:
            return {"title": "Errors", "paragraphs": ["Every prediction is correct."]}
        items = audio_inputs(self.corpus.data, self.corpus.sampling_rate)
        rows = []
        for place, row in zip(chosen.index, chosen.itertuples(), strict=True):
            item = items[row.utterance]
            known = sure is not None and not np.isnan(sure[place])
            probability = f"{100 * sure[place]:.0f} %" if known else ""
            rows.append(
                [
                    cell(Path(utterance_name(item, row.utterance)).name),
                    cell(row.speaker),
                    cell(row.true),
                    cell(row.predicted),
                    cell(probability),
                    {"audio": sound(self.corpus, item, row.utterance)},
                ]
            )
        columns = ["utterance", "speaker", "true", "predicted", "probability", "listen"]
        return {
            "title": title,
            "tables": [{"columns": columns, "rows": rows}],
        }

    def _leakage(self):
        """Make the section of leaks between both sides of a split."""
        if not self.evaluation.folds:
            unknown = "The training sides of predictions from a file are unknown and not checked."
            return {"title": "Leakage", "paragraphs": [unknown]}
        notes = " ".join(about_speakers(self.evaluation.protocol))
        checked = notes or "Every fold was checked: no speaker is on both sides."
        if not self.leakage:
            more = "Sentences and recordings were not checked."
            return {"title": "Leakage", "paragraphs": [checked, more]}
        report = leakage_report(self.corpus, self.evaluation.folds)
        section = {"title": "Leakage", "text": str(report)}
        if report.is_clean:
            return section | {"paragraphs": [checked]}
        kinds = ", ".join(dict.fromkeys(report.leaks["kind"]))
        return section | {"warn": True, "paragraphs": [f"On both sides of a split: {kinds}."]}

    def _protocol(self):
        """Make the section on the corpus, the model, the splits and the versions."""
        evaluation = self.evaluation
        (name, metric), *_ = evaluation.metrics.items()
        of_classes = evaluation.target == EMOTION
        factor, heading = (100, "UAR in %") if of_classes else (1, name_of(name))
        shown = "{:.1f} %".format if of_classes else "{:.3f}".format
        score = f"{'UAR' if of_classes else heading} {shown(factor * evaluation.pooled().mean())}"
        known = ~np.isnan(evaluation.y_true).any(axis=-1) if evaluation.y_true.ndim == 2 else None
        speakers = evaluation.predictions["speaker"]
        if (speakers if known is None else speakers[known]).nunique() > 1:
            low, high = (shown(factor * bound) for bound in evaluation.interval(metric))
            score += f" (95 % interval over speakers {low} to {high}, by the jackknife)"
        score += f"; chance {shown(factor * evaluation.chance()[name])}."
        results = evaluation.fold_results
        values = results.loc[results["seed"] == results["seed"].min(), name]
        values = 100 * values if of_classes else values.map(number)
        return protocol_section(evaluation, self.corpus, score, (heading, values))


def _equal(a, b):
    """Return whether two arrays are equal, and lack the same values."""
    missing = pd.isna(a)
    return np.array_equal(missing, pd.isna(b)) and np.array_equal(a[~missing], b[~missing])
