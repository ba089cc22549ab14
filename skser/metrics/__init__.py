"""Metrics of speech emotion recognition, under the names that the field uses."""

from skser.metrics._calibration import (
    area_under_risk_coverage,
    expected_calibration_error,
    reliability_curve,
    risk_coverage_curve,
)
from skser.metrics._classification import (
    recall_per_class,
    recall_scorers,
    uar_scorer,
    unweighted_average_recall,
)
from skser.metrics._concordance import ccc_scorer, concordance_correlation_coefficient
from skser.metrics._corpus_level import class_distribution_distance, speaker_ranking
from skser.metrics._groups import group_recalls, worst_group
from skser.metrics._pearson import pearson_correlation
from skser.metrics._selective import selective_scores
from skser.metrics._shares import vote_cross_entropy, vote_divergence
from skser.metrics._validation import check_attribute, check_dimensions, check_labels

__all__ = [
    "area_under_risk_coverage",
    "ccc_scorer",
    "check_attribute",
    "check_dimensions",
    "check_labels",
    "class_distribution_distance",
    "concordance_correlation_coefficient",
    "expected_calibration_error",
    "group_recalls",
    "pearson_correlation",
    "recall_per_class",
    "recall_scorers",
    "reliability_curve",
    "risk_coverage_curve",
    "selective_scores",
    "speaker_ranking",
    "uar_scorer",
    "unweighted_average_recall",
    "vote_cross_entropy",
    "vote_divergence",
    "worst_group",
]
