"""Fitted transformers of frame sequences."""

from skser.preprocessing._scaler import SequenceScaler

__all__ = ["SequenceScaler"]
