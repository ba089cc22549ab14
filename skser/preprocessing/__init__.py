"""Trimming of audio, and scaling of frame sequences and vectors."""

from skser.preprocessing._scaler import SequenceScaler
from skser.preprocessing._speaker_scaler import SpeakerScaler
from skser.preprocessing._trimmer import VoiceActivityTrimmer

__all__ = ["SequenceScaler", "SpeakerScaler", "VoiceActivityTrimmer"]
