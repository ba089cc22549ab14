import pickle

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skser.compose import SegmentedClassifier
from skser.feature_extraction import Functionals
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler
from skser.sequences import Layout, Sequences

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)


class FirstColumn(ClassifierMixin, BaseEstimator):
    """Classifier that stores its input and returns the first frame as probabilities."""

    def fit(self, X, y, groups=None):
        self.X_, self.y_, self.groups_ = X, y, groups
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.array([frames[0, :2] for frames in X], float)


def network(**kwargs):
    return AttentionFCNClassifier(
        filters=(4, 8), strides=2, pool_sizes=1, max_epochs=2, device="cpu", n_threads=1,
        random_state=0, **kwargs,
    )  # fmt: skip


@pytest.fixture
def y():
    return np.array(list("aabbab"))


def numbered(lengths, hop=0.1):
    frames = np.concatenate([np.arange(n) for n in lengths])[:, None].astype(np.float32)
    return Sequences(frames, lengths, layout=Layout(("frame",), hop=hop))


def windows_of(n_frames, window, hop):
    """Return the first and last frame of every window of one utterance."""
    model = SegmentedClassifier(FirstColumn(), window=window, hop=hop)
    X = model.fit(numbered([n_frames]), ["a"]).estimator_.X_
    return [(int(frames[0, 0]), int(frames[-1, 0])) for frames in X]


def test_windows_start_every_hop_and_the_last_ends_with_the_utterance():
    assert windows_of(20, window=1.0, hop=0.5) == [(0, 9), (5, 14), (10, 19)]
    assert windows_of(22, window=1.0, hop=0.5) == [(0, 9), (5, 14), (10, 19), (12, 21)]
    assert windows_of(10, window=1.0, hop=0.5) == [(0, 9)]
    assert windows_of(3, window=1.0, hop=0.5) == [(0, 2)]
    assert windows_of(11, window=0.4, hop=0.5) == [(0, 3), (5, 8), (7, 10)]


@pytest.mark.parametrize("n_frames", [1, 7, 30, 31, 59])
@pytest.mark.parametrize("hop", [1, 3, 10])
def test_windows_have_equal_length_and_cover_all_frames(n_frames, hop):
    windows = windows_of(n_frames, window=1.0, hop=hop / 10)
    assert {last - first + 1 for first, last in windows} == {min(10, n_frames)}
    assert set().union(*(range(a, b + 1) for a, b in windows)) == set(range(n_frames))
    assert len(set(windows)) == len(windows)


def test_windows_are_views_of_the_frames(sequences, y):
    view = sequences[[4, 2, 0]]
    model = SegmentedClassifier(FirstColumn(), window=0.1, hop=0.05).fit(view, y[[4, 2, 0]])
    windows = model.estimator_.X_
    assert windows.values is sequences.values
    assert windows.layout is sequences.layout
    np.testing.assert_array_equal(windows[0], sequences[4][:10])
    assert windows.lengths.tolist() == [10] * (4 + 7 + 2)


def test_windows_of_memory_mapped_frames_stay_mapped(sequences, y, tmp_path):
    sequences.save(tmp_path / "block")
    mapped = Sequences.open(tmp_path / "block", mmap_mode="r")
    windows = SegmentedClassifier(FirstColumn(), 0.1, 0.05).fit(mapped, y).estimator_.X_
    assert isinstance(windows.values, np.memmap)
    assert len(pickle.dumps(windows)) < 3000


def test_labels_and_groups_are_repeated_for_each_window(sequences, y):
    model = SegmentedClassifier(FirstColumn(), window=0.1, hop=0.1)
    counts = [2, 1, 4, 1, 3, 2]
    model.fit(sequences, y, groups=np.arange(6) // 2)
    assert model.estimator_.y_.tolist() == np.repeat(y, counts).tolist()
    assert model.estimator_.groups_.tolist() == np.repeat(np.arange(6) // 2, counts).tolist()


def test_without_groups_each_utterance_is_its_own_group(sequences, y):
    fitted = SegmentedClassifier(FirstColumn(), window=0.1, hop=0.1).fit(sequences, y).estimator_
    assert fitted.groups_.tolist() == np.repeat(np.arange(6), [2, 1, 4, 1, 3, 2]).tolist()


def test_groups_reach_the_last_step_of_a_pipeline(sequences, y):
    inner = make_pipeline(SequenceScaler(), make_pipeline(SequenceScaler(), FirstColumn()))
    model = SegmentedClassifier(inner, window=10, hop=10).fit(sequences, y, groups=y)
    assert model.estimator_[-1][-1].groups_.tolist() == y.tolist()


def test_groups_are_checked_but_not_passed_to_an_estimator_without_groups(y):
    X = np.random.RandomState(0).randn(6, 4)
    SegmentedClassifier(LogisticRegression()).fit(X, y, groups=y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SegmentedClassifier(LogisticRegression()).fit(X, y, groups=y[:5])


def test_routed_groups_reach_the_inner_estimator(sequences, y):
    with sklearn.config_context(enable_metadata_routing=True):
        asks = FirstColumn().set_fit_request(groups=True)
        model = SegmentedClassifier(make_pipeline(SequenceScaler(), asks), window=10, hop=10)
        assert model.fit(sequences, y, groups=y).estimator_[-1].groups_.tolist() == y.tolist()
        assert model.fit(sequences, y).estimator_[-1].groups_.tolist() == list(range(6))
        outer = make_pipeline(SequenceScaler(), model).fit(sequences, y, groups=y)
        assert outer[-1].estimator_[-1].groups_.tolist() == y.tolist()
        silent = SegmentedClassifier(FirstColumn(), window=10, hop=10).fit(sequences, y)
        assert silent.estimator_.groups_ is None
        with pytest.raises(ValueError, match="groups.*not explicitly set as requested or not"):
            silent.fit(sequences, y, groups=y)
    assert not hasattr(model, "set_fit_request")


def test_early_stopping_keeps_all_windows_of_an_utterance_on_one_side(mels, corpus, monkeypatch):
    parts = []
    split = AttentionFCNClassifier._split

    def spy(self, *args):
        parts.extend(split(self, *args))
        return parts[-2:]

    monkeypatch.setattr(AttentionFCNClassifier, "_split", spy)
    with pytest.warns(UserWarning, match="pass the speakers to fit of SegmentedClassifier"):
        SegmentedClassifier(network(early_stopping=True), 0.5, 0.25).fit(mels, corpus.target)
    ends = np.cumsum(mels.lengths)
    train, valid = (
        set(np.searchsorted(ends, p.sequences.starts, side="right").tolist()) for p in parts
    )
    assert train | valid == set(range(40))
    assert not train & valid


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("mean", [0.6, 0.4]),
        ("geometric", np.array([0.3, 0.1]) / 0.4),
        ("max", np.array([0.9, 0.5]) / 1.4),
    ],
)
def test_pooling_computes_the_named_mean_or_maximum(pooling, expected):
    # Three windows of one frame each. The geometric means are cube roots of 0.027 and 0.001.
    proba = {
        "mean": [[0.9, 0.1], [0.5, 0.5], [0.4, 0.6]],
        "geometric": [[0.9, 0.1], [0.3, 0.1], [0.1, 0.1]],
        "max": [[0.9, 0.1], [0.5, 0.5], [0.6, 0.4]],
    }[pooling]
    X = [np.array(proba), np.array([[0.25, 0.75]])]
    model = SegmentedClassifier(FirstColumn(), window=1, hop=1, pooling=pooling).fit(X, ["a", "b"])
    np.testing.assert_allclose(model.predict_proba(X), [expected, [0.25, 0.75]], rtol=1e-6)
    assert model.predict(X).tolist() == ["a", "b"]


def test_geometric_pooling_of_zero_probabilities_is_finite():
    X = [np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])]
    model = SegmentedClassifier(FirstColumn(), 1, 1, pooling="geometric").fit(X * 2, ["a", "b"])
    np.testing.assert_allclose(model.predict_proba(X), [[0, 1]], atol=1e-12)


def test_window_proba_returns_seconds_and_probabilities(mels, corpus):
    model = SegmentedClassifier(network(), window=0.5, hop=0.2).fit(mels, corpus.target)
    table = model.window_proba(mels[3:6])
    assert list(table) == ["utterance", "start", "end", *model.classes_]
    assert table["start"][:3].tolist() == [0.0, 0.2, 0.4]
    assert table["end"][:3].tolist() == [0.5, 0.7, 0.9]
    last = table.groupby("utterance")["end"].last()
    np.testing.assert_allclose(last, mels[3:6].lengths * 0.01)
    pooled = table.groupby("utterance")[list(model.classes_)].mean()
    np.testing.assert_allclose(pooled, model.predict_proba(mels[3:6]), atol=1e-12)


def test_window_proba_adds_the_offset_of_the_frames():
    layout = Layout(("a", "b"), hop=0.1, offset=0.05)
    X = Sequences(np.full((4, 2), 0.5, np.float32), [4], layout=layout)
    model = SegmentedClassifier(FirstColumn(), window=0.2, hop=0.2)
    model.fit(X[[0, 0]], ["a", "b"])
    assert model.window_proba(X)[["start", "end"]].to_numpy().tolist() == [
        [0.05, 0.25],
        [0.25, 0.45],
    ]


def test_window_is_in_frames_if_the_input_has_no_hop(sequences, y):
    as_list = SegmentedClassifier(FirstColumn(), window=10, hop=5).fit(sequences.to_list(), y)
    assert (as_list.window_frames_, as_list.hop_frames_) == (10, 5)
    table = as_list.window_proba(sequences.to_list())
    assert table["start"][:2].tolist() == [0, 2]
    in_seconds = SegmentedClassifier(FirstColumn(), window=0.10, hop=0.05).fit(sequences, y)
    assert (in_seconds.window_frames_, in_seconds.hop_frames_) == (10, 5)
    # A list has no hop, so a model fitted with a hop assumes the hop of its training frames.
    np.testing.assert_array_equal(
        in_seconds.predict_proba(sequences.to_list()), in_seconds.predict_proba(sequences)
    )


def test_2d_array_gives_windows_as_2d_array(y):
    X = np.arange(60, dtype=float).reshape(6, 10)
    model = SegmentedClassifier(LogisticRegression(), window=4, hop=3).fit(X, y)
    assert model.n_features_in_ == 10
    assert model.estimator_.n_features_in_ == 4
    assert model.window_proba(X)["start"][:3].tolist() == [0, 3, 6]


def test_inner_network_and_pipeline_work_in_cross_validation(mels, corpus):
    model = SegmentedClassifier(make_pipeline(SequenceScaler(), network()), window=0.5, hop=0.5)
    for estimator in (model, make_pipeline(SequenceScaler(), model)):
        proba = cross_val_predict(
            estimator, mels, corpus.target, groups=corpus.speakers, cv=GroupKFold(2),
            method="predict_proba",
        )  # fmt: skip
        assert proba.shape == (40, 5)
        np.testing.assert_allclose(proba.sum(axis=1), 1)
    model.fit(mels, corpus.target)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(mels), model.predict_proba(mels))
    np.testing.assert_allclose(
        model.predict_proba(mels[[7]]), model.predict_proba(mels)[[7]], atol=1e-5
    )


def test_grid_search_over_window_and_inner_parameters(mels, corpus):
    search = GridSearchCV(
        SegmentedClassifier(pickle.loads(pickle.dumps(network()))),
        {"window": [0.4, 5.0], "estimator__max_epochs": [1, 2]},
        cv=GroupKFold(2),
        scoring="balanced_accuracy",
    ).fit(mels, corpus.target, groups=corpus.speakers)
    scores = search.cv_results_["mean_test_score"]
    assert ((scores > 0) & (scores <= 1)).all()
    best = search.best_estimator_
    assert best.window_frames_ == round(search.best_params_["window"] / 0.01)
    assert best.estimator_.n_iter_ == search.best_params_["estimator__max_epochs"]


def test_window_longer_than_all_utterances_changes_nothing(mels, corpus):
    plain = network().fit(mels, corpus.target)
    model = SegmentedClassifier(network(), window=60).fit(mels, corpus.target)
    np.testing.assert_allclose(model.predict_proba(mels), plain.predict_proba(mels), atol=1e-12)


def test_bad_input_raises(sequences, y):
    model = SegmentedClassifier(FirstColumn(), window=0.1, hop=0.05)
    with pytest.raises(ValueError, match="'estimator' parameter.*'predict_proba'.*SVC"):
        SegmentedClassifier(SVC()).fit(sequences, y)
    with pytest.raises(ValueError, match=r"window=0\.004 s is less than one frame"):
        clone(model).set_params(window=0.004).fit(sequences, y)
    with pytest.raises(ValueError, match=r"hop=0\.2 frames is less than one frame"):
        clone(model).set_params(window=1, hop=0.2).fit(sequences.to_list(), y)
    with pytest.raises(ValueError, match="'pooling' parameter"):
        clone(model).set_params(pooling="median").fit(sequences, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clone(model).fit(sequences, y[:5])
    with pytest.raises(ValueError, match="contains NaN.*utterance 1"):
        clone(model).fit([np.ones((4, 2)), np.full((4, 2), np.nan)], ["a", "b"])
    with pytest.raises(TypeError, match="takes frame sequences, not audio"):
        clone(model).fit(["a.wav", "b.wav"], ["a", "b"])
    model.fit(sequences, y)
    rare = Layout(sequences.layout.feature_names, hop=0.02)
    other = Sequences(sequences.values, sequences.lengths, layout=rare)
    with pytest.raises(ValueError, match=r"fitted on frames 0\.01 s apart, but X.*0\.02 s apart"):
        model.predict(other)
    with pytest.raises(ValueError, match="fitted on frame sequences and is now given a 2-D"):
        model.predict(np.ones((2, 8)))
    with pytest.raises(ValueError, match="X has 3 features"):
        model.predict([np.ones((5, 3))])


def test_a_split_of_windows_of_one_utterance_is_warned_of(sequences, y):
    bagged = BaggingClassifier(GridSearchCV(SVC(), {"C": [1]}, cv=2), 2, random_state=0)
    inner = make_pipeline(Functionals(statistics=("moments",)), bagged)
    with pytest.warns(UserWarning, match=r"GridSearchCV splits.*Put SegmentedClassifier into"):
        SegmentedClassifier(inner, window=0.1, hop=0.05).fit(sequences, y)
