"""Neural networks for speech emotion recognition, one file per published architecture."""

from skser.neural_network._adversarial_ae_classifier import AdversarialAEClassifier
from skser.neural_network._adversarial_ae_regressor import AdversarialAERegressor
from skser.neural_network._attention_fcn import AttentionFCNClassifier, AttentionFCNRegressor
from skser.neural_network._attention_map import AttentionMap
from skser.neural_network._attention_rnn import AttentionRNNClassifier, AttentionRNNRegressor
from skser.neural_network._augmentation import SpecAugment
from skser.neural_network._base import NeuralEstimator
from skser.neural_network._callbacks import FreshSequences
from skser.neural_network._normalization import (
    measure_normalization_statistics,
    normalization_statistics,
    set_normalization_statistics,
)
from skser.neural_network._transfer import Transfer, transferring

__all__ = [
    "AdversarialAEClassifier",
    "AdversarialAERegressor",
    "AttentionFCNClassifier",
    "AttentionFCNRegressor",
    "AttentionMap",
    "AttentionRNNClassifier",
    "AttentionRNNRegressor",
    "FreshSequences",
    "NeuralEstimator",
    "SpecAugment",
    "Transfer",
    "measure_normalization_statistics",
    "normalization_statistics",
    "set_normalization_statistics",
    "transferring",
]
