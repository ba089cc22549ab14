"""Estimators, one file per published system."""

from skser.neural_network._adversarial_ae import AdversarialAEClassifier, AdversarialAERegressor
from skser.neural_network._attention_fcn import AttentionFCNClassifier, AttentionFCNRegressor
from skser.neural_network._attention_map import AttentionMap
from skser.neural_network._attention_rnn import AttentionRNNClassifier, AttentionRNNRegressor
from skser.neural_network._augmentation import SpecAugment
from skser.neural_network._base import NeuralEstimator

__all__ = [
    "AdversarialAEClassifier",
    "AdversarialAERegressor",
    "AttentionFCNClassifier",
    "AttentionFCNRegressor",
    "AttentionMap",
    "AttentionRNNClassifier",
    "AttentionRNNRegressor",
    "NeuralEstimator",
    "SpecAugment",
]
