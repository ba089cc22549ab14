"""Fitted transformers of frame sequences."""

from skser.preprocessing._scaler import SequenceScaler
from skser.preprocessing._speaker_scaler import SpeakerScaler

__all__ = ["SequenceScaler", "SpeakerScaler"]
