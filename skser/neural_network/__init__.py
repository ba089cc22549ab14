"""Estimators, one file per published system."""

from skser.neural_network._attention_fcn import (
    AttentionFCNClassifier,
    AttentionFCNRegressor,
    AttentionMap,
)
from skser.neural_network._augmentation import SpecAugment

__all__ = ["AttentionFCNClassifier", "AttentionFCNRegressor", "AttentionMap", "SpecAugment"]
