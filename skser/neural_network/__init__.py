"""Estimators, one file per published system."""

from skser.neural_network._attention_fcn import AttentionFCNClassifier, AttentionFCNRegressor
from skser.neural_network._attention_map import AttentionMap
from skser.neural_network._augmentation import SpecAugment

__all__ = ["AttentionFCNClassifier", "AttentionFCNRegressor", "AttentionMap", "SpecAugment"]
