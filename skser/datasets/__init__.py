"""Corpora of emotional speech: published ones, the user's own, and made-up ones."""

from skser.datasets._audb import fetch_audb
from skser.datasets._audformat import load_audformat
from skser.datasets._concatenate import concatenate_corpora
from skser.datasets._corpus import SpeechCorpus
from skser.datasets._crema_d import load_crema_d
from skser.datasets._download import DownloadError, get_data_home
from skser.datasets._emodb import fetch_emodb, load_emodb
from skser.datasets._evaluator_weighted import evaluator_weighted_estimator
from skser.datasets._files import READABLE_SUFFIXES
from skser.datasets._iemocap import load_iemocap
from skser.datasets._kaldi import load_kaldi
from skser.datasets._load_corpus import load_corpus
from skser.datasets._manifests import load_emobox, load_nkululeko
from skser.datasets._meld import load_meld
from skser.datasets._msp_podcast import load_msp_podcast
from skser.datasets._own import load_folder, load_table
from skser.datasets._ravdess import fetch_ravdess, load_ravdess
from skser.datasets._registry import CORPORA, list_corpora
from skser.datasets._rttm import read_rttm
from skser.datasets._small_acted import load_emovo, load_savee, load_tess
from skser.datasets._synthesis import make_emotional_speech
from skser.datasets._tiers import load_elan, load_textgrid

__all__ = [
    "CORPORA",
    "READABLE_SUFFIXES",
    "DownloadError",
    "SpeechCorpus",
    "concatenate_corpora",
    "evaluator_weighted_estimator",
    "fetch_audb",
    "fetch_emodb",
    "fetch_ravdess",
    "get_data_home",
    "list_corpora",
    "load_audformat",
    "load_corpus",
    "load_crema_d",
    "load_elan",
    "load_emobox",
    "load_emodb",
    "load_emovo",
    "load_folder",
    "load_iemocap",
    "load_kaldi",
    "load_meld",
    "load_msp_podcast",
    "load_nkululeko",
    "load_ravdess",
    "load_savee",
    "load_table",
    "load_tess",
    "load_textgrid",
    "make_emotional_speech",
    "read_rttm",
]
