"""Estimators around estimators: trained on altered copies, on windows, from other weights."""

from skser.compose._augmented import AugmentedClassifier
from skser.compose._metadata import group_keywords
from skser.compose._segmented import SegmentedClassifier
from skser.compose._transfer import TransferClassifier, TransferRegressor

__all__ = [
    "AugmentedClassifier",
    "SegmentedClassifier",
    "TransferClassifier",
    "TransferRegressor",
    "group_keywords",
]
