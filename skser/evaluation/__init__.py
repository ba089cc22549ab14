"""Evaluation of models: cross-validation by speaker, comparisons, fairness, robustness, reports."""

from skser.evaluation._agreement import Agreement, agreement
from skser.evaluation._comparison import (
    PairedComparison,
    RankComparison,
    corrected_resampled_t_test,
    friedman_nemenyi_test,
    jackknife_by_speaker,
    wilcoxon_test,
)
from skser.evaluation._corpus_report import CorpusReport
from skser.evaluation._cross_validation import cross_validate_speakers
from skser.evaluation._fairness import FairnessGap, recall_gap
from skser.evaluation._label_efficiency import LabelEfficiencyCurve, label_efficiency_curve
from skser.evaluation._leakage import LeakageReport, leakage_report
from skser.evaluation._prediction_files import read_predictions, write_predictions
from skser.evaluation._report import EvaluationReport
from skser.evaluation._robustness import robustness_report
from skser.evaluation._score_gap import score_gap
from skser.evaluation._speaker_evaluation import SpeakerEvaluation
from skser.evaluation._system_comparison import SystemComparison, compare

__all__ = [
    "Agreement",
    "CorpusReport",
    "EvaluationReport",
    "FairnessGap",
    "LabelEfficiencyCurve",
    "LeakageReport",
    "PairedComparison",
    "RankComparison",
    "SpeakerEvaluation",
    "SystemComparison",
    "agreement",
    "compare",
    "corrected_resampled_t_test",
    "cross_validate_speakers",
    "friedman_nemenyi_test",
    "jackknife_by_speaker",
    "label_efficiency_curve",
    "leakage_report",
    "read_predictions",
    "recall_gap",
    "robustness_report",
    "score_gap",
    "wilcoxon_test",
    "write_predictions",
]
