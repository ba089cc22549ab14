import pickle
import random

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import soundfile
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_predict,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from skser.audio import AudioReadError
from skser.compose import AugmentedClassifier
from skser.feature_extraction import Functionals, MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SpeakerScaler

RATE = 16000


class Means(TransformerMixin, BaseEstimator):
    """Mean and standard deviation of each column over the frames of an utterance."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.array([np.r_[frames.mean(axis=0), frames.std(axis=0)] for frames in X])

    def __sklearn_is_fitted__(self):
        return True


class Recorder(ClassifierMixin, BaseEstimator):
    """Classifier that stores its input."""

    def fit(self, X, y, groups=None):
        self.X_, self.y_, self.groups_ = X, y, groups
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        self.seen_ = X
        return np.repeat(self.classes_[:1], len(X))


def add_noise(samples, sampling_rate, random_state):
    return samples + 0.01 * random_state.standard_normal(len(samples))


def halve(samples, sampling_rate, random_state):
    samples *= 0.5
    return samples


def features(**kwargs):
    return MelSpectrogram(n_mels=8, deltas=0, normalize=None, **kwargs)


def audiomentations_chain():
    from audiomentations import AddGaussianSNR, Compose, PitchShift

    return Compose([AddGaussianSNR(5, 20, p=1.0), PitchShift(-2, 2, p=0.5)])


@pytest.fixture
def y():
    return np.array(list("aabb"))


@pytest.fixture
def speech(corpus):
    return list(corpus.data[:4])


def augmented(inner=None, augment=add_noise, **kwargs):
    kwargs = {"input_sampling_rate": RATE, "random_state": 0, **kwargs}
    return AugmentedClassifier(Recorder() if inner is None else inner, augment, **kwargs)


def test_fit_receives_utterances_and_copies_with_their_labels(speech, y):
    inner = augmented(n_copies=2).fit(speech, y, groups=y).estimator_
    assert len(inner.X_) == 12
    assert inner.y_.tolist() == inner.groups_.tolist() == list("aabb") * 3
    for i, original in enumerate(speech):
        np.testing.assert_array_equal(inner.X_[i], original)
        for copy in (inner.X_[4 + i], inner.X_[8 + i]):
            assert copy.dtype == np.float32
            assert (copy - original).std() == pytest.approx(0.01, rel=0.1)
        assert np.abs(inner.X_[4 + i] - inner.X_[8 + i]).max() > 0.01


def test_zero_copies_train_on_the_utterances_only(speech, y):
    inner = augmented(n_copies=0).fit(speech, y).estimator_
    assert len(inner.X_) == 4


def test_predict_passes_unaltered_audio(speech, y):
    model = augmented().fit(speech, y)
    assert model.predict(speech).tolist() == ["a"] * 4
    for given, seen in zip(speech, model.estimator_.seen_, strict=True):
        np.testing.assert_array_equal(given, seen)


def test_without_groups_an_utterance_and_its_copies_share_a_group(speech, y):
    inner = augmented(n_copies=2).fit(speech, y).estimator_
    assert inner.groups_.tolist() == [0, 1, 2, 3] * 3


def test_inner_search_keeps_copies_in_the_group_of_their_utterance(corpus, monkeypatch):
    seen = []
    split = GroupKFold.split

    def spy(self, X, y=None, groups=None):
        seen.append(groups)
        return split(self, X, y, groups)

    monkeypatch.setattr(GroupKFold, "split", spy)
    pipeline = make_pipeline(features(), Means(), RandomForestClassifier(random_state=0))
    search = GridSearchCV(pipeline, {"randomforestclassifier__n_estimators": [2]}, cv=GroupKFold(2))
    augmented(search).fit(corpus.data, corpus.target)
    assert seen[0].tolist() == list(range(40)) * 2


def test_routed_groups_reach_the_inner_estimator(speech, y):
    with sklearn.config_context(enable_metadata_routing=True):
        model = augmented(Recorder().set_fit_request(groups=True)).fit(speech, y, groups=y)
        assert model.estimator_.groups_.tolist() == list("aabb") * 2
        assert augmented().fit(speech, y).estimator_.groups_ is None


def test_copies_do_not_depend_on_fold_or_order(speech, y):
    whole = augmented().fit(speech, y).estimator_.X_
    part = augmented().fit([speech[3], speech[1]], ["b", "a"]).estimator_.X_
    np.testing.assert_array_equal(part[2], whole[7])
    np.testing.assert_array_equal(part[3], whole[5])
    other = augmented(random_state=1).fit(speech, y).estimator_.X_
    assert np.abs(other[4] - whole[4]).max() > 0.001


@pytest.mark.parametrize("augment", [add_noise, audiomentations_chain()], ids=["own", "library"])
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_n_jobs_does_not_change_copies(speech, y, augment, backend):
    alone = augmented(augment=augment, n_copies=2).fit(speech, y).estimator_.X_
    with joblib.parallel_config(backend=backend):
        jobs = augmented(augment=augment, n_copies=2, n_jobs=2).fit(speech, y).estimator_.X_
    for a, b in zip(alone, jobs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_augment_may_modify_its_input_in_place(speech, y):
    before = [samples.copy() for samples in speech]
    inner = augmented(augment=halve).fit(speech, y).estimator_
    for given, original, copy in zip(speech, before, inner.X_[4:], strict=True):
        np.testing.assert_array_equal(given, original)
        np.testing.assert_array_equal(copy, original * np.float32(0.5))


def test_global_random_state_is_restored(speech, y):
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    augmented(augment=audiomentations_chain()).fit(speech, y)
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002


def test_given_transform_is_not_modified(speech, y):
    chain = audiomentations_chain()
    before = pickle.dumps(chain)
    augmented(augment=chain).fit(speech, y)
    assert pickle.dumps(chain) == before


def test_a_copy_may_be_longer_or_shorter(speech, y):
    inner = augmented(augment=lambda x, rate, random: np.tile(x, 2)[: -rate // 10])
    lengths = [len(x) for x in inner.fit(speech, y).estimator_.X_]
    assert lengths[4:] == [2 * n - RATE // 10 for n in lengths[:4]]


def test_augment_receives_the_rate_at_which_audio_is_read(wav, speech, y):
    rates = set()

    def remember(samples, sampling_rate, random_state):
        rates.add(sampling_rate)
        return samples

    files = [wav(x, RATE, f"{i}.wav", subtype="FLOAT") for i, x in enumerate(speech)]
    inner = augmented(augment=remember, sampling_rate=8000).fit(files, y).estimator_
    assert rates == {8000}
    assert [len(x) for x in inner.X_[:4]] == pytest.approx([len(x) / 2 for x in speech], abs=1)


@pytest.mark.parametrize("rate", [None, 44100])
def test_first_step_receives_the_rate_of_its_input(wav, speech, y, rate):
    pipeline = make_pipeline(
        "passthrough",
        make_union(make_pipeline(features(input_sampling_rate=rate), Means())),
        LogisticRegression(),
    )
    model = augmented(pipeline, n_copies=0, input_sampling_rate=None)
    files = [wav(x, RATE, f"{i}.wav", subtype="FLOAT") for i, x in enumerate(speech)]
    model.fit(files, y)
    np.testing.assert_array_equal(
        model.predict_proba(files), pipeline.fit(files, y).predict_proba(files)
    )
    inner = model.estimator_.get_params()
    given = [value for name, value in inner.items() if name.endswith("input_sampling_rate")]
    assert given == [RATE]
    assert model.get_params()["estimator"] is pipeline


def test_rate_below_that_of_the_features_raises(speech, y):
    model = augmented(make_pipeline(features(), Means(), LogisticRegression()), sampling_rate=8000)
    with pytest.raises(ValueError, match="MelSpectrogram works at .*16000.* Pass sampling_rate=16"):
        model.fit(speech, y)


def test_a_table_stays_a_table(corpus):
    table = corpus.frame[:12]
    inner = augmented(Recorder()).fit(table, corpus.target[:12]).estimator_
    assert inner.X_["speaker"].tolist() == table["speaker"].tolist() * 2
    np.testing.assert_array_equal(inner.X_["audio"][3], table["audio"][3])
    lengths = [len(x) for x in inner.X_["audio"]]
    assert lengths[12:] == lengths[:12]
    scaler = SpeakerScaler(make_pipeline(features(), Means()))
    model = augmented(make_pipeline(scaler, LogisticRegression()))
    with pytest.warns(UserWarning, match="SpeakerScaler in AugmentedClassifier scales the utter"):
        model.fit(table, corpus.target[:12])
    assert model.predict(table).shape == (12,)
    same_length = pd.DataFrame({"audio": list(np.stack([x[:4000] for x in corpus.data[:4]]))})
    assert len(augmented().fit(same_length, list("aabb")).estimator_.X_) == 8


def test_audiomentations_works_in_cross_validation_and_search(corpus):
    pipeline = make_pipeline(features(), Means(), RandomForestClassifier(5, random_state=0))
    model = augmented(pipeline, augment=audiomentations_chain())
    proba = cross_val_predict(
        model, corpus.data, corpus.target, groups=corpus.speakers, cv=GroupKFold(2),
        method="predict_proba",
    )  # fmt: skip
    assert proba.shape == (40, 5)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    search = GridSearchCV(
        model, {"n_copies": [0, 1]}, cv=GroupKFold(2), scoring="balanced_accuracy", n_jobs=2
    ).fit(corpus.data, corpus.target, groups=corpus.speakers)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(corpus.data), search.predict(corpus.data))


def test_copies_of_test_utterances_are_not_trained_on(corpus):
    trained = []

    class Watch(Recorder):
        def fit(self, X, y, groups=None):
            trained.append({len(x) for x in X})
            return super().fit(X, y)

    # The length identifies an utterance; adding noise does not change it.
    audio = [samples[: 6000 + i] for i, samples in enumerate(corpus.data)]
    cv = GroupKFold(4)
    cross_val_predict(augmented(Watch()), audio, corpus.target, groups=corpus.speakers, cv=cv)
    for lengths, (train, _) in zip(trained, cv.split(audio, groups=corpus.speakers), strict=True):
        assert lengths == {6000 + i for i in train}


def test_features_of_copies_are_cached(corpus, tmp_path):
    def entries():
        return len(list(tmp_path.rglob("*.npy")))

    pipeline = make_pipeline(features(memory=tmp_path), Means(), LogisticRegression(C=1e-3))
    model = augmented(pipeline, n_copies=2)
    model.fit(corpus.data[:20], corpus.target[:20])
    assert entries() == 60
    model.fit(corpus.data[:20], corpus.target[:20]).predict(corpus.data[:20])
    assert entries() == 60
    data, target, speakers = corpus.data, corpus.target, corpus.speakers
    cross_val_predict(model, data, target, groups=speakers, cv=LeaveOneGroupOut())
    assert entries() == 120
    cross_val_predict(model, data, target, groups=speakers, cv=GroupKFold(2))
    assert entries() == 120
    model.set_params(random_state=1).fit(corpus.data[:20], corpus.target[:20])
    assert entries() == 160


@pytest.mark.filterwarnings("ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning")
def test_early_stopping_does_not_train_on_copies_of_validation_utterances(corpus, monkeypatch):
    parts = []
    split = AttentionFCNClassifier._split

    def spy(self, dataset, *args):
        number = {start: i for i, start in enumerate(dataset.sequences.starts)}
        found = split(self, dataset, *args)
        parts.extend({number[start] % 40 for start in part.sequences.starts} for part in found)
        return found

    monkeypatch.setattr(AttentionFCNClassifier, "_split", spy)
    network = AttentionFCNClassifier(
        filters=(4, 8), strides=2, pool_sizes=1, max_epochs=1, early_stopping=True, device="cpu",
        n_threads=1, random_state=0,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="pass the speakers to fit of AugmentedClassifier"):
        augmented(make_pipeline(features(), network)).fit(corpus.data, corpus.target)
    train, valid = parts
    assert train | valid == set(range(40))
    assert not train & valid


def test_methods_are_those_of_the_inner_estimator(corpus):
    def around(classifier):
        return augmented(make_pipeline(features(), Means(), classifier))

    model = around(LinearSVC(C=1e-3)).fit(corpus.data, corpus.target)
    assert not hasattr(model, "predict_proba")
    assert model.decision_function(corpus.data).shape == (40, 5)
    forest = around(RandomForestClassifier(3, random_state=0))
    assert not hasattr(forest, "decision_function")
    assert forest.fit(corpus.data, corpus.target).predict_proba(corpus.data).shape == (40, 5)
    assert forest.classes_.tolist() == corpus.target_names
    assert not hasattr(forest, "n_features_in_")


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (np.empty(0), "no samples"),
        (np.array([0.0, np.nan]), "NaN or infinite"),
        (np.zeros((2, 5)), r"float64 of shape \(2, 5\), not a 1-D array of floats"),
        (np.zeros(5, int), "int64 of shape"),
        (None, "object of shape"),
    ],
)
def test_invalid_result_of_augment_raises_and_names_the_utterance(wav, speech, y, returned, reason):
    def augment(samples, sampling_rate, random_state):
        return returned if len(samples) == len(speech[2]) else samples

    with pytest.raises(ValueError, match=f"augment returned.*{reason}.*for utterance 2"):
        augmented(augment=augment).fit(speech, y)
    files = [wav(x, RATE, f"{i}.wav") for i, x in enumerate(speech)]
    with pytest.raises(ValueError, match=r"for .*2\.wav"):
        augmented(augment=augment).fit(files, y)


def test_failing_augment_raises_and_names_the_utterance(speech, y):
    def augment(samples, sampling_rate, random_state):
        if len(samples) == len(speech[1]):
            raise KeyError("oh")
        return samples

    with pytest.raises(ValueError, match="augment failed on utterance 1: KeyError: 'oh'"):
        augmented(augment=augment).fit(speech, y)


def test_error_names_every_unreadable_file(wav, speech, y, tmp_path):
    files = [wav(speech[0]), str(tmp_path / "no.wav"), wav(speech[1]), str(tmp_path / "nor.wav")]
    with pytest.raises(AudioReadError, match=r"2 of 4.*no\.wav: no such.*nor\.wav: no such"):
        augmented().fit(files, y)
    model = augmented().fit(speech, y)
    with pytest.raises(AudioReadError, match=r"1 of 2.*no\.wav"):
        model.predict(files[:2])


def test_bad_input_raises(speech, y):
    with pytest.raises(ValueError, match="set input_sampling_rate="):
        augmented(input_sampling_rate=None).fit(speech, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        augmented().fit(speech, y[:3])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        augmented().fit(speech, y, groups=y[:3])
    with pytest.raises(ValueError, match="'augment' parameter.*callable"):
        augmented(augment="noise").fit(speech, y)
    with pytest.raises(ValueError, match="'n_copies' parameter"):
        augmented(n_copies=-1).fit(speech, y)
    with pytest.raises(ValueError, match="no column 'audio'"):
        augmented().fit(pd.DataFrame({"file": ["a.wav"]}), ["a"])
    with pytest.raises(TypeError, match="single path"):
        augmented().fit("a.wav", ["a"])


def test_a_frozen_part_stays_as_it_is():
    rate = 8000
    audio = [np.random.RandomState(i).randn(rate).astype(np.float32) / 10 for i in range(8)]
    frozen = make_pipeline(
        MelSpectrogram(n_mels=8, input_sampling_rate=rate), Functionals(), StandardScaler()
    ).fit(audio)
    before = frozen.transform(audio)
    model = AugmentedClassifier(
        make_pipeline(FrozenEstimator(frozen), LogisticRegression()),
        add_noise, input_sampling_rate=rate, random_state=0,
    ).fit(audio, list("abababab"))  # fmt: skip
    np.testing.assert_array_equal(frozen.transform(audio), before)
    assert frozen[0].input_sampling_rate == rate
    expected = LogisticRegression().fit(before, list("abababab"))
    assert model.predict(audio).tolist() == expected.predict(before).tolist()


FITTED = LogisticRegression().fit([[0], [1]], [0, 1])
INNER_SPLITS = [
    lambda svc: CalibratedClassifierCV(svc, cv=2),
    lambda svc: StackingClassifier([("svc", svc)], cv=2),
    lambda svc: MLPClassifier(4, max_iter=5, early_stopping=True, validation_fraction=0.4),
    lambda svc: VotingClassifier([("calibrated", CalibratedClassifierCV(svc, cv=2))]),
    lambda svc: VotingClassifier(
        [("c", FrozenEstimator(FITTED)), ("calibrated", CalibratedClassifierCV(svc, cv=2))]
    ),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("splitting", INNER_SPLITS)
def test_a_split_of_utterances_from_their_copies_is_warned_of(corpus, splitting):
    inner = make_pipeline(features(), Means(), splitting(LinearSVC()))
    with pytest.warns(UserWarning, match=r"without regard to groups.*Put AugmentedClassifier into"):
        augmented(inner).fit(corpus.data, corpus.target)


@pytest.mark.filterwarnings("error")
def test_without_such_a_split_nothing_is_warned_of(corpus):
    calibrated = CalibratedClassifierCV(LinearSVC(), cv=2)
    plain = make_pipeline(features(input_sampling_rate=RATE), Means(), calibrated)
    plain.fit(corpus.data, corpus.target)
    augmented(FrozenEstimator(plain)).fit(corpus.data, corpus.target)
    fitted = LinearSVC().fit(plain[:-1].transform(corpus.data), corpus.target)
    inner = make_pipeline(features(), Means(), CalibratedClassifierCV(FrozenEstimator(fitted)))
    augmented(inner).fit(corpus.data, corpus.target)
    inner = make_pipeline(features(), Means(), calibrated)
    augmented(inner, n_copies=0).fit(corpus.data, corpus.target)
    inner = make_pipeline(features(), Means(), LinearSVC())
    outer = CalibratedClassifierCV(augmented(inner), cv=2)
    outer.fit(corpus.data, corpus.target)


@pytest.mark.filterwarnings("error")
def test_a_network_that_receives_groups_is_not_warned_of(corpus):
    network = AttentionFCNClassifier(max_epochs=1, early_stopping=True, validation_fraction=0.5)
    inner = make_pipeline(features(), network)
    augmented(inner).fit(corpus.data, corpus.target, groups=corpus.speakers)


@pytest.mark.filterwarnings("ignore:GridSearchCV splits its training rows")
def test_scikit_learn_warns_of_a_search_without_groups(corpus):
    inner = make_pipeline(features(), Means(), RandomForestClassifier(2))
    search = GridSearchCV(inner, {"randomforestclassifier__n_estimators": [2]}, cv=2)
    with pytest.warns(UserWarning, match="groups parameter is ignored"):
        augmented(search).fit(corpus.data, corpus.target)


def test_a_table_with_files_in_its_index_stays_a_table(corpus, tmp_path):
    paths = [str(tmp_path / f"{i}.wav") for i in range(4)]
    for path, samples in zip(paths, corpus.data, strict=False):
        soundfile.write(path, samples, RATE)
    index = pd.MultiIndex.from_arrays(
        [paths, pd.to_timedelta([0.1] * 4, "s"), pd.to_timedelta([0.5] * 4, "s")],
        names=["file", "start", "end"],
    )
    table = pd.DataFrame({"speaker": list("ssuu"), "effort": range(4)}, index=index)
    speakers = []

    class Bound:
        def bind(self, samples, of_samples):
            speakers.append(of_samples)
            return add_noise

        def __call__(self, samples, sampling_rate, random_state):
            raise AssertionError("only what bind returns is called")

    model = augmented(augment=Bound()).fit(table, list("abab"))
    assert list(speakers[0]) == list("ssuu")
    given = model.estimator_.X_
    assert [len(samples) for samples in given["audio"]] == [round(0.4 * RATE)] * 8
    assert given["effort"].tolist() == [0, 1, 2, 3] * 2
    assert given[["start", "end"]].isna().all(axis=None)
    model.predict(table)
    assert model.estimator_.seen_["speaker"].tolist() == list("ssuu")


def test_a_rate_below_that_of_any_transformer_is_refused(speech, y):
    class FixedRate(MelSpectrogram):
        """Transformer with a fixed rate, like SpeechEmbedding."""

        def __init__(self, input_sampling_rate=None, memory=None):
            super().__init__(n_mels=8, input_sampling_rate=input_sampling_rate, memory=memory)

        @property
        def sampling_rate(self):
            return 16000

        @sampling_rate.setter
        def sampling_rate(self, value):
            pass

    model = augmented(make_pipeline(FixedRate(), Means(), LogisticRegression()), sampling_rate=8000)
    with pytest.raises(ValueError, match="FixedRate works at sampling_rate=16000 Hz, but"):
        model.fit(speech, y)


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored", "ignore:lbfgs failed")
@pytest.mark.parametrize(
    "splitting",
    [
        RandomForestClassifier(50, oob_score=True, random_state=0),
        GradientBoostingClassifier(n_estimators=5, n_iter_no_change=2, random_state=0),
        GridSearchCV(LogisticRegression(), {"C": [1]}, cv=2),
    ],
)
def test_scores_of_copies_inside_are_warned_of(corpus, splitting):
    model = augmented(make_pipeline(features(), Means(), splitting))
    name = type(splitting).__name__
    with pytest.warns(UserWarning, match=f"{name} splits its training rows without regard to"):
        model.fit(corpus.data, corpus.target)


@pytest.mark.filterwarnings("error")
def test_a_search_by_speaker_inside_is_not_warned_of(corpus):
    inner = make_pipeline(features(input_sampling_rate=RATE), Means(), LogisticRegression(C=1e-3))
    search = GridSearchCV(inner, {"logisticregression__C": [1e-3]}, cv=GroupKFold(2))
    augmented(search).fit(corpus.data, corpus.target, groups=corpus.speakers)


def test_later_steps_read_arrays_at_the_rate_that_they_get(corpus):
    reversing = FunctionTransformer(lambda X: [np.asarray(samples)[::-1] for samples in X])
    mel = make_pipeline(features(input_sampling_rate=44100))
    plain, lengths = make_pipeline(reversing, mel, Recorder()), []
    for model in (plain, augmented(plain, input_sampling_rate=44100, n_copies=0)):
        model.fit(corpus.data[:4], list("abab"))
        lengths.append(getattr(model, "estimator_", model)[-1].X_.lengths)
    np.testing.assert_allclose(*lengths, atol=1)
