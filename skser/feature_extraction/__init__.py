"""Stateless transformers: audio becomes frame sequences or vectors."""

from skser.feature_extraction._mel import MFCC, MelSpectrogram
from skser.feature_extraction._opensmile import OpenSmile
from skser.feature_extraction._spectrogram import Spectrogram

__all__ = ["MFCC", "MelSpectrogram", "OpenSmile", "Spectrogram"]
