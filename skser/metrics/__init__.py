"""Scores of predictions: correctness, calibration, fairness, robustness, and comparisons."""

from skser.metrics._calibration import (
    area_under_risk_coverage,
    brier_score,
    expected_calibration_error,
    reliability_curve,
    risk_coverage_curve,
)
from skser.metrics._classification import (
    accuracy,
    accuracy_scorer,
    confusion_counts,
    macro_f1,
    macro_f1_scorer,
    recall_per_class,
    recall_scorers,
    uar_scorer,
    unweighted_average_recall,
)
from skser.metrics._comparison import (
    PairedComparison,
    RankComparison,
    bootstrap_by_speaker,
    corrected_resampled_t_test,
    friedman_nemenyi_test,
    wilcoxon_test,
)
from skser.metrics._concordance import ccc_scorer, concordance_correlation_coefficient
from skser.metrics._corpus_level import class_share_distance, speaker_ranking
from skser.metrics._fairness import FairnessGap, group_recalls, recall_gap, worst_group
from skser.metrics._robustness import default_distortions, robustness_report

__all__ = [
    "FairnessGap",
    "PairedComparison",
    "RankComparison",
    "accuracy",
    "accuracy_scorer",
    "area_under_risk_coverage",
    "bootstrap_by_speaker",
    "brier_score",
    "ccc_scorer",
    "class_share_distance",
    "concordance_correlation_coefficient",
    "confusion_counts",
    "corrected_resampled_t_test",
    "default_distortions",
    "expected_calibration_error",
    "friedman_nemenyi_test",
    "group_recalls",
    "macro_f1",
    "macro_f1_scorer",
    "recall_gap",
    "recall_per_class",
    "recall_scorers",
    "reliability_curve",
    "risk_coverage_curve",
    "robustness_report",
    "speaker_ranking",
    "uar_scorer",
    "unweighted_average_recall",
    "wilcoxon_test",
    "worst_group",
]
