"""Speaker-disjoint searches over features and network that compute each feature once."""

from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from examples.grid_search import nested_search
from skser.datasets import SpeechCorpus, load_emodb, make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)


class CountedMelSpectrogram(MelSpectrogram):
    """Mel spectrogram that logs each utterance it computes rather than reads from the cache."""

    def _extract(self, samples, prepared):
        log = Path(self.memory).parent / "computed.log"
        with log.open("a") as file:
            file.write(f"{self.n_mels} {self.deltas} {len(samples)} {samples.sum()!r}\n")
        return super()._extract(samples, prepared)


def search_with_counts(corpus, folder, network, n_splits, n_jobs):
    model = make_pipeline(
        CountedMelSpectrogram(
            memory=folder / "cache", input_sampling_rate=corpus.sampling_rate, window=0.032
        ),
        SequenceScaler(),
        network,
    )
    grid = {
        "countedmelspectrogram__n_mels": [8, 16],
        "countedmelspectrogram__deltas": [0, 1],
        "attentionfcnclassifier__n_heads": [1, 2],
    }
    search = GridSearchCV(
        model, grid, cv=GroupKFold(n_splits), scoring="balanced_accuracy", n_jobs=n_jobs
    )
    search.fit(corpus.data, corpus.target, groups=corpus.speakers)
    lines = (folder / "computed.log").read_text().splitlines()
    return search, lines


def tiny_network(max_epochs):
    return AttentionFCNClassifier(
        filters=(4, 8), strides=2, pool_sizes=1, max_epochs=max_epochs, device="cpu", n_threads=1,
        batch_size=64, random_state=0,
    )  # fmt: skip


def test_each_utterance_is_computed_once_per_feature_setting(tmp_path):
    corpus = make_emotional_speech(4, 5, random_state=0)
    search, lines = search_with_counts(corpus, tmp_path, tiny_network(1), n_splits=2, n_jobs=2)
    assert len(lines) == len(set(lines)) == 4 * len(corpus.data)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.real_data
def test_real_utterances_are_computed_once_per_feature_setting(emodb_path, tmp_path):
    frame = load_emodb(emodb_path).frame.iloc[::6]
    corpus = SpeechCorpus(frame, "every sixth utterance of EmoDB", {})
    search, lines = search_with_counts(corpus, tmp_path, tiny_network(1), n_splits=2, n_jobs=None)
    assert len(lines) == len(set(lines)) == 4 * len(frame) == 4 * 90
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_the_nested_search_passes_speakers_to_every_level(tmp_path):
    corpus = make_emotional_speech(8, 5, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        results = nested_search(corpus, tmp_path, max_epochs=1, n_splits=2)
    assert results["test_score"].shape == (2,)
    for search in results["estimator"]:
        assert search.best_estimator_[-1].n_iter_ == 1
        assert "valid_loss" in search.best_estimator_[-1].history_[-1]
