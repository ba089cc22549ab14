from ._audb import fetch_audb
from ._audformat import load_audformat
from ._audio_files import audio_files_in
from ._concatenate import concatenate_corpora
from ._corpus import SpeechCorpus
from ._corpus_list import corpus_facts, list_corpora
from ._crema_d import load_crema_d
from ._download import DownloadError, get_data_home
from ._emodb import load_emodb
from ._evaluator_weighted import evaluator_weighted_estimator
from ._fetchers import (
    fetch_crema_d,
    fetch_emodb,
    fetch_emovo,
    fetch_nemo,
    fetch_ravdess,
    fetch_tess,
)
from ._iemocap import load_iemocap
from ._kaldi import load_kaldi
from ._load_corpus import load_corpus
from ._manifests import load_emobox, load_nkululeko
from ._meld import load_meld
from ._msp_podcast import load_msp_podcast
from ._nemo import load_nemo
from ._own import load_folder, load_table, read_utterances
from ._ravdess import load_ravdess
from ._registry import CORPORA
from ._rttm import read_rttm
from ._small_acted import load_emovo, load_savee, load_tess
from ._synthesis import make_emotional_speech
from ._tiers import load_elan, load_textgrid

__all__ = [
    "CORPORA",
    "DownloadError",
    "SpeechCorpus",
    "audio_files_in",
    "concatenate_corpora",
    "corpus_facts",
    "evaluator_weighted_estimator",
    "fetch_audb",
    "fetch_crema_d",
    "fetch_emodb",
    "fetch_emovo",
    "fetch_nemo",
    "fetch_ravdess",
    "fetch_tess",
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
    "load_nemo",
    "load_nkululeko",
    "load_ravdess",
    "load_savee",
    "load_table",
    "load_tess",
    "load_textgrid",
    "make_emotional_speech",
    "read_rttm",
    "read_utterances",
]
