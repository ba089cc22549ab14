"""Estimators around an estimator that is given other rows than the utterances."""

from skser.model_selection._augmented import AugmentedClassifier
from skser.model_selection._segmented import SegmentedClassifier

__all__ = ["AugmentedClassifier", "SegmentedClassifier"]
