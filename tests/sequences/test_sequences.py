"""Container of frame sequences: indexing, scikit-learn, disk and pickle."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn import model_selection
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split

from skser.sequences import Layout, Sequences, as_sequences


class NearestMean(ClassifierMixin, BaseEstimator):
    """Fast classifier of sequences: nearest class mean of the mean frames."""

    def __init__(self, power=1.0):
        self.power = power

    def _vectors(self, X):
        assert isinstance(X, Sequences)
        return (
            np.sign(X.reduce(np.add)) * np.abs(X.reduce(np.add) / X.lengths[:, None]) ** self.power
        )

    def fit(self, X, y):
        vectors = self._vectors(X)
        self.classes_ = np.unique(y)
        self.means_ = np.stack([vectors[y == c].mean(axis=0) for c in self.classes_])
        return self

    def predict_proba(self, X):
        distance = np.square(self._vectors(X)[:, None] - self.means_).sum(axis=2)
        weight = np.exp(-distance)
        return weight / weight.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.fixture
def labeled():
    random = np.random.RandomState(0)
    y = np.arange(40) % 2
    X = Sequences.from_list([random.randn(random.randint(3, 9), 2) + 2 * label for label in y])
    return X, y, np.arange(40) // 5


def test_indexing_gives_views_over_the_same_block(sequences):
    for key in (slice(1, 4), [2, 0], np.array([True, False] * 3), (np.array([1]), Ellipsis), []):
        part = sequences[key]
        assert isinstance(part, Sequences)
        assert part.values is sequences.values
        assert part.layout is sequences.layout
    assert [len(frames) for frames in sequences[[2, 0]]] == [40, 12]
    assert sequences[1].base is not None
    np.testing.assert_array_equal(sequences[-1], sequences.to_list()[5])
    with pytest.raises(IndexError, match="one dimension"):
        sequences[0, 1]
    with pytest.raises(IndexError):
        sequences[6]


def test_compact_copies_only_the_frames_of_a_view(sequences):
    part = sequences[[4, 1]].compact()
    assert part.values.shape == (28, 8)
    assert not np.shares_memory(part.values, sequences.values)
    np.testing.assert_array_equal(part[0], sequences[4])
    assert not np.shares_memory(sequences.compact().values, sequences.values)


def test_map_values_and_reduce_use_only_the_view(sequences):
    view = sequences[[4, 1, 4]]
    doubled = view.map_values(lambda v: 2 * v)
    np.testing.assert_array_equal(doubled[0], 2 * sequences[4])
    assert doubled.layout == sequences.layout
    for ufunc in (np.add, np.maximum):
        expected = [ufunc.reduce(frames, axis=0) for frames in view]
        np.testing.assert_allclose(view.reduce(ufunc), expected, rtol=1e-5)
    assert view.map_values(lambda v: v[:, :3]).layout.feature_names == ("x0", "x1", "x2")


def test_reduce_of_empty_utterances_needs_an_identity():
    X = Sequences.from_list([np.ones((2, 1)), np.ones((0, 1)), np.ones((3, 1)), np.ones((0, 1))])
    np.testing.assert_array_equal(X.reduce(np.add)[:, 0], [2, 0, 3, 0])
    with pytest.raises(ValueError, match="Utterance 1 has 0 frames"):
        X.reduce(np.maximum)


def test_to_padded_fills_where_the_mask_is_false(sequences):
    padded, mask = sequences[[1, 3]].to_padded(fill=-1)
    assert padded.shape == (2, 7, 8)
    assert mask.sum(axis=1).tolist() == [3, 7]
    np.testing.assert_array_equal(padded[0, :3], sequences[1])
    assert (padded[~mask] == -1).all()


def test_nothing_writes_into_the_block(sequences):
    before = sequences.values.copy()
    sequences.values.flags.writeable = False
    sequences.compact(), sequences.to_padded(), sequences.reduce(np.add)
    sequences.map_values(np.negative)
    np.testing.assert_array_equal(sequences.values, before)


def test_a_pickle_holds_only_the_frames_of_a_view(sequences):
    random = np.random.RandomState(0)
    X = Sequences.from_list([random.randn(1000, 8) for _ in range(50)], sequences.layout)
    part = pickle.loads(pickle.dumps(X[3:5]))
    assert len(pickle.dumps(X[3:5])) < 0.1 * len(pickle.dumps(X))
    assert part.layout == X.layout
    np.testing.assert_array_equal(part[1], X[4])


def test_hash_depends_only_on_the_frames_of_a_view(sequences):
    copy = sequences[[2, 3]].compact()
    assert joblib.hash(sequences[[2, 3]]) == joblib.hash(copy)
    assert joblib.hash(sequences[[3, 2]]) != joblib.hash(copy)


def test_joblib_memory_finds_equal_sequences(sequences, tmp_path):
    calls = []

    def total(X):
        calls.append(len(X))
        return X.values.sum()

    cached = joblib.Memory(tmp_path, verbose=0).cache(total)
    assert cached(sequences[:2]) == cached(sequences[:2].compact())
    assert calls == [2]


@pytest.mark.parametrize(
    "splitter",
    [
        model_selection.KFold(4),
        model_selection.GroupKFold(4),
        model_selection.StratifiedKFold(4),
        model_selection.StratifiedGroupKFold(4),
        model_selection.LeaveOneGroupOut(),
        model_selection.LeavePGroupsOut(2),
        model_selection.RepeatedKFold(n_splits=3, n_repeats=2),
        model_selection.RepeatedStratifiedKFold(n_splits=3, n_repeats=2),
        model_selection.ShuffleSplit(3),
        model_selection.GroupShuffleSplit(3),
        model_selection.StratifiedShuffleSplit(3),
        model_selection.TimeSeriesSplit(4),
        model_selection.LeaveOneOut(),
        model_selection.PredefinedSplit(np.arange(40) % 5),
    ],
    ids=lambda splitter: type(splitter).__name__,
)
def test_every_splitter_cross_validates(labeled, splitter):
    X, y, groups = labeled
    groups = groups if "Group" in type(splitter).__name__ else None
    scores = cross_val_score(NearestMean(), X, y, groups=groups, cv=splitter)
    assert scores.mean() > 0.8


def test_leave_p_out_yields_all_splits():
    X = Sequences.from_list([np.ones((2, 1))] * 4)
    assert len(list(model_selection.LeavePOut(2).split(X))) == 6


def test_train_test_split_keeps_frames_with_labels(labeled):
    X, y, _ = labeled
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    assert len(X_train) == 30
    assert len(X_test) == 10
    assert NearestMean().fit(X_train, y_train).score(X_test, y_test) > 0.8


def test_grid_search_in_two_processes_scores_like_in_one(labeled):
    X, y, _ = labeled
    search = GridSearchCV(NearestMean(), {"power": [0.5, 1.0]}, cv=3, n_jobs=2).fit(X, y)
    alone = GridSearchCV(NearestMean(), {"power": [0.5, 1.0]}, cv=3).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )


def test_voting_accepts_sequences(labeled):
    X, y, _ = labeled
    voting = VotingClassifier([("a", NearestMean()), ("b", NearestMean(0.5))], voting="soft")
    assert voting.fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_saved_sequences_open_as_they_were(sequences, tmp_path, mmap_mode):
    view = sequences[[4, 1]]
    view.save(tmp_path / "block")
    opened = Sequences.open(tmp_path / "block", mmap_mode)
    assert opened.layout == sequences.layout
    assert isinstance(opened.values, np.memmap) == (mmap_mode == "r")
    np.testing.assert_array_equal(opened[0], sequences[4])
    with pytest.raises(FileExistsError):
        view.save(tmp_path / "block")
    with pytest.raises(FileNotFoundError, match="not a saved Sequences"):
        Sequences.open(tmp_path)


def test_a_failed_save_leaves_no_files(sequences, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        sequences.save(tmp_path / "block")
    assert list(tmp_path.iterdir()) == []


def test_a_mapped_block_is_pickled_by_name(labeled, tmp_path):
    X, y, _ = labeled
    X.save(tmp_path / "block")
    mapped = Sequences.open(tmp_path / "block", "r")
    assert len(pickle.dumps(mapped)) < 3000
    part = pickle.loads(pickle.dumps(mapped[5:7]))
    assert isinstance(part.values, np.memmap)
    np.testing.assert_array_equal(part[0], X[5])
    scores = cross_val_score(NearestMean(), mapped, y, cv=3, n_jobs=2)
    np.testing.assert_array_equal(scores, cross_val_score(NearestMean(), X, y, cv=3))


def test_a_mapped_block_that_changed_is_rejected(labeled, tmp_path):
    X, _, _ = labeled
    X.save(tmp_path / "block")
    pickled = pickle.dumps(Sequences.open(tmp_path / "block", "r"))
    np.save(tmp_path / "block/values.npy", X.values[:10])
    with pytest.raises(ValueError, match="lengths.npy counts 209 frames, but values.npy holds 10"):
        pickle.loads(pickled)


def test_conversion_to_an_array_is_rejected_with_the_remedy(sequences):
    with pytest.raises(TypeError, match="pool the frames first"):
        np.asarray(sequences)


def test_arrays_and_lists_are_converted_to_sequences():
    assert as_sequences(np.zeros((4, 7))).shape == (4,)
    assert as_sequences(np.zeros((4, 7))).n_columns == 1
    assert as_sequences(np.zeros((4, 7, 3)))[0].shape == (7, 3)
    assert as_sequences([np.zeros((2, 3)), np.zeros((5, 3))]).lengths.tolist() == [2, 5]
    with pytest.raises(ValueError, match="Utterance 1 has 4 columns, but utterance 0 has 3"):
        as_sequences([np.zeros((2, 3)), np.zeros((5, 4))])
    with pytest.raises(ValueError, match="2-D or 3-D"):
        as_sequences(np.zeros(3))


def test_layouts_that_do_not_fit_are_rejected(sequences):
    with pytest.raises(ValueError, match="names 1 column, but the block has 8"):
        Sequences(sequences.values, sequences.lengths, layout=Layout.unnamed(1))
    with pytest.raises(ValueError, match="2 columns cannot be divided into 3 channels"):
        Layout(("a", "b"), n_channels=3)
    with pytest.raises(ValueError, match="1 frequencies were given for 2 bands"):
        Layout(("a", "b"), frequencies=(1.0,))
    with pytest.raises(ValueError, match="outside the block"):
        Sequences(sequences.values, [1000])
