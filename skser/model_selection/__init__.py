"""Splits, estimators that train on other rows than the utterances, and learning curves."""

from skser.model_selection._augmented import AugmentedClassifier
from skser.model_selection._label_efficiency import LabelEfficiencyCurve, label_efficiency_curve
from skser.model_selection._segmented import SegmentedClassifier
from skser.model_selection._semi_supervised import SemiSupervisedSplit

__all__ = [
    "AugmentedClassifier",
    "LabelEfficiencyCurve",
    "SegmentedClassifier",
    "SemiSupervisedSplit",
    "label_efficiency_curve",
]
