"""Corpora: on disk, of the user's own, or made up."""

from skser.datasets._corpus import SpeechCorpus
from skser.datasets._emodb import load_emodb
from skser.datasets._own import load_folder, load_table
from skser.datasets._ravdess import load_ravdess
from skser.datasets._synthesis import make_emotional_speech

__all__ = [
    "SpeechCorpus",
    "load_emodb",
    "load_folder",
    "load_ravdess",
    "load_table",
    "make_emotional_speech",
]
