"""Stateless transformers: audio becomes frame sequences."""

from skser.feature_extraction._mel import MFCC, MelSpectrogram
from skser.feature_extraction._spectrogram import Spectrogram

__all__ = ["MFCC", "MelSpectrogram", "Spectrogram"]
