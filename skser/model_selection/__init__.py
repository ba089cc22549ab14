"""Splits, and estimators that train on other rows than the utterances."""

from skser.model_selection._augmented import AugmentedClassifier
from skser.model_selection._segmented import SegmentedClassifier
from skser.model_selection._semi_supervised import SemiSupervisedSplit

__all__ = ["AugmentedClassifier", "SegmentedClassifier", "SemiSupervisedSplit"]
