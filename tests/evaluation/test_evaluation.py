"""Tests of the evaluation by speaker: nested, resumed, in processes and on a cluster."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    LeaveOneGroupOut,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from skorch.callbacks import GradientNormClipping

from skser._fingerprint import digest
from skser.audio import Waveform
from skser.datasets import SpeechCorpus, make_emotional_speech
from skser.evaluation import cross_validate_speakers
from skser.evaluation._finished_folds import FinishedFolds
from skser.feature_extraction import FrameFeatures, Functionals
from skser.model_selection import StratifiedSpeakerKFold
from tests.support.evaluation_run import SlowClassifier, evaluate

EMOTIONS = ("anger", "fear", "neutral")


@pytest.fixture(scope="module")
def corpus():
    return make_emotional_speech(6, 9, EMOTIONS, random_state=0)


@pytest.fixture(scope="module")
def model(corpus, tmp_path_factory):
    memory = tmp_path_factory.mktemp("features")
    features = FrameFeatures(
        ("energy", "pitch"), input_sampling_rate=corpus.sampling_rate, memory=memory
    )
    return make_pipeline(
        features, Functionals(), StandardScaler(), LogisticRegression(max_iter=1000)
    )


def test_predictions_equal_those_of_cross_val_predict(corpus, model):
    found = cross_validate_speakers(model, corpus, cv=LeaveOneGroupOut())
    y = corpus.target.astype(str)
    expected = cross_val_predict(
        model, corpus.data, y, groups=corpus.speakers, cv=LeaveOneGroupOut(), method="predict_proba"
    )
    order = found.predictions["utterance"].to_numpy()
    np.testing.assert_array_equal(order, np.arange(len(y)))
    np.testing.assert_allclose(found.y_proba, expected[order], atol=1e-12)
    np.testing.assert_array_equal(found.labels, np.unique(y))
    np.testing.assert_array_equal(found.y_true, y[order])
    np.testing.assert_array_equal(found.y_pred, found.labels[found.y_proba.argmax(axis=1)])
    fits = found.fold_results
    assert fits["held_out"].tolist() == [[speaker] for speaker in sorted(set(corpus.speakers))]
    assert (fits["n_train"] + fits["n_test"] == len(y)).all()
    assert (fits["fit_seconds"] > 0).all()
    assert all(int(fitted["n_iter_"].strip("[]")) > 1 for fitted in fits["fitted"])
    for fold, part in found.predictions.groupby("fold"):
        true, predicted = part["true"], part["predicted"]
        assert fits["uar"][fold] == pytest.approx(balanced_accuracy_score(true, predicted))
        assert fits["accuracy"][fold] == accuracy_score(true, predicted)


def test_the_summary_is_over_seeds_and_over_folds(corpus, model):
    forest = make_pipeline(model[:-1], RandomForestClassifier(5))
    found = cross_validate_speakers(forest, corpus, cv=2, n_seeds=3)
    assert found.fold_results["seed"].tolist() == [0, 0, 1, 1, 2, 2]
    summary = found.summary()
    of_seeds = [
        balanced_accuracy_score(part["true"], part["predicted"])
        for _, part in found.predictions.groupby("seed")
    ]
    assert summary.loc["uar", "pooled"] == pytest.approx(np.mean(of_seeds))
    assert summary.loc["uar", "sd_seeds"] == pytest.approx(np.std(of_seeds, ddof=1))
    assert summary.loc["uar", "folds"] == pytest.approx(found.fold_results["uar"].mean())
    assert summary.loc["uar", "worst_fold"] == found.fold_results["uar"].min()
    assert "2 speaker-disjoint folds, 3 seeds" in str(found)
    low, high = (f"{100 * bound:.1f}" for bound in found.interval())
    assert f"over speakers: {low} to {high}; chance: 33.3" in str(found)
    assert found.protocol["cv"] == "StratifiedSpeakerKFold(n_splits=2)"
    again = cross_validate_speakers(forest, corpus, cv=2, n_seeds=3, n_jobs=2)
    np.testing.assert_array_equal(again.y_proba, found.y_proba)
    assert len({tuple(part["predicted"]) for _, part in found.predictions.groupby("seed")}) > 1


class Recorder(ClassifierMixin, BaseEstimator):
    """Logs the groups that its `fit` is given."""

    def __init__(self, log=None):
        self.log = log

    def fit(self, X, y, groups=None):
        with open(self.log, "a") as log:
            log.write(json.dumps(sorted(set(groups))) + "\n")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.resize(self.classes_, len(X))


def test_speakers_reach_fit(corpus, tmp_path):
    log = tmp_path / "log"
    everyone = set(corpus.speakers)
    for nested in (Recorder(str(log)), make_pipeline("passthrough", Recorder(str(log)))):
        found = cross_validate_speakers(nested, corpus, cv=3)
        given = [set(json.loads(line)) for line in log.read_text().splitlines()]
        assert given == [everyone - set(speakers) for speakers in found.fold_results["held_out"]]
        log.unlink()
    with config_context(enable_metadata_routing=True):
        nested = make_pipeline("passthrough", Recorder(str(log)).set_fit_request(groups=True))
        cross_validate_speakers(nested, corpus, cv=3)
        assert [set(json.loads(line)) for line in log.read_text().splitlines()] == given
        cross_validate_speakers(DummyClassifier(strategy="uniform"), corpus, cv=3)


def test_a_search_splits_by_speaker(corpus, model):
    search = GridSearchCV(model, {"logisticregression__C": [1e-3, 1.0]}, cv=3)
    found = cross_validate_speakers(search, corpus, cv=3)
    assert "StratifiedSpeakerKFold" in found.protocol["model"]
    assert search.cv == 3  # the caller's search is not changed
    assert all(
        "logisticregression__C" in fitted["best_params_"] for fitted in found.fold_results["fitted"]
    )
    inner = make_pipeline(model[:-1], GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3))
    found = cross_validate_speakers(inner, corpus, cv=2)
    assert "StratifiedSpeakerKFold" in found.protocol["model"]
    with config_context(enable_metadata_routing=True):
        again = cross_validate_speakers(search, corpus, cv=3)
    assert again.fold_results["fitted"].tolist()[0].keys() == {"best_params_", "best_score_"}


def test_splits_that_share_speakers_are_refused(corpus, model):
    with pytest.raises(ValueError, match="Fold 0 of cv has . speakers on both sides"):
        cross_validate_speakers(model, corpus, cv=StratifiedKFold(3, shuffle=True, random_state=0))
    search = GridSearchCV(
        model, {"logisticregression__C": [1.0]}, cv=StratifiedKFold(2, shuffle=True, random_state=0)
    )
    with pytest.raises(ValueError, match="Fold 0 of the search's cv has .* speakers on both"):
        cross_validate_speakers(search, corpus, cv=3)


def test_corpora_without_speakers_are_refused(corpus, model):
    frame = corpus.frame
    one = SpeechCorpus(frame.assign(speaker="x"), "mine", {}, sampling_rate=16000)
    with pytest.raises(ValueError, match="mine has only one speaker, 'x'"):
        cross_validate_speakers(model, one)
    none = SpeechCorpus(frame.drop(columns="speaker"), "mine", {}, sampling_rate=16000)
    with pytest.raises(ValueError, match="mine has no speakers"):
        cross_validate_speakers(model, none)


@pytest.mark.filterwarnings("ignore:All 6 predictions")
def test_a_test_fold_may_lack_a_class(corpus, model):
    frame = corpus.frame[(corpus.frame["speaker"] != "01") | (corpus.frame["emotion"] != "fear")]
    smaller = SpeechCorpus(frame, "smaller", {}, sampling_rate=corpus.sampling_rate)
    found = cross_validate_speakers(model, smaller, cv=LeaveOneGroupOut())
    part = found.predictions.query("speaker == '01'")
    right = part["true"] == part["predicted"]
    expected = right.groupby(part["true"]).mean().mean()
    assert found.fold_results["uar"][0] == pytest.approx(expected)
    assert not found.predictions.isna().any().any()


def test_models_without_probabilities_are_evaluated(corpus, model):
    found = cross_validate_speakers(make_pipeline(model[:-1], SVC()), corpus, cv=2)
    assert found.y_proba is None
    np.testing.assert_array_equal(found.labels, sorted(EMOTIONS))


def test_use_frame_gives_the_model_the_table(corpus):
    class TableClassifier(DummyClassifier):
        def fit(self, X, y):
            assert isinstance(X, pd.DataFrame)
            return super().fit(X, y)

    model = TableClassifier(strategy="stratified", random_state=0)
    found = cross_validate_speakers(model, corpus, cv=2, use_frame=True)
    assert len(found.predictions) == len(corpus.target)


def test_a_killed_evaluation_resumes(tmp_path):
    undisturbed = evaluate(tmp_path / "whole", tmp_path / "whole.log", pause=0.0)
    folder, log = tmp_path / "folder", tmp_path / "log"
    command = [sys.executable, "-m", "tests.support.evaluation_run", str(folder), str(log)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while len(list(folder.glob("seed*.json"))) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in folder.glob("seed*.json")}
    assert 4 <= len(done) < 12
    n_fits = len(log.read_text().splitlines())
    found = evaluate(folder, log)
    pd.testing.assert_frame_equal(found.predictions, undisturbed.predictions)
    timings = ["fit_seconds", "predict_seconds"]
    pd.testing.assert_frame_equal(
        found.fold_results.drop(columns=timings), undisturbed.fold_results.drop(columns=timings)
    )
    assert len(log.read_text().splitlines()) == n_fits + 12 - len(done)
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())
    evaluate(folder, log)
    assert len(log.read_text().splitlines()) == n_fits + 12 - len(done)


def test_a_folder_of_another_evaluation_is_refused(tmp_path, corpus):
    def run(strategy="stratified", cv=2, corpus=corpus):
        model = DummyClassifier(strategy=strategy, random_state=0)
        return cross_validate_speakers(model, corpus, cv=cv, results_dir=tmp_path)

    run()
    run()
    with pytest.raises(ValueError, match="another evaluation, which differs in model"):
        run("uniform")
    with pytest.raises(ValueError, match="differs in folds"):
        run(cv=3)
    with pytest.raises(ValueError, match="differs in .*utterances"):
        run(corpus=corpus.relabel({"anger": "rage", "fear": "fear", "neutral": "neutral"}))


def test_a_folder_is_resumed_with_another_memory_and_other_processes(tmp_path, corpus, monkeypatch):
    def model(**means):
        forest = RandomForestClassifier(5, random_state=0, n_jobs=means.pop("n_jobs", None))
        verbose = means.pop("verbose", False)
        frames = FrameFeatures(**means, input_sampling_rate=corpus.sampling_rate)
        return make_pipeline(frames, Functionals(), forest, verbose=verbose)

    first = cross_validate_speakers(model(), corpus, cv=2, results_dir=tmp_path / "results")

    def fit(self, X, y):
        raise AssertionError("A finished fold is fitted again.")

    monkeypatch.setattr(RandomForestClassifier, "fit", fit)
    means = {"memory": str(tmp_path / "memory"), "n_jobs": 2, "verbose": True}
    given = model(**means)
    again = cross_validate_speakers(given, corpus, cv=2, results_dir=tmp_path / "results")
    pd.testing.assert_frame_equal(again.predictions, first.predictions)
    assert given[0].memory == means["memory"]
    assert given[-1].n_jobs == 2


def test_results_with_and_without_sentences_are_different_evaluations(tmp_path, corpus):
    speakers, sentences = corpus.speakers, np.resize(["s", "t"], len(corpus))
    corpus = SpeechCorpus(
        corpus.frame.assign(sentence=sentences), "made up", {}, sampling_rate=16000
    )
    one = speakers == speakers[0]
    folds = [(np.flatnonzero(~one & (sentences == "s")), np.flatnonzero(one & (sentences == "t")))]
    given = {"cv": folds, "results_dir": tmp_path}
    cross_validate_speakers(DummyClassifier(), corpus, **given)
    with pytest.raises(ValueError, match="another evaluation, which differs in sentences"):
        cross_validate_speakers(DummyClassifier(), corpus, sentences=True, **given)


def test_results_are_reused_for_equal_models_and_folds_only(tmp_path, corpus):
    def run(model, cv=2):
        return cross_validate_speakers(model, corpus, cv=cv, results_dir=tmp_path)

    def grid(values):
        dummy = DummyClassifier(strategy="uniform")
        return GridSearchCV(dummy, {"random_state": values}, cv=2)

    run(grid([*range(40)]))
    run(
        grid([*range(40)]),
        cv=StratifiedSpeakerKFold(2).split(corpus.data, corpus.target, corpus.speakers),
    )
    with pytest.raises(ValueError, match="differs in model"):
        run(grid([*range(30), *range(100, 110)]))
    (tmp_path / "seed0_fold0.json").write_text("{")
    with pytest.raises(ValueError, match="seed0_fold0.json is not valid JSON"):
        run(grid([*range(40)]))


def test_altered_and_foreign_folds_are_refused(tmp_path, corpus):
    def run(strategy, folder):
        model = DummyClassifier(strategy=strategy, random_state=0)
        return cross_validate_speakers(model, corpus, cv=2, results_dir=tmp_path / folder)

    run("uniform", "a")
    run("stratified", "b")
    fold = tmp_path / "a/seed0_fold1.json"
    content = fold.read_text()
    stored = json.loads(content)
    first = stored["result"]["predicted"][0]
    stored["result"]["predicted"][0] = "fear" if first == "anger" else "anger"
    fold.write_text(json.dumps(stored))
    with pytest.raises(ValueError, match=r"seed0_fold1\.json does not match its checksum"):
        run("uniform", "a")
    fold.write_bytes((tmp_path / "b/seed0_fold1.json").read_bytes())
    with pytest.raises(ValueError, match="copied from another evaluation"):
        run("uniform", "a")
    fold.write_text(content)
    run("uniform", "a")


def test_a_target_that_differs_is_named_once(tmp_path):
    FinishedFolds(tmp_path, {"target": "valence", "target_hash": 1})
    with pytest.raises(ValueError, match=r"which differs in target\. Use"):
        FinishedFolds(tmp_path, {"target": "activation", "target_hash": 2})


def test_other_audio_under_the_same_names_is_refused(tmp_path):
    names = []
    for i in range(8):
        names.append(str(tmp_path / f"{i}.wav"))
        soundfile.write(names[-1], 0.1 * np.random.RandomState(i).randn(800), 16000)
    frame = pd.DataFrame(
        {"audio": names, "emotion": ["anger", "fear"] * 4, "speaker": list("aabbccdd")}
    )
    corpus = SpeechCorpus(frame, "files", {})
    model = DummyClassifier(strategy="uniform", random_state=0)
    cross_validate_speakers(model, corpus, cv=2, results_dir=tmp_path / "kept")
    soundfile.write(names[3], 0.1 * np.random.RandomState(99).randn(800), 16000)
    with pytest.raises(ValueError, match="another evaluation, which differs in utterances"):
        cross_validate_speakers(model, corpus, cv=2, results_dir=tmp_path / "kept")


def test_digests_differ_where_reprs_do_not():
    pairs = [
        (lambda: FunctionTransformer(lambda X: X), lambda: FunctionTransformer(lambda X: 2 * X)),
        (lambda: partial(np.add, 1), lambda: partial(np.add, 2)),
        (lambda: [np.arange(2000)], lambda: [np.arange(2000) + (np.arange(2000) == 1000)]),
        (lambda: {"a": {1, 2}}, lambda: {"a": {1, 3}}),
        (lambda: GradientNormClipping(1.0), lambda: GradientNormClipping(50.0)),
        (lambda: np.random.RandomState(0), lambda: np.random.RandomState(1)),
        (lambda: LogisticRegression().fit([[0], [1]], [0, 1]), lambda: LogisticRegression()),
        (lambda: Path("a"), lambda: Path("b")),
        (lambda: [Waveform(np.zeros(9), 8000)], lambda: [Waveform(np.zeros(9), 16000)]),
    ]
    for one, other in pairs:
        assert digest(one()) == digest(one())
        assert digest(one()) != digest(other())
    loop = []
    loop.append(loop)
    assert digest(loop) != digest([])


def made_module(monkeypatch, name, source):
    """A module of the user with this source."""
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(source, vars(module))
    return module


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("KEPT = [1]", "KEPT = [2]"),
        ("KEPT = {'a': 1}", "KEPT = {'a': 2}"),
        ("KEPT = {1}", "KEPT = {2}"),
        ("import numpy as np; KEPT = np.arange(3)", "import numpy as np; KEPT = np.arange(4)"),
        ("from functools import partial; KEPT = partial(max, 1)",) * 2,
        ("from skser.preprocessing import SequenceScaler as S; KEPT = S()",) * 2,
        ("def KEPT(X): return X", "def KEPT(X): return 2 * X"),
        ("def scale(X): return X", "def scale(X): return 2 * X"),
    ],
)
def test_digests_of_functions_include_what_they_use(monkeypatch, before, after):
    if before == after:
        after = after.replace("max, 1", "max, 2").replace("S()", "S(with_mean=False)")
    digests = []
    for number, source in enumerate((before, before, after)):
        made_module(monkeypatch, "helpers_of_mine", f"{source}\nUNUSED = [{number}]")
        imported = "import helpers_of_mine as KEPT" if "scale" in source else source
        code = f"{imported}\nUNUSED = [{number}]\ndef features(X): return KEPT, KEPT.scale"
        module = made_module(monkeypatch, "features_of_mine", code)
        digests.append(digest(FunctionTransformer(module.features)))
    assert digests[0] == digests[1] != digests[2]


class OwnRepr(DummyClassifier):
    def __repr__(self):
        return "OwnRepr()"


def test_a_model_may_have_its_own_repr(corpus):
    found = cross_validate_speakers(OwnRepr(strategy="uniform"), corpus, cv=2)
    assert found.protocol["model"] == "OwnRepr()"


def test_sentences_can_be_kept_apart_as_well(corpus, model):
    with pytest.raises(ValueError, match="of cv has .* sentences on both sides"):
        cross_validate_speakers(model, corpus, cv=LeaveOneSpeakerOut(), sentences=True)
    # Each emotion of each speaker occurs in all four sentences.
    frame = pd.concat([corpus.frame.assign(sentence=f"s{i}") for i in range(4)])
    crossed = SpeechCorpus(frame, "crossed", {}, sampling_rate=corpus.sampling_rate)
    crossed = crossed.select(emotions=["anger", "fear"])
    search = GridSearchCV(model, {"logisticregression__C": [0.1, 1.0]}, cv=2)
    found = cross_validate_speakers(search, crossed, cv=2, sentences=True)
    assert len(found.folds) == 4
    for train, test in found.folds:
        assert not set(crossed.sentences[train]) & set(crossed.sentences[test])
    held_out = np.sort(found.predictions["utterance"])
    np.testing.assert_array_equal(held_out, np.arange(len(crossed.target)))
    frame = corpus.frame.drop(columns="sentence")
    none = SpeechCorpus(frame, "mine", {}, sampling_rate=corpus.sampling_rate)
    with pytest.raises(ValueError, match="does not name the sentence of every utterance"):
        cross_validate_speakers(model, none, sentences=True)


class LeaveOneSpeakerOut(LeaveOneGroupOut):
    """Leave-one-group-out by the first of two columns."""

    def split(self, X, y=None, groups=None):
        return super().split(X, y, groups[:, 0])


def test_a_search_that_speakers_cannot_reach_is_refused(corpus, model):
    search = GridSearchCV(LogisticRegression(), {"C": [0.1]}, cv=2)
    vote = make_pipeline(model[:-1], VotingClassifier([("a", search)]))
    with pytest.raises(ValueError, match="votingclassifier__a cannot be given the speakers"):
        cross_validate_speakers(vote, corpus, cv=2)


def test_an_estimator_inside_a_search_is_given_speakers(corpus, tmp_path):
    log = tmp_path / "log"
    inner = make_pipeline("passthrough", Recorder(str(log)))
    search = GridSearchCV(inner, {"recorder__log": [str(log)]}, cv=2)
    cross_validate_speakers(search, corpus, cv=2)
    given = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(given) == 6
    assert all(given)


def test_an_empty_list_of_splits_is_refused(corpus, model):
    with pytest.raises(ValueError, match="cv yields no splits"):
        cross_validate_speakers(model, corpus, cv=[])


def test_seeds_can_be_added_later(tmp_path, corpus):
    def fits(n_seeds):
        model = SlowClassifier(str(tmp_path / "log"))
        return cross_validate_speakers(
            model, corpus, cv=2, n_seeds=n_seeds, results_dir=tmp_path / "f"
        )

    first = fits(1)
    more = fits(2)
    assert len((tmp_path / "log").read_text().splitlines()) == 4
    pd.testing.assert_frame_equal(more.predictions.query("seed == 0"), first.predictions)


def test_an_error_keeps_the_finished_folds(tmp_path, corpus):
    class Fails(SlowClassifier):
        def fit(self, X, y):
            if self.random_state == 1:
                raise RuntimeError("no second seed")
            return super().fit(X, y)

    model = Fails(str(tmp_path / "log"))
    with pytest.raises(RuntimeError, match="no second seed"):
        cross_validate_speakers(model, corpus, cv=2, n_seeds=2, results_dir=tmp_path / "f")
    assert len(list((tmp_path / "f").glob("seed0*.json"))) == 2


def test_progress_is_shown(corpus, capsys):
    cross_validate_speakers(DummyClassifier(strategy="uniform"), corpus, cv=2, verbose=True)
    assert "2/2" in capsys.readouterr().err


def test_a_cluster_that_loses_a_worker_finishes(tmp_path):
    distributed = pytest.importorskip("distributed")
    undisturbed = evaluate(tmp_path / "whole", tmp_path / "whole.log", pause=0.0)
    folder = tmp_path / "folder"
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0",
            silence_logs="CRITICAL",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        workers = client.run(os.getpid)

        def kill_one():
            while len(list(folder.glob("seed*.json"))) < 3:
                time.sleep(0.02)
            os.kill(next(iter(workers.values())), signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        with parallel_config(backend="dask"):
            found = evaluate(folder, tmp_path / "log", pause=0.2)
        killer.join()
        assert set(client.run(os.getpid).values()) != set(workers.values())
    pd.testing.assert_frame_equal(found.predictions, undisturbed.predictions)


OWN_MODEL = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

SHIFT = {shift}


def helper(n):
    return {helper}


class Own(ClassifierMixin, BaseEstimator):
    step = {step}

    def __init__(self, memory=None):
        self.memory = memory

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[[(helper(i) + SHIFT + self.step) % {n} for i in range(len(X))]]
"""


def test_folds_of_other_code_of_ones_own_are_not_reused(tmp_path, corpus, monkeypatch):
    def run(folder="results", memory=None, **changed):
        settings = {"shift": 0, "helper": "n", "step": 0, "n": 3} | changed
        module = types.ModuleType("own_model")
        exec(OWN_MODEL.format(**settings), vars(module))
        monkeypatch.setitem(sys.modules, "own_model", module)
        return cross_validate_speakers(
            module.Own(memory), corpus, cv=2, results_dir=tmp_path / folder
        )

    run()
    run()
    for changed in ({"shift": 1}, {"helper": "n + 1"}, {"step": 1}, {"n": 2}, {"memory": 5}):
        with pytest.raises(ValueError, match="differs in model"):
            run(**changed)
        run(str(changed), **changed)


def test_a_frozen_model_and_a_frozen_part_are_evaluated_as_they_are(corpus):
    features = FrameFeatures(("energy",), input_sampling_rate=corpus.sampling_rate)
    forest = RandomForestClassifier(3, random_state=7, n_jobs=1)
    fitted = make_pipeline(features, Functionals(), forest).fit(corpus.data, corpus.target)
    expected = fitted.predict(corpus.data).astype(str).tolist()
    parts = make_pipeline(FrozenEstimator(fitted[:-1]), FrozenEstimator(forest))
    for model in (FrozenEstimator(fitted), parts):
        found = cross_validate_speakers(model, corpus, cv=2)
        predicted = found.predictions.set_index("utterance")["predicted"].sort_index()
        assert predicted.tolist() == expected
    assert forest.random_state == 7
    assert forest.n_jobs == 1
