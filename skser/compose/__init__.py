"""Estimators around estimators: trained on altered copies, on windows, on frames side by side."""

from skser.compose._augmented import AugmentedClassifier
from skser.compose._frame_union import FrameUnion
from skser.compose._metadata import group_keywords
from skser.compose._segmented import SegmentedClassifier

__all__ = ["AugmentedClassifier", "FrameUnion", "SegmentedClassifier", "group_keywords"]
