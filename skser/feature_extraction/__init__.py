"""Transformers that turn audio into frame sequences, and frame sequences into vectors."""

from skser.feature_extraction._base import AudioTransformer, UtteranceTooShort
from skser.feature_extraction._frame_features import FrameFeatures
from skser.feature_extraction._functionals import Functionals, describe
from skser.feature_extraction._level_contour import LevelContour
from skser.feature_extraction._mel import MFCC, MelSpectrogram
from skser.feature_extraction._opensmile import OpenSmile
from skser.feature_extraction._parameters import DESCRIPTIONS
from skser.feature_extraction._spectral import DELTA_REACH
from skser.feature_extraction._spectrogram import Spectrogram
from skser.feature_extraction._speech_embedding import SpeechEmbedding
from skser.feature_extraction._speech_encoder import load_encoder, other_arguments
from skser.feature_extraction._speech_probability import SpeechProbability
from skser.feature_extraction._text_embedding import TextEmbedding

__all__ = [
    "DELTA_REACH",
    "DESCRIPTIONS",
    "MFCC",
    "AudioTransformer",
    "FrameFeatures",
    "Functionals",
    "LevelContour",
    "MelSpectrogram",
    "OpenSmile",
    "Spectrogram",
    "SpeechEmbedding",
    "SpeechProbability",
    "TextEmbedding",
    "UtteranceTooShort",
    "describe",
    "load_encoder",
    "other_arguments",
]
