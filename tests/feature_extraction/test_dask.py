"""Extraction and searches on a real cluster: a scheduler and two single-threaded workers."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from skser.datasets import make_emotional_speech
from skser.feature_extraction import MelSpectrogram, _parallel
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences
from tests.support.slow_extraction import SlowMelSpectrogram

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Path of the file to which SlowMelSpectrogram logs each utterance, also on the workers."""
    path = tmp_path_factory.mktemp("dask") / "computed.log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKSER_TEST_LOG", str(path))
        patch.setenv("SKSER_TEST_PAUSE", "0.05")
        yield path


@pytest.fixture(scope="module")
def cluster(log):
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0",
            silence_logs="CRITICAL",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        yield client


@pytest.fixture
def on_cluster(cluster):
    with parallel_config(backend="dask"):
        yield cluster


@pytest.fixture(scope="module")
def corpus():
    return make_emotional_speech(n_speakers=4, n_utterances_per_speaker=10, random_state=0)


@pytest.fixture
def mel(corpus):
    return MelSpectrogram(n_mels=16, deltas=0, input_sampling_rate=corpus.sampling_rate)


@pytest.fixture
def network():
    return AttentionFCNClassifier(
        filters=(8, 8), strides=2, pool_sizes=1, max_epochs=2, device="cpu", n_threads=1,
        batch_size=8, random_state=0,
    )  # fmt: skip


def assert_equal(a, b):
    np.testing.assert_array_equal(a.lengths, b.lengths)
    np.testing.assert_array_equal(a.frames(), b.frames())


def test_extraction_equals_local_extraction(mel, corpus, on_cluster, tmp_path):
    on_workers = mel.transform(corpus.data)
    to_disk = mel.set_params(verbose=True).transform_to(corpus.data, tmp_path / "features")
    with parallel_config(backend="loky"):
        local = mel.transform(corpus.data)
    assert_equal(on_workers, local)
    assert_equal(to_disk, local)


def test_a_single_worker_gets_several_utterances_at_a_time(mel, corpus, on_cluster, monkeypatch):
    on_dask, tasks = _parallel._on_dask, []

    def counted(client, function, of_call):
        tasks.extend(of_call)
        return on_dask(client, function, of_call)

    monkeypatch.setattr(_parallel, "effective_n_jobs", lambda n_jobs: 1)
    monkeypatch.setattr(_parallel, "_on_dask", counted)
    mel.transform(corpus.data)
    assert len(tasks) == 8  # of 40 utterances


@pytest.mark.parametrize("allowed_failures", [3, 0], ids=["Dask tries again", "Dask gives up"])
def test_a_worker_killed_during_extraction_changes_nothing(
    cluster, log, tmp_path, monkeypatch, allowed_failures
):
    # If no failures are allowed, the task of a killed worker raises KilledWorker.
    monkeypatch.setattr(cluster.cluster.scheduler, "allowed_failures", allowed_failures)
    log.write_text("")
    X = [np.random.RandomState(i).randn(3000 + 100 * i) for i in range(40)]
    local = MelSpectrogram(n_mels=16, input_sampling_rate=16000).transform(X)
    pids = cluster.run(os.getpid)

    def kill():
        while log.read_text().count("\n") < 12:
            time.sleep(0.01)
        os.kill(next(iter(pids.values())), signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    with parallel_config(backend="dask"):
        mel = SlowMelSpectrogram(n_mels=16, input_sampling_rate=16000)
        features = mel.transform_to(X, tmp_path / "features")
    killer.join(timeout=10)
    assert_equal(features, local)
    assert log.read_text().count("\n") > 40  # some were lost with the worker
    cluster.wait_for_workers(2, timeout=20)
    assert set(cluster.run(os.getpid).values()) != set(pids.values())


def test_a_grid_search_gives_the_same_scores_as_locally(mel, network, corpus, on_cluster):
    model = make_pipeline(mel, SequenceScaler(), network)
    grid = {"melspectrogram__n_mels": [8, 16]}
    search = GridSearchCV(model, grid, cv=2, scoring="neg_log_loss", error_score="raise")
    search.fit(corpus.data, corpus.target)
    scores = search.cv_results_["mean_test_score"]
    with parallel_config(backend="loky", n_jobs=1):
        search.fit(corpus.data, corpus.target)
    np.testing.assert_array_equal(scores, search.cv_results_["mean_test_score"])
    assert len(np.unique(scores)) == 2


def test_cross_validation_of_a_mapped_block_gives_the_local_scores(
    mel, network, corpus, cluster, tmp_path
):
    X = mel.transform(corpus.data)
    X.save(tmp_path / "block")
    mapped = Sequences.open(tmp_path / "block", "r")
    model = make_pipeline(SequenceScaler(), network)
    kwargs = {"cv": 2, "scoring": "neg_log_loss"}
    with parallel_config(backend="dask"):
        scores = cross_val_score(model, mapped, corpus.target, **kwargs)
    np.testing.assert_array_equal(scores, cross_val_score(model, X, corpus.target, **kwargs))


def test_extraction_within_a_task_stays_in_its_process(mel, corpus, on_cluster):
    (pids,) = Parallel()([delayed(pids_of_tasks)()])
    assert len(pids) == 1


def pids_of_tasks():
    return set(_parallel.parallel_map(os.getpid, [()] * 20))
