"""Estimators around estimators: trained on altered copies, on windows."""

from skser.compose._augmented import AugmentedClassifier
from skser.compose._metadata import group_keywords
from skser.compose._segmented import SegmentedClassifier

__all__ = ["AugmentedClassifier", "SegmentedClassifier", "group_keywords"]
