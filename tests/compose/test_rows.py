"""Rows keep their identity: each row of the output belongs to the same row of X.

Tests every transformer of the package, alone and inside scikit-learn's tools that concatenate
columns, on tables whose index is shuffled or has gaps. Expected values are computed row by row.
"""

import functools
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.audio import Waveform
from skser.compose import AugmentedClassifier, SegmentedClassifier
from skser.feature_extraction import Functionals, MelSpectrogram
from skser.neural_network import NeuralEstimator
from skser.preprocessing import SequenceScaler, SpeakerScaler, VoiceActivityTrimmer
from skser.sequences import Sequences
from tests.support.estimators import ALL, TEXTS, add_noise, by_name, instance

# A vote takes what its members take, and its `transform` is scikit-learn's.
TRANSFORMERS = [
    cls for cls in ALL if hasattr(cls, "transform") and not issubclass(cls, VotingClassifier)
]
WORDS = ("i am so happy", "sad today", "so", "am i happy today")


def table(n=8):
    """Return a table of utterances of different lengths, each by its own speaker, in order."""
    random = np.random.RandomState(0)
    audio = np.empty(n, dtype=object)
    for i in range(n):
        audio[i] = Waveform((random.randn(4000 + 700 * i) / 5).astype(np.float32), 16000)
    frame = pd.DataFrame({"audio": audio})
    frame["speaker"] = [f"speaker {i}" for i in range(n)]
    frame["transcript"] = [WORDS[i % 4] for i in range(n)]
    frame["number"] = np.arange(n, dtype=float)
    return frame


def shuffled():
    return table().sample(frac=1, random_state=1)


def with_gaps():
    return table().iloc[[0, 3, 4, 7]]


def of_strings():
    return shuffled().set_index(pd.Index(list("hgfedcba"), name="name"))


def of_utterances():
    frame = with_gaps()
    start = pd.to_timedelta(np.arange(len(frame)), unit="s")
    return frame.set_index(pd.MultiIndex.from_arrays([list("baab"), start]))


pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
TABLES = [shuffled, with_gaps, of_strings, of_utterances]
TABLE = [column for column in table() if column != "number"]


def ready(cls):
    """Return the unfitted steps from the table to the output of `cls`."""
    step = instance(cls)
    if isinstance(step, NeuralEstimator):
        step.set_params(max_epochs=1, random_state=0)
    if cls in (Functionals, SequenceScaler) or isinstance(step, NeuralEstimator):
        return make_pipeline(MelSpectrogram(n_mels=4, deltas=0), step)
    return step


def vectors_of(cls):
    """Return the unfitted steps from the table to one vector per utterance."""
    steps, gives = ready(cls), outputs(cls)
    if gives is Sequences:
        return make_pipeline(steps, Functionals(statistics=("moments",)))
    if gives is object:  # arrays of trimmed audio, which have no sampling rate of their own
        return make_pipeline(
            steps, Functionals(MelSpectrogram(n_mels=4, input_sampling_rate=16000))
        )
    return steps


@functools.cache
def fitted(cls):
    """Return the steps of `vectors_of`, fitted on all rows in order."""
    return vectors_of(cls).fit(table(), labels(table()))


@functools.cache
def outputs(cls):
    given = ready(cls).fit(table(), labels(table())).transform(table())
    return Sequences if isinstance(given, Sequences) else object if given.dtype == object else float


def labels(frame):
    return frame["number"].to_numpy().astype(int) % 2


@functools.cache
def row_by_row(cls):
    """Return the vectors of all rows of the table, each computed alone."""
    return np.concatenate([fitted(cls).transform(table().iloc[[i]]) for i in range(len(table()))])


def expected(cls, frame):
    return row_by_row(cls)[frame["number"].to_numpy().astype(int)]


def assert_rows(given, cls, frame):
    assert list(given.index) == list(frame.index)
    np.testing.assert_allclose(given, expected(cls, frame), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", TABLES, ids=by_name)
@pytest.mark.parametrize("cls", TRANSFORMERS, ids=by_name)
def test_pandas_output_has_the_index_of_x(cls, make):
    frame = make()
    model = pickle.loads(pickle.dumps(fitted(cls)))
    assert_rows(model.set_output(transform="pandas").transform(frame), cls, frame)
    model = clone(model).fit(table(), labels(table()))
    assert_rows(model.transform(frame), cls, frame)
    with config_context(transform_output="pandas"):
        assert_rows(fitted(cls).transform(frame), cls, frame)


@pytest.mark.parametrize("cls", TRANSFORMERS, ids=by_name)
def test_frames_have_the_index_of_x(cls):
    frame = shuffled()
    if outputs(cls) is not Sequences:
        pytest.skip("gives no frames")
    steps = ready(cls).fit(table())
    for way in (steps, steps.set_output(transform="pandas")):
        X = way.transform(frame)
        assert list(X.index) == list(frame.index)
        for frames, (_, row) in zip(X, frame.iterrows(), strict=True):
            alone = steps.transform(table().iloc[[int(row["number"])]])
            np.testing.assert_allclose(frames, alone[0], atol=1e-4)


@pytest.mark.parametrize("cls", TRANSFORMERS, ids=by_name)
def test_polars_input_and_output_keep_the_order_of_rows(cls):
    polars = pytest.importorskip("polars")
    frame = shuffled()
    model = pickle.loads(pickle.dumps(fitted(cls))).set_output(transform="polars")
    given = model.transform(frame)
    assert isinstance(given, polars.DataFrame)
    assert given.columns == list(model.get_feature_names_out())
    np.testing.assert_allclose(given.to_numpy(), expected(cls, frame), rtol=1e-4, atol=1e-4)
    as_polars = polars.DataFrame(
        {name: polars.Series(list(frame[name]), dtype=None if name != "audio" else polars.Object)
         for name in frame}
    )  # fmt: skip
    given = model.set_output(transform="default").transform(as_polars)
    np.testing.assert_allclose(given, expected(cls, frame), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cls", TRANSFORMERS, ids=by_name)
@pytest.mark.parametrize(
    ("container", "make"),
    [("default", shuffled), ("pandas", with_gaps), ("polars", shuffled)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_column_transformer_and_feature_union_keep_rows_together(cls, make, container):
    if container == "polars":
        pytest.importorskip("polars")
    frame = make()
    columns = ColumnTransformer(
        [("audio", vectors_of(cls), TABLE), ("number", "passthrough", ["number"])]
    )
    union = FeatureUnion([("one", vectors_of(cls)), ("other", vectors_of(cls))])
    for model in (columns, union):
        model.set_output(transform=container).fit(table(), labels(table()))
        given = model.transform(frame)
        assert given.shape[0] == len(frame)
        if container == "pandas":
            assert list(given.index) == list(frame.index)
        given, width = np.asarray(given, float), row_by_row(cls).shape[1]
        np.testing.assert_allclose(given[:, :width], expected(cls, frame), rtol=1e-4, atol=1e-4)
        rest = frame[["number"]] if model is columns else expected(cls, frame)
        np.testing.assert_allclose(given[:, width:], rest, rtol=1e-4, atol=1e-4)


class Remember(ClassifierMixin, BaseEstimator):
    """Classifier that checks each row's vector and predicts the row's number, the last column."""

    def __init__(self, vectors):
        self.vectors = vectors

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        X = np.asarray(X, float)
        numbers = X[:, -1].astype(int)
        np.testing.assert_allclose(X[:, :-1], self.vectors[numbers], rtol=1e-4, atol=1e-4)
        return numbers


@pytest.mark.parametrize("make", [shuffled, with_gaps], ids=by_name)
@pytest.mark.parametrize("cls", TRANSFORMERS, ids=by_name)
def test_cross_validation_predicts_the_given_rows(cls, make):
    frame = make()
    audio = FrozenEstimator(fitted(cls))  # refitting on other rows would change the vectors
    columns = ColumnTransformer([("audio", audio, TABLE), ("number", "passthrough", ["number"])])
    with config_context(transform_output="pandas"):
        model = make_pipeline(columns, Remember(row_by_row(cls)))
        predicted = cross_val_predict(model, frame, labels(frame), cv=KFold(2))
    np.testing.assert_array_equal(predicted, frame["number"])


def test_indexing_keeps_row_labels_with_their_frames():
    frame = of_strings()
    X = MelSpectrogram(n_mels=4, deltas=0).transform(frame)
    for key, expected in (
        (slice(1, 4), "gfe"),
        ([2, 0], "fh"),
        (np.arange(8) > 5, "ba"),
        ((np.array([5, 1]), Ellipsis), "cg"),
        ([], ""),
    ):
        assert list(X[key].index) == list(expected)
    assert list(X[[4, 1]].compact().index) == list(frame.index[[4, 1]])


def test_input_without_index_gives_frames_without_index():
    audio = list(table()["audio"])
    mel = MelSpectrogram(n_mels=4, deltas=0)
    for X in (audio, table()["audio"].to_numpy()):
        assert mel.transform(X).index is None
        assert mel.transform(X)[2:4].index is None
    named = Functionals().set_output(transform="pandas").fit_transform(mel.transform(audio))
    assert list(named.index) == list(range(8))


@pytest.mark.parametrize("make", TABLES, ids=by_name)
def test_index_survives_pickle_joblib_disk_and_frame_operations(make, tmp_path):
    frame = make()
    X = MelSpectrogram(n_mels=4, deltas=0).transform(frame)
    X.save(tmp_path / "saved")
    joblib.dump(X[1:], tmp_path / "dumped")
    mapped = Sequences.open(tmp_path / "saved", mmap_mode="r")
    assert joblib.load(tmp_path / "dumped").index.equals(frame.index[1:])
    negative = mapped.map_values(np.negative)
    forms = (
        pickle.loads(pickle.dumps(X)),
        Sequences.open(tmp_path / "saved"),
        mapped,
        pickle.loads(pickle.dumps(mapped)),
        X.map_values(np.negative),
        negative,
        pickle.loads(pickle.dumps(negative)),
        SequenceScaler().fit_transform(X),
        SequenceScaler().fit_transform(mapped),
    )
    for form in forms:
        assert form.index.equals(frame.index)
        assert form.index.names == frame.index.names
        assert form[1:3].index.equals(frame.index[1:3])
    assert joblib.hash(X[[2, 1]]) == joblib.hash(X[[2, 1]].compact())
    assert joblib.hash(X) != joblib.hash(Sequences(X.values, X.lengths, layout=X.layout))


def test_features_written_to_disk_have_the_index_of_the_last_call(tmp_path):
    mel = MelSpectrogram(n_mels=4, deltas=0)
    frame = of_strings()
    assert list(mel.transform_to(frame, tmp_path / "a").index) == list(frame.index)
    assert list(Sequences.open(tmp_path / "a").index) == list(frame.index)
    other = frame.set_index(np.arange(8) + 100)
    assert list(mel.transform_to(other, tmp_path / "a").index) == list(other.index)
    assert mel.transform_to(list(frame["audio"]), tmp_path / "a").index is None
    cached = clone(mel).set_params(memory=tmp_path / "cache")
    for part in (frame, other.iloc[::-1], frame):
        assert list(cached.transform(part).index) == list(part.index)


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(3, 9, 3, name="row"),
        pd.Index([7, 5], name="row"),
        pd.Index([0.5, np.nan]),
        pd.Index([True, False]),
        pd.Index(["a", "b"]),
        pd.Index(["a", None]),
        pd.DatetimeIndex(["2026-01-02 03:04", None]),
        pd.DatetimeIndex(["2026-01-02 03:04", "2026-07-02 03:04"], tz="Europe/Berlin"),
        pd.TimedeltaIndex(["1s", "2.5s"]),
        pd.MultiIndex.from_arrays(
            [["a", "b"], pd.to_timedelta([0, 1.5], unit="s"), [1, 2]], names=["file", "start", None]
        ),
    ],
    ids=str,
)
def test_every_kind_of_index_is_restored_from_disk(index, tmp_path):
    X = Sequences.from_list([np.ones((2, 1)), np.ones((3, 1))], index=index)
    X.save(tmp_path / "saved")
    found = Sequences.open(tmp_path / "saved").index
    pd.testing.assert_index_equal(found, index)
    assert not any(path.suffix == ".pkl" for path in (tmp_path / "saved").iterdir())


@pytest.mark.parametrize(
    "index",
    [pd.CategoricalIndex(["a", "b"]), pd.Index([1, "a"]), pd.period_range("2026", periods=2)],
)
def test_unsupported_index_raises_before_anything_is_written(index, tmp_path):
    X = Sequences.from_list([np.ones((2, 1)), np.ones((3, 1))], index=index)
    with pytest.raises(TypeError, match="only numbers, strings and times.*reset_index"):
        X.save(tmp_path / "saved")
    with pytest.raises(TypeError, match="only numbers, strings and times"):
        MelSpectrogram().transform_to(table().iloc[:2].set_index(index), tmp_path / "saved")
    assert not list(tmp_path.iterdir())


def test_missing_index_file_is_accepted_and_a_damaged_one_raises(tmp_path):
    X = Sequences.from_list([np.ones((2, 1)), np.ones((3, 1))], index=pd.Index(["a", "b"]))
    X.save(tmp_path / "saved")
    described = (tmp_path / "saved/index.json").read_text()
    for damaged in (described.replace(', "b"', ""), described[:-3], "[]", '{"labels": [1, 2]}'):
        (tmp_path / "saved/index.json").write_text(damaged)
        with pytest.raises(ValueError, match="is not a complete Sequences"):
            Sequences.open(tmp_path / "saved")
    (tmp_path / "saved/index.json").unlink()
    assert Sequences.open(tmp_path / "saved").index is None


def test_index_of_wrong_length_raises():
    with pytest.raises(ValueError, match="index holds 1 label for 2 utterances"):
        Sequences.from_list([np.ones((2, 1)), np.ones((3, 1))], index=pd.Index(["a"]))


def test_windows_have_the_index_of_their_utterance():
    class Seen(Remember):
        def fit(self, X, y):
            self.index_ = X.index
            return super().fit(X, y)

        def predict_proba(self, X):
            return np.tile([0.5, 0.5], (len(X), 1))

    frame = shuffled()
    X = MelSpectrogram(n_mels=4, deltas=0).transform(frame)
    model = SegmentedClassifier(Seen(None), window=0.2, hop=0.1).fit(X, labels(frame))
    windows = model.window_proba(X)["utterance"]
    assert list(model.estimator_.index_) == list(frame.index[windows])


def test_speaker_scaler_keeps_rows_of_vectors():
    frame = shuffled().assign(speaker=lambda x: x["number"].astype(int) % 2)
    scaler = SpeakerScaler(Functionals(MelSpectrogram(n_mels=4), ("moments",)))
    expected = pd.DataFrame(scaler.fit_transform(frame.sort_index()), np.arange(8))
    given = scaler.set_output(transform="pandas").fit_transform(frame)
    assert list(given.index) == list(frame.index)
    np.testing.assert_allclose(given, expected.loc[frame.index], atol=1e-5)
    polars = pytest.importorskip("polars")
    given = scaler.set_output(transform="polars").fit_transform(frame)
    assert isinstance(given, polars.DataFrame)
    assert given.columns == list(scaler.get_feature_names_out())
    np.testing.assert_allclose(given.to_numpy(), expected.loc[frame.index], atol=1e-5)


def test_sequence_scaler_returns_a_table_for_a_table():
    X = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [0.0, 1.0, 2.0]}, index=[5, 3, 9])
    scaled = SequenceScaler().set_output(transform="pandas").fit_transform(X)
    assert list(scaled.index) == [5, 3, 9]
    assert list(scaled.columns) == ["a", "b"]
    np.testing.assert_allclose(scaled, SequenceScaler().fit_transform(X))


def test_trimmer_returns_a_table_of_audio():
    frame = of_strings()
    trimmer = VoiceActivityTrimmer()
    plain = trimmer.transform(frame)
    given = trimmer.set_output(transform="pandas").transform(frame)
    assert list(given.columns) == ["audio"]
    assert list(given.index) == list(frame.index)
    for one, other in zip(given["audio"], plain, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cls", TRANSFORMERS, ids=by_name)
def test_array_with_one_object_column_is_accepted(cls):
    if cls is SpeakerScaler:
        pytest.skip("takes tables")
    column = "transcript" if cls in TEXTS else "audio"
    given = fitted(cls).transform(table()[[column]].to_numpy())
    np.testing.assert_allclose(given, row_by_row(cls), rtol=1e-4, atol=1e-4)
    columns = ColumnTransformer([("one", FrozenEstimator(fitted(cls)), [column])])
    given = columns.fit_transform(shuffled())
    np.testing.assert_allclose(given, expected(cls, shuffled()), rtol=1e-4, atol=1e-4)


def test_augmentation_keeps_other_columns_of_a_polars_table():
    polars = pytest.importorskip("polars")
    frame = table()
    columns = ColumnTransformer(
        [
            ("audio", Functionals(MelSpectrogram(n_mels=4), ("moments",)), "audio"),
            ("number", "passthrough", ["number"]),
        ]
    )
    model = AugmentedClassifier(
        make_pipeline(columns, StandardScaler(), LogisticRegression()), add_noise, random_state=0
    )
    expected = model.fit(frame, labels(frame)).predict_proba(frame)
    audio = polars.Series("audio", list(frame["audio"]), dtype=polars.Object)
    as_polars = polars.DataFrame([audio, polars.Series("number", frame["number"].to_numpy())])
    given = clone(model).fit(as_polars, labels(frame)).predict_proba(as_polars)
    np.testing.assert_allclose(given, expected, atol=1e-6)
