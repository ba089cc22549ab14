"""Splits, evaluation, estimators that train on other rows than the utterances, learning curves."""

from skser.model_selection._augmented import AugmentedClassifier
from skser.model_selection._cross_validation import cross_validate_speakers
from skser.model_selection._label_efficiency import LabelEfficiencyCurve, label_efficiency_curve
from skser.model_selection._leakage import LeakageReport, leakage_report
from skser.model_selection._segmented import SegmentedClassifier
from skser.model_selection._semi_supervised import SemiSupervisedSplit
from skser.model_selection._speaker_evaluation import SpeakerEvaluation
from skser.model_selection._speaker_folds import (
    SpeakerFolds,
    StratifiedSpeakerKFold,
    published_folds,
)

__all__ = [
    "AugmentedClassifier",
    "LabelEfficiencyCurve",
    "LeakageReport",
    "SegmentedClassifier",
    "SemiSupervisedSplit",
    "SpeakerEvaluation",
    "SpeakerFolds",
    "StratifiedSpeakerKFold",
    "cross_validate_speakers",
    "label_efficiency_curve",
    "leakage_report",
    "published_folds",
]
