"""The classifier that refuses what it cannot judge."""

import io
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import soundfile
from scipy.spatial.distance import mahalanobis
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import skser
from skser.audio import AudioReadError, Waveform
from skser.compose import AdaptedClassifier, AugmentedClassifier, RejectingClassifier, adapt
from skser.compose._rejecting_distance import distances, fit_gaussian
from skser.compose._rejecting_held_out import held_out_outputs
from skser.compose._rejecting_speech import find_speech
from skser.compose._rejecting_thresholds import (
    best_temperature,
    label_sets,
    largest_typical,
    least_confidence,
)
from skser.feature_extraction import Functionals, MelSpectrogram
from skser.metrics import expected_calibration_error, selective_scores
from skser.neural_network import AdversarialAEClassifier, AttentionFCNClassifier
from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences

RATE = 16000
TIME = np.arange(2 * RATE) / RATE
NOT_SPEECH = {
    "silence": np.zeros(2 * RATE, np.float32),
    "noise": 0.1 * np.random.RandomState(0).standard_normal(2 * RATE).astype(np.float32),
    "tone": 0.3 * np.sin(2 * np.pi * 440 * TIME).astype(np.float32),
}


def blobs(n, random_state, labels=("anger", "fear", "joy")):
    """Return overlapping classes of vectors, and their speakers, who are 20."""
    random = np.random.RandomState(random_state)
    speakers = np.arange(n) % 20
    codes = random.randint(3, size=n)
    X = 1.5 * np.eye(3, 40)[codes] + 0.3 * random.randn(20, 40)[speakers] + random.randn(n, 40)
    return X, np.array(labels)[codes], speakers


@pytest.fixture(scope="module")
def vectors():
    return blobs(800, 0)


@pytest.fixture(scope="module")
def spoken(corpus):
    """Classifier of the synthetic corpus, and audio that it was trained on."""
    features = Functionals(MelSpectrogram(n_mels=16))
    model = RejectingClassifier(
        make_pipeline(features, StandardScaler(), LogisticRegression()), cv=2
    )
    audio = [Waveform(samples, RATE) for samples in corpus.data]
    return model.fit(audio, corpus.target, groups=corpus.speakers), audio


class Recorder(ClassifierMixin, BaseEstimator):
    """Classifier that records what each fit was given."""

    fits = []

    def fit(self, X, y, groups=None):
        self.classes_ = np.unique(y)
        Recorder.fits.append((np.asarray(X)[:, 0], groups))
        return self

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


class TestThresholds:
    CONFIDENCE = np.array([0.9, 0.8, 0.8, 0.7, 0.6, 0.5])
    RIGHT = np.array([True, True, True, False, True, False])

    def test_coverage_is_the_share_of_all_held_out_utterances(self):
        # Two more were refused before, so half of eight are four.
        assert least_confidence(self.CONFIDENCE, self.RIGHT, 8, 0.5, None) == 0.7
        assert least_confidence(self.CONFIDENCE, self.RIGHT, 8, 0.75, None) == 0.0
        assert least_confidence(self.CONFIDENCE, self.RIGHT, 8, 0.01, None) == 0.9

    def test_risk_counts_one_error_more_than_seen(self):
        # Risks from the most confident on: 1/2, (0 + 1)/4 for the two of 0.8, 2/5, 2/6, 3/7.
        assert least_confidence(self.CONFIDENCE, self.RIGHT, 6, None, 0.25) == 0.8
        assert least_confidence(self.CONFIDENCE, self.RIGHT, 6, None, 0.34) == 0.6
        assert least_confidence(self.CONFIDENCE, self.RIGHT, 6, None, 0.43) == 0.0
        with pytest.raises(ValueError, match=r"risk=0\.2 cannot be kept.*lowest risk is 0\.250"):
            least_confidence(self.CONFIDENCE, self.RIGHT, 6, None, 0.2)

    def test_nothing_is_unsure_without_coverage_and_risk(self):
        assert least_confidence(self.CONFIDENCE, self.RIGHT, 6, None, None) == 0.0

    def test_largest_typical_distance_is_the_conformal_quantile(self):
        distance = np.random.RandomState(0).permutation(np.arange(1.0, 100.0))
        assert largest_typical(distance, 0.1) == 90
        assert largest_typical(distance, 0.01) == 99
        assert largest_typical(distance, 0.001) == 99
        assert largest_typical(distance, None) == np.inf

    def test_temperature_undoes_overconfidence(self):
        random = np.random.RandomState(0)
        logits = random.randn(20000, 4)
        true = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
        assert best_temperature(5 * logits, true) == pytest.approx(5, rel=0.05)
        assert best_temperature(logits / 4, true) == pytest.approx(0.25, rel=0.05)

    def test_label_sets_hold_what_is_as_probable_as_the_quantile(self):
        scores = np.linspace(0.1, 0.9, 9)  # the quantile of 80 % is the eighth
        probability = np.array([[0.7, 0.2, 0.1], [0.15, 0.15, 0.7], [0.45, 0.35, 0.2]])
        expected = [[True, True, False], [False, False, True], [True, True, True]]
        np.testing.assert_array_equal(label_sets(probability, scores + 1e-12, 0.8), expected)
        assert label_sets(probability, scores, 0.95).all()
        lonely = label_sets(np.array([[0.4, 0.3, 0.3]]), np.zeros(99), 0.5)
        np.testing.assert_array_equal(lonely, [[True, False, False]])
        with pytest.raises(ValueError, match="confidence_level=1 must be between 0 and 1"):
            label_sets(probability, scores, 1)


class TestDistance:
    def test_is_mahalanobis_in_few_columns(self):
        random = np.random.RandomState(0)
        X = random.randn(200, 5) @ random.randn(5, 5) + 3
        inverse = np.linalg.inv(np.cov(X.T, bias=True))
        expected = [mahalanobis(x, X.mean(axis=0), inverse) / np.sqrt(5) for x in X]
        np.testing.assert_allclose(distances(X, fit_gaussian(X)), expected, rtol=1e-4)

    def test_is_that_of_probabilistic_components_in_many_columns(self):
        random = np.random.RandomState(0)
        X = random.randn(300, 60) * np.linspace(1, 3, 60)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        new = random.randn(10, 60) * 2
        likelihood = PCA(32, svd_solver="full").fit(X).score_samples(new)
        squares = 60 * distances(new, fit_gaussian(X)) ** 2
        # The likelihood is a constant minus half of the squared distance.
        assert np.ptp(likelihood + squares / 2) < 0.02 * np.ptp(squares)

    def test_is_about_one_in_training_and_grows_with_a_shift(self, vectors):
        X = vectors[0]
        gaussian = fit_gaussian(X)
        assert np.sqrt(np.mean(distances(X, gaussian) ** 2)) == pytest.approx(1, abs=0.01)
        assert distances(X + 5, gaussian).min() > distances(X, gaussian).max()

    def test_constant_columns_and_few_rows_are_finite(self):
        X = np.ones((3, 50))
        X[:, 0] = [1, 2, 3]
        found = distances(np.vstack([X, X + 1]), fit_gaussian(X))
        assert np.isfinite(found).all()
        assert found[3:].min() > 100 > found[:3].max()


class TestVectors:
    def test_coverage_holds_for_new_speakers(self, vectors):
        X, y, speakers = vectors
        model = RejectingClassifier(LogisticRegression(), coverage=0.7).fit(X, y, groups=speakers)
        assert model.coverage_ == pytest.approx(0.7, abs=0.002)
        new, y_new, _ = blobs(4000, 1)
        scores = selective_scores(y_new, model.predict(new))
        assert scores["coverage"] == pytest.approx(0.7, abs=0.08)
        all_of_it = np.mean(model.estimator_.predict(new) != y_new)
        assert scores["risk"] < 0.75 * all_of_it
        assert model.score(new, y_new) == pytest.approx(scores["accuracy"])

    def test_risk_holds_for_new_speakers(self, vectors):
        X, y, speakers = vectors
        model = RejectingClassifier(LogisticRegression(), risk=0.1).fit(X, y, groups=speakers)
        assert 0.05 < model.risk_ <= 0.1
        new, y_new, _ = blobs(4000, 1)
        scores = selective_scores(y_new, model.predict(new))
        assert scores["risk"] < 0.13
        assert 0.3 < scores["coverage"] < 0.95

    def test_label_sets_hold_the_true_class_as_often_as_asked(self, vectors):
        X, y, speakers = vectors
        model = RejectingClassifier(LogisticRegression()).fit(X, y, groups=speakers)
        new, y_new, _ = blobs(4000, 1)
        columns = np.searchsorted(model.classes_, y_new)
        sizes = []
        for level in (0.8, 0.95):
            sets = model.predict_set(new, level)
            assert sets[np.arange(len(new)), columns].mean() == pytest.approx(level, abs=0.04)
            sizes.append(sets.sum(axis=1).mean())
        assert 1 <= sizes[0] < sizes[1] < 3

    def test_probabilities_are_calibrated(self, vectors):
        X, y, speakers = vectors
        sharp = LogisticRegression(C=1e4)
        model = RejectingClassifier(sharp).fit(X, y, groups=speakers)
        new, y_new, _ = blobs(4000, 1)
        errors = [
            expected_calibration_error(y_new, fitted.predict_proba(new), labels=model.classes_)
            for fitted in (model, model.estimator_)
        ]
        assert model.temperature_ > 1.1
        assert errors[0] < 0.05
        assert errors[0] < errors[1]
        plain = RejectingClassifier(sharp, calibrate=False).fit(X, y, groups=speakers)
        assert plain.temperature_ == 1
        np.testing.assert_allclose(
            plain.predict_proba(new), model.estimator_.predict_proba(new), atol=1e-6
        )

    def test_reasons_are_named_and_probabilities_stay(self, vectors):
        X, y, speakers = vectors
        model = RejectingClassifier(LogisticRegression(), coverage=0.8).fit(X, y, groups=speakers)
        table = model.assess(np.vstack([X, X[:5] + 6]))
        assert (table["reason"].iloc[-5:] == "unlike training").all()
        assert table["speech"].isna().all()
        assert set(table["reason"]) == {"", "unsure", "unlike training"}
        unsure = table["reason"] == "unsure"
        assert (table["confidence"][unsure] < model.min_confidence_).all()
        assert (table["confidence"][table["reason"] == ""] >= model.min_confidence_).all()
        unlike = table["reason"] == "unlike training"
        assert ((table["distance"] > model.max_distance_) == unlike).all()
        refused = table["label"] == "unknown"
        assert (refused == (table["reason"] != "")).all()
        np.testing.assert_array_equal(model.reasons(X), table["reason"][: len(X)])
        np.testing.assert_array_equal(model.predict(X), table["label"][: len(X)])
        proba = model.predict_proba(X)
        assert model.classes_.tolist() == ["anger", "fear", "joy"]
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        np.testing.assert_allclose(proba.max(axis=1), table["confidence"][: len(X)])
        best = model.classes_[proba.argmax(axis=1)]
        assert [labels[0] for labels in table["labels"][: len(X)]] == best.tolist()
        judged = model.judge(X)
        np.testing.assert_array_equal(judged["probabilities"], proba)
        np.testing.assert_array_equal(judged["distances"], table["distance"][: len(X)])
        sets = model.predict_set(X)
        np.testing.assert_array_equal(judged["sets"], sets)
        assert [len(labels) for labels in table["labels"][: len(X)]] == sets.sum(axis=1).tolist()

    def test_speakers_are_held_out_as_a_whole(self, vectors):
        X, y, speakers = vectors
        X = X.copy()
        X[:, 0] = speakers
        Recorder.fits = []
        RejectingClassifier(Recorder(), cv=4).fit(X, y, groups=speakers)
        (everyone, _), *folds = Recorder.fits
        assert len(everyone) == len(X)
        assert len(folds) == 4
        held_out = [set(range(20)) - set(inside.astype(int)) for inside, _ in folds]
        assert sorted(speaker for fold in held_out for speaker in fold) == list(range(20))
        for inside, groups in folds:
            np.testing.assert_array_equal(inside, groups)

    def test_a_given_splitter_makes_the_folds(self, vectors):
        X, y, speakers = vectors
        Recorder.fits = []
        RejectingClassifier(Recorder(), cv=GroupKFold(2)).fit(X, y, groups=speakers)
        assert len(Recorder.fits) == 3

    def test_unknown_speakers_are_held_out_together(self, vectors):
        X, y, _ = vectors
        speakers = np.array(["a", "b", None, "c"] * 200, dtype=object)
        Recorder.fits = []
        X = X.copy()
        X[:, 0] = np.arange(800) % 4
        RejectingClassifier(Recorder(), cv=4).fit(X, y, groups=speakers)
        assert sorted(len(set(inside)) for inside, _ in Recorder.fits) == [3, 3, 3, 3, 4]

    @pytest.mark.parametrize("labels", [(1, 2, 3), (0.5, 1.5, 2.5)])
    def test_classes_that_are_numbers_need_a_number(self, labels):
        X, y, _ = blobs(200, 0, labels)
        with pytest.raises(ValueError, match=r"'unknown' is a text.*unknown_label=-1"):
            RejectingClassifier(LogisticRegression()).fit(X, y.astype(int))
        y = y.astype(int)
        model = RejectingClassifier(LogisticRegression(), coverage=0.5, unknown_label=-1).fit(X, y)
        predicted = model.predict(X)
        assert predicted.dtype.kind == "i"
        assert 0.4 < np.mean(predicted == -1) < 0.6

    def test_unknown_label_is_not_cut_off(self):
        X, y, _ = blobs(200, 0, ("a", "b", "c"))
        model = RejectingClassifier(LogisticRegression(), coverage=0.5).fit(X, y)
        assert set(model.predict(X)) == {"a", "b", "c", "unknown"}

    def test_bad_settings_are_refused(self, vectors):
        X, y, speakers = vectors

        def fails(message, estimator=LogisticRegression(), y=y, groups=speakers, **settings):  # noqa: B008
            with pytest.raises(ValueError, match=message):
                RejectingClassifier(estimator, **settings).fit(X, y, groups=groups)

        fails(r"coverage=0\.9 and risk=0\.1 are both given", coverage=0.9, risk=0.1)
        fails("unknown_label='joy' is a class", unknown_label="joy")
        fails("unknown_label=-1 is a number", unknown_label=-1)
        fails("groups holds a single speaker", groups=np.zeros(800))
        fails("class 'rare' has n_samples = 1", y=np.where(np.arange(800) == 3, "rare", y))
        fails("RidgeClassifier has no predict_proba", RidgeClassifier(), calibrate=False)
        fails(r"risk=0\.0001 cannot be kept", risk=0.0001)

    def test_a_fit_that_fails_changes_nothing(self, vectors):
        X, y, speakers = vectors
        model = RejectingClassifier(LogisticRegression()).fit(X, y, groups=speakers)
        before = pickle.dumps({**vars(model), "risk": None})
        with pytest.raises(ValueError, match="cannot be kept"):
            model.set_params(risk=1e-4).fit(X[::2], y[::2], groups=speakers[::2])
        assert pickle.dumps({**vars(model), "risk": None}) == before

    def test_decision_values_become_probabilities(self, vectors):
        X, y, speakers = vectors
        model = RejectingClassifier(LinearSVC()).fit(X, y, groups=speakers)
        proba = model.predict_proba(X)
        np.testing.assert_array_equal(
            proba.argmax(axis=1), model.estimator_.decision_function(X).argmax(axis=1)
        )
        new, y_new, _ = blobs(4000, 1)
        error = expected_calibration_error(y_new, model.predict_proba(new), labels=model.classes_)
        assert error < 0.06
        two = y != "joy"
        binary = RejectingClassifier(LinearSVC()).fit(X[two], y[two], groups=speakers[two])
        np.testing.assert_array_equal(
            binary.predict_proba(X)[:, 1] > 0.5, binary.estimator_.decision_function(X) > 0
        )

    def test_a_soft_vote_keeps_its_probabilities(self, vectors):
        X, y, speakers = vectors
        members = [("a", LogisticRegression()), ("b", LogisticRegression(C=1e-3)), ("c", "drop")]
        vote = VotingClassifier(members, voting="soft", weights=[1, 2, 5])
        model = RejectingClassifier(vote, calibrate=False).fit(X, y, groups=speakers)
        np.testing.assert_allclose(
            model.predict_proba(X), model.estimator_.predict_proba(X), atol=1e-9
        )
        assert model.center_.shape == (80,)

    def test_a_frozen_classifier_is_calibrated_on_other_data(self, vectors):
        X, y, speakers = vectors
        fitted = LogisticRegression(C=1e4).fit(X[:60], y[:60])
        two = y != "joy"
        model = RejectingClassifier(FrozenEstimator(fitted), unknown_label="?")
        model.fit(X[two], y[two], groups=speakers[two])
        assert model.classes_.tolist() == ["anger", "fear", "joy"]
        assert model.temperature_ > 1.5
        np.testing.assert_array_equal(
            model.predict_proba(X).argmax(axis=1), fitted.predict_proba(X).argmax(axis=1)
        )

    def test_clone_pickle_and_search(self, vectors):
        X, y, speakers = vectors
        model = RejectingClassifier(LogisticRegression(), coverage=0.9)
        assert repr(clone(model)) == repr(model)
        fitted = pickle.loads(pickle.dumps(clone(model).fit(X, y, groups=speakers)))
        assert fitted.coverage_ == pytest.approx(0.9, abs=0.002)
        grid = {"coverage": [0.5, 1.0], "estimator__C": [0.1, 1.0]}
        search = GridSearchCV(model, grid, cv=GroupKFold(2), n_jobs=2)
        search.fit(X, y, groups=speakers)
        # A refusal counts as an error.
        assert search.best_params_["coverage"] == 1.0
        predicted = cross_val_predict(model, X, y, groups=speakers, cv=GroupKFold(4))
        assert 0.8 < np.mean(predicted != "unknown") < 0.97

    def test_groups_are_routed(self, vectors):
        X, y, speakers = vectors
        Recorder.fits = []
        with sklearn.config_context(enable_metadata_routing=True):
            inner = Recorder().set_fit_request(groups=True)
            cross_val_score(
                RejectingClassifier(inner, cv=2),
                X, y, params={"groups": speakers}, cv=GroupKFold(2),
            )  # fmt: skip
        assert len(Recorder.fits) == 6
        assert all(groups is not None for _, groups in Recorder.fits)

    def test_tables_of_numbers_keep_their_columns(self, vectors):
        X, y, speakers = vectors
        table = pd.DataFrame(X, columns=[f"x{i}" for i in range(40)], index=np.arange(800) + 7)
        model = RejectingClassifier(LogisticRegression()).fit(
            table, pd.Series(y, index=table.index), groups=pd.Series(speakers, index=table.index)
        )
        assert model.feature_names_in_.tolist() == list(table.columns)
        assert (model.predict(table) != "unknown").mean() > 0.98

    def test_adaptation_brings_a_new_setting_near(self, vectors):
        X, y, speakers = vectors
        pipeline = make_pipeline(StandardScaler(), LogisticRegression())
        model = RejectingClassifier(pipeline).fit(X, y, groups=speakers)
        new, y_new, _ = blobs(400, 1)
        elsewhere = 3 * new + 10
        assert set(model.reasons(elsewhere)) == {"unlike training"}
        adapted = adapt(model, elsewhere[:100])
        assert (adapted.reasons(elsewhere) == "").mean() > 0.9
        assert adapted.score(elsewhere, y_new) > model.estimator_.score(elsewhere, y_new)
        assert adapted.temperature_ == model.temperature_

    def test_an_adapted_classifier_is_looked_into(self, vectors):
        X, y, speakers = vectors
        pipeline = make_pipeline(StandardScaler(), LogisticRegression())
        model = RejectingClassifier(AdaptedClassifier(pipeline)).fit(X, y, groups=speakers)
        assert model.center_.shape == (40,)
        model.estimator_.adapt(X + 10)
        assert (model.reasons(X + 10) == "").mean() > 0.9


class TestSequences:
    def test_frames_are_described_by_mean_and_deviation(self, mels, corpus):
        network = AttentionFCNClassifier(max_epochs=2, device="cpu", n_threads=1, random_state=0)
        pipeline = make_pipeline(SequenceScaler(), network)
        model = RejectingClassifier(pipeline, cv=2)
        with pytest.warns(sklearn.exceptions.ConvergenceWarning):
            model.fit(mels, corpus.target, groups=corpus.speakers)
        assert model.center_.shape == (2 * mels.values.shape[1],)
        assert np.isnan(model.assess(mels)["speech"]).all()
        loud = Sequences(mels.values + 100, mels.lengths, layout=mels.layout)
        assert (model.reasons(loud) == "unlike training").all()
        assert (model.reasons(mels) == "").mean() > 0.9


class TestAudio:
    @pytest.mark.real_data
    def test_sentences_are_spoken_and_other_sounds_are_not(self, emodb_path, esc10_path):
        sentences = sorted(emodb_path.glob("*.flac"))[::40]
        sounds = sorted([*esc10_path.glob("4-*.ogg"), *esc10_path.glob("5-*.ogg")])[::8]
        shares, enough = find_speech(MelSpectrogram(), [*sentences, *sounds])
        is_sentence = np.arange(len(shares)) < len(sentences)
        np.testing.assert_array_equal(enough, is_sentence)
        assert shares[is_sentence].min() > 0.4

    @pytest.mark.parametrize("kind", NOT_SPEECH)
    def test_what_holds_no_speech_is_refused(self, spoken, kind):
        model, _ = spoken
        sound = [Waveform(NOT_SPEECH[kind], RATE)]
        assert model.predict(sound).tolist() == ["unknown"]
        assert model.reasons(sound).tolist() == ["no speech"]
        assert model.predict_proba(sound).sum() == pytest.approx(1)
        assert model.assess(sound)["speech"][0] < 0.1

    def test_speech_of_training_is_answered_in_every_form(self, spoken, corpus, tmp_path):
        model, audio = spoken
        expected = model.predict(audio)
        assert (expected != "unknown").mean() > 0.9
        assert model.assess(audio)["speech"].min() > 0.5
        paths = [tmp_path / f"{i}.wav" for i in range(4)]
        for path, samples in zip(paths, corpus.data, strict=False):
            soundfile.write(path, samples, RATE, subtype="FLOAT")
        table = corpus.frame.iloc[:4].assign(audio=[str(path) for path in paths])
        content = [path.read_bytes() for path in paths]
        for same in (paths, content, [io.BytesIO(of_one) for of_one in content], table):
            np.testing.assert_array_equal(model.predict(same), expected[:4])

    def test_a_short_word_in_a_long_silence_is_refused_and_a_second_is_not(self, spoken):
        model, audio = spoken
        speech = np.asarray(audio[1].samples if hasattr(audio[1], "samples") else audio[1])
        silence = np.zeros(9 * RATE, np.float32)
        word = Waveform(np.concatenate([silence, speech[: RATE // 2]]), RATE)
        sentence = Waveform(np.concatenate([silence, speech]), RATE)
        assert model.reasons([word]).tolist() == ["no speech"]
        assert model.reasons([sentence]).tolist() != ["no speech"]

    def test_detection_can_be_switched_off(self, spoken, corpus):
        model, audio = spoken
        off = clone(model).set_params(detect_speech=False, novelty=None)
        off.fit(audio, corpus.target, groups=corpus.speakers)
        sounds = [Waveform(samples, RATE) for samples in NOT_SPEECH.values()]
        assert off.reasons(sounds).tolist() == ["", "", ""]

    def test_arrays_are_read_at_the_rate_of_the_pipeline(self, corpus):
        features = Functionals(MelSpectrogram(n_mels=16, input_sampling_rate=RATE))
        pipeline = make_pipeline(features, StandardScaler(), LogisticRegression())
        model = RejectingClassifier(pipeline, cv=2).fit(corpus.data, corpus.target)
        assert model.reasons(list(NOT_SPEECH.values())).tolist() == 3 * ["no speech"]
        assert model.assess(corpus.data[:3])["speech"].min() > 0.5

    def test_features_are_computed_once(self, corpus, monkeypatch):
        calls = []
        extract = MelSpectrogram._extract

        def counted(self, samples, prepared):
            calls.append(len(samples))
            return extract(self, samples, prepared)

        monkeypatch.setattr(MelSpectrogram, "_extract", counted)
        features = MelSpectrogram(n_mels=16, input_sampling_rate=RATE)
        pipeline = make_pipeline(features, Functionals(), StandardScaler(), LogisticRegression())
        model = RejectingClassifier(pipeline, cv=4).fit(corpus.data, corpus.target)
        assert len(calls) == len(corpus.data)
        assert [name for name, _ in model.estimator_.steps] == [name for name, _ in pipeline.steps]
        assert not hasattr(pipeline[-1], "classes_")

    def test_an_unreadable_file_is_named(self, spoken, tmp_path):
        model = spoken[0]
        (tmp_path / "bad.wav").write_bytes(b"nothing")
        with pytest.raises(AudioReadError, match=r"bad\.wav"):
            model.predict([tmp_path / "bad.wav"])

    def test_copies_take_part_in_the_thresholds(self, corpus):
        def noisy(samples, sampling_rate, random_state):
            return samples + 0.01 * random_state.standard_normal(len(samples))

        features = Functionals(MelSpectrogram(n_mels=16))
        pipeline = make_pipeline(features, StandardScaler(), LogisticRegression())
        outer = AugmentedClassifier(
            RejectingClassifier(pipeline, cv=2), noisy, n_copies=1,
            input_sampling_rate=RATE, random_state=0,
        ).fit(corpus.data, corpus.target, groups=corpus.speakers)  # fmt: skip
        model = outer.estimator_
        assert isinstance(model, RejectingClassifier)
        assert len(model.conformity_scores_) == 2 * len(corpus.data)
        sounds = [Waveform(samples, RATE) for samples in NOT_SPEECH.values()]
        assert model.reasons(sounds).tolist() == 3 * ["no speech"]
        assert outer.predict(sounds).tolist() == 3 * ["unknown"]

    def test_a_classifier_of_copies_is_looked_into(self, corpus):
        def same(samples, sampling_rate, random_state):
            return samples

        features = Functionals(MelSpectrogram(n_mels=16))
        pipeline = make_pipeline(features, StandardScaler(), LogisticRegression())
        inner = AugmentedClassifier(pipeline, same, input_sampling_rate=RATE)
        model = RejectingClassifier(inner, cv=2).fit(corpus.data, corpus.target)
        plain = RejectingClassifier(clone(pipeline), cv=2).fit(
            [Waveform(samples, RATE) for samples in corpus.data], corpus.target
        )
        np.testing.assert_allclose(model.center_, plain.center_, rtol=1e-3, atol=1e-3)
        assert model.reasons([NOT_SPEECH["tone"]]).tolist() == ["no speech"]

    def test_saved_models_refuse_the_same(self, spoken, tmp_path):
        model, audio = spoken
        skser.save(model, tmp_path / "model.skser")
        loaded = skser.load(tmp_path / "model.skser")
        sounds = [*audio[:5], *(Waveform(samples, RATE) for samples in NOT_SPEECH.values())]
        before, after = model.assess(sounds), loaded.assess(sounds)
        assert before["reason"].tolist() == after["reason"].tolist()
        np.testing.assert_allclose(before["confidence"], after["confidence"], atol=1e-6)
        np.testing.assert_allclose(before["distance"], after["distance"], rtol=1e-6)


def three_clouds():
    X = np.random.RandomState(0).randn(60, 6).astype(np.float32)
    y = np.array(["anger", "fear", "joy"])[np.arange(60) % 3]
    for column, name in enumerate(("anger", "fear", "joy")):
        X[y == name, column] += 3
    return X, y


@pytest.mark.parametrize("marker", ["-1", "zero"])
def test_unlabeled_utterances_do_not_count_as_a_class(marker):
    X, y = three_clouds()
    partly = np.where(np.arange(60) < 30, y, marker)
    network = AdversarialAEClassifier(
        max_epochs=15, device="cpu", random_state=0, unlabeled=-1 if marker == "-1" else marker
    )
    model = RejectingClassifier(network, cv=2, coverage=0.9).fit(X, partly)
    assert len(model.conformity_scores_) == 30
    assert model.risk_ < 0.2


def test_decisions_between_pairs_of_classes_are_refused():
    model = RejectingClassifier(SVC(decision_function_shape="ovo"), coverage=0.9, cv=3)
    with pytest.raises(ValueError, match="Use decision_function_shape='ovr'"):
        model.fit(*three_clouds())


def test_a_pipeline_with_memory_is_fitted(tmp_path):
    X, y = three_clouds()
    steps = [("scaler", StandardScaler()), ("classifier", LogisticRegression())]
    rejecting = [
        RejectingClassifier(Pipeline(steps, memory=memory), coverage=0.8, cv=3).fit(X, y)
        for memory in (None, str(tmp_path))
    ]
    expected, found = (model.predict(X).tolist() for model in rejecting)
    assert found == expected


def test_samples_are_no_vectors():
    audio = [np.random.RandomState(i).randn(8000).astype(np.float32) / 10 for i in range(12)]
    features = Functionals(MelSpectrogram(n_mels=8, input_sampling_rate=16000))
    pipeline = make_pipeline(features, StandardScaler(), LogisticRegression())
    model = RejectingClassifier(CalibratedClassifierCV(pipeline, cv=2), cv=2, detect_speech=False)
    model.fit(audio, list("ab" * 6))
    assert model.center_.shape == (2,)
    assert len(model.predict(audio[:1])) == 1


def test_speech_is_looked_for_at_the_outermost_rate(speech_and_rate):
    speech, rate = speech_and_rate
    inner = make_pipeline(
        Functionals(MelSpectrogram(n_mels=8, input_sampling_rate=4000)), LogisticRegression()
    )
    outer = AugmentedClassifier(inner, lambda samples, rate, random: samples)
    expected = find_speech(MelSpectrogram(input_sampling_rate=rate), speech)[0]
    found = find_speech(outer.set_params(input_sampling_rate=rate), speech)[0]
    np.testing.assert_array_equal(found, expected)
    assert len(set(expected)) > 1


@pytest.fixture
def speech_and_rate():
    """Noise in bursts of speech's rhythm, which the detector takes for more or less speech."""
    rate = 16000
    times = np.arange(rate) / rate
    tones = [
        sum(np.sin(2 * np.pi * f0 * k * times) / k for k in range(1, 30))
        * (1 + np.sin(2 * np.pi * 4 * times)) / 20
        for f0 in (110, 220)
    ]  # fmt: skip
    return [tone.astype(np.float32) for tone in tones] + [np.zeros(rate, np.float32)], rate


def test_a_soft_vote_needs_probabilities_of_all_members():
    X = np.random.RandomState(0).randn(60, 3)
    y = np.resize(["a", "b", "c"], 60)
    vote = VotingClassifier([("svc", LinearSVC()), ("lr", LogisticRegression())], voting="soft")
    with pytest.raises(ValueError, match="member LinearSVC of the VotingClassifier has no"):
        RejectingClassifier(vote, cv=3).fit(X, y)


class Large(RidgeClassifier):
    """Classifier with large decision values."""

    def decision_function(self, X):
        return 1000 * super().decision_function(X)


def test_a_class_that_a_fold_lacks_is_below_decision_values_of_any_size():
    random = np.random.RandomState(0)
    y = np.resize(["a", "b", "d"], 80)
    groups = np.arange(80) // 20
    y[groups == 3] = "c"  # only this speaker has the class
    X = random.randn(80, 4) + (y == "a")[:, None]
    classes = np.unique(y)
    rows, scores, _ = held_out_outputs(
        Large(), X, y, classes, groups, GroupKFold(4), lambda rows: {}
    )
    of_speaker = scores[groups[rows] == 3]
    assert (of_speaker[:, 2] < of_speaker[:, [0, 1, 3]].min(axis=1)).all()
    model = RejectingClassifier(Large(), cv=GroupKFold(4)).fit(X, y, groups=groups)
    assert model.temperature_ > 200  # where earlier bounds would have ended


def test_metadata_beside_audio_do_not_make_an_utterance_unusual(corpus, tmp_path):
    paths = [str(tmp_path / f"{i}.wav") for i in range(len(corpus.data))]
    for path, samples in zip(paths, corpus.data, strict=True):
        soundfile.write(path, samples, RATE)
    index = pd.Index(paths, name="file")
    table = pd.DataFrame({"age": 30 + np.arange(len(paths)) % 5}, index=index)
    with pytest.warns(UserWarning, match="names the speakers, but groups is None"):
        RejectingClassifier(LogisticRegression(), detect_speech=False).fit(
            pd.DataFrame({"speaker": np.arange(40.0), "x": 1.0}), np.tile(["a", "b"], 20)
        )
    audio = make_pipeline(MelSpectrogram(n_mels=8), Functionals(), StandardScaler(), SVC())
    model = RejectingClassifier(CalibratedClassifierCV(audio, cv=2), detect_speech=False)
    model.fit(table, corpus.target, groups=corpus.speakers)
    np.testing.assert_array_equal(model.reasons(table.assign(age=90)), model.reasons(table))
    # Vectors whose rows are named by files are vectors all the same.
    vectors = audio[:-1].fit_transform(table)
    of_vectors = RejectingClassifier(LogisticRegression(), detect_speech=False)
    named = pd.DataFrame(vectors, index).add_prefix("x")
    of_vectors.fit(named, corpus.target, groups=corpus.speakers)
    assert len(of_vectors.center_) == vectors.shape[1]
