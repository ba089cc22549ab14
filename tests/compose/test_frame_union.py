import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skser
from skser.compose import FrameUnion
from skser.feature_extraction import MFCC, FrameFeatures, Functionals, LevelContour, MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

RATE = {"input_sampling_rate": 16000}


def mel(**kwargs):
    return MelSpectrogram(n_mels=8, deltas=0, **RATE, **kwargs)


def mfcc(**kwargs):
    return MFCC(n_mfcc=5, deltas=0, **RATE, **kwargs)


def union(**kwargs):
    return FrameUnion([("mel", mel()), ("mfcc", mfcc())], **kwargs)


def test_columns_are_concatenated_frame_by_frame(corpus):
    X = union().fit_transform(corpus.data[:4])
    parts = mel().transform(corpus.data[:4]), mfcc().transform(corpus.data[:4])
    for frames, one, other in zip(X, *parts, strict=True):
        np.testing.assert_array_equal(frames, np.hstack([one, other]))
    assert X.layout.feature_names == tuple(union().get_feature_names_out())
    assert (X.layout.hop, X.layout.offset) == (parts[0].layout.hop, parts[0].layout.offset)
    named = union(verbose_feature_names_out=True)
    assert named.fit_transform(corpus.data[:1]).layout.feature_names[8] == "mfcc__mfcc0"
    assert named.get_feature_names_out()[8] == "mfcc__mfcc0"


def test_set_output_does_not_change_frames(corpus):
    frame = corpus.frame.iloc[[5, 2, 9]]
    expected = union().fit_transform(frame)
    assert list(expected.index) == [5, 2, 9]
    with config_context(transform_output="pandas"):
        given = union().fit_transform(frame)
    for X in (given, union().set_output(transform="pandas").fit_transform(frame)):
        np.testing.assert_array_equal(X.values, expected.values)
        assert list(X.index) == [5, 2, 9]


def test_frames_with_different_times_raise(corpus):
    for other, match in (
        (mfcc(hop=0.02), "hop is 0.01 s and 0.02 s"),
        (LevelContour(offset=0.1, hop=0.01, **RATE), "offset is 0.0 s and 0.1"),
        (Functionals(mfcc()), "'other' must return frame seq.*it returned ndarray.*FeatureUnion"),
        (mel(), "not unique.*verbose_feature_names_out=True"),
    ):
        with pytest.raises((ValueError, TypeError), match=match):
            FrameUnion([("mel", mel()), ("other", other)]).fit_transform(corpus.data[:2])


def test_different_numbers_of_frames_or_utterances_raise(sequences):
    for function, match in (
        (lambda X: X[[1, 0, 2, 3, 4, 5]], "Utterance 0 has 12 frames from 'own', but 3 from 'oth"),
        (lambda X: X[:2], "'own' returned 6 utterances, but 'other' returned 2"),
    ):
        with pytest.raises(ValueError, match=match):
            FrameUnion(
                [("own", "passthrough"), ("other", FunctionTransformer(function))]
            ).fit_transform(sequences)


def test_scikit_learn_feature_union_of_frames_raises(corpus):
    with pytest.raises((ValueError, TypeError), match="dimensions|FrameUnion"):
        FeatureUnion([("mel", mel()), ("mfcc", mfcc())]).fit_transform(corpus.data[:2])


def test_functionals_recognize_columns_of_a_union(corpus):
    pitch = FrameFeatures(("pitch",), **RATE)
    model = make_pipeline(FrameUnion([("pitch", pitch), ("mel", mel())]), Functionals())
    model.fit(corpus.data[:3])
    assert "rhythm_voiced_share" in model.get_feature_names_out()


@pytest.mark.filterwarnings("ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning")
def test_union_works_in_pipelines_searches_and_saved_models(corpus, tmp_path):
    audio, y = corpus.data, corpus.target
    network = AttentionFCNClassifier(
        filters=(4, 8), strides=2, pool_sizes=1, max_epochs=1, device="cpu", random_state=0
    )
    model = make_pipeline(union(), SequenceScaler(), network).fit(audio, y)
    expected = model.predict_proba(audio[:3])
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(model)).predict_proba(audio[:3]), expected
    )
    skser.save(model, tmp_path / "model.skser")
    loaded = skser.load(tmp_path / "model.skser")
    np.testing.assert_allclose(loaded.predict_proba(audio[:3]), expected, atol=1e-6)
    vectors = make_pipeline(union(), Functionals(statistics=("moments",)))
    assert vectors.fit_transform(audio[:3]).shape == (3, 13 * 4)
    search = GridSearchCV(model, {"frameunion__mel__n_mels": [4, 6]}, cv=2).fit(audio, y)
    assert search.best_estimator_[0].transform(audio[:1]).n_columns in (9, 11)


def test_parts_may_be_dropped_or_passed_through(corpus):
    frames = mel().transform(corpus.data[:3])
    scaled = FrameUnion([("own", "passthrough"), ("not", "drop"), ("scaled", SequenceScaler())])
    scaled.set_params(verbose_feature_names_out=True)
    X = scaled.fit_transform(frames)
    assert X.n_columns == 16
    np.testing.assert_array_equal(X.values[:, :8], frames.values)
    np.testing.assert_allclose(X.values[:, 8:].mean(axis=0), 0, atol=1e-4)


def test_invalid_parameter_raises(corpus):
    with pytest.raises(ValueError, match="'verbose_feature_names_out' parameter"):
        union(verbose_feature_names_out="mel").fit(corpus.data)
