"""Splitters for speaker-disjoint folds, published folds and partly labeled corpora."""

from skser.model_selection._given_splits import GivenSplits
from skser.model_selection._published import published_folds
from skser.model_selection._semi_supervised import SemiSupervisedSplit
from skser.model_selection._speaker_folds import (
    SpeakerFolds,
    StratifiedSpeakerKFold,
    speaker_disjoint_splits,
    splits,
)

__all__ = [
    "GivenSplits",
    "SemiSupervisedSplit",
    "SpeakerFolds",
    "StratifiedSpeakerKFold",
    "published_folds",
    "speaker_disjoint_splits",
    "splits",
]
