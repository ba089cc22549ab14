import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.feature_extraction import MelSpectrogram
from skser.preprocessing import SpeakerScaler
from skser.sequences import Sequences

RATE = 16000


class Levels(TransformerMixin, BaseEstimator):
    """Three features per utterance: mean, standard deviation, and a constant."""

    def fit(self, X, y=None):
        self.n_fits_ = getattr(self, "n_fits_", 0) + 1
        return self

    def transform(self, X):
        return np.array([[x.mean(), x.std(), 7.0] for x in X["audio"]], np.float64)

    def get_feature_names_out(self, input_features=None):
        return np.array(["mean", "spread", "seven"], dtype=object)


class Means(TransformerMixin, BaseEstimator):
    """Mean and standard deviation of every column over the frames of an utterance."""

    def __init__(self, spread=True):
        self.spread = spread

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        spread = self.spread
        return np.array([np.r_[x.mean(axis=0), x.std(axis=0)[: 999 * spread]] for x in X])

    def __sklearn_is_fitted__(self):
        return True


def mel(**kwargs):
    return MelSpectrogram(n_mels=8, deltas=0, normalize=None, input_sampling_rate=RATE, **kwargs)


def test_frames_are_standard_within_each_speaker(corpus):
    extracted = mel().transform(corpus.data)
    X = SpeakerScaler(mel()).fit_transform(corpus.frame)
    assert isinstance(X, Sequences)
    assert X.layout == extracted.layout
    np.testing.assert_array_equal(X.lengths, extracted.lengths)
    for speaker in set(corpus.speakers):
        theirs = corpus.speakers == speaker
        frames = extracted[theirs].frames().astype(float)
        expected = (frames - frames.mean(axis=0)) / frames.std(axis=0)
        np.testing.assert_allclose(X[theirs].frames(), expected, atol=1e-4)


def test_vectors_are_standard_within_each_speaker(corpus):
    vectors = Levels().transform(corpus.frame)
    X = SpeakerScaler(Levels()).fit_transform(corpus.frame)
    for speaker in set(corpus.speakers):
        theirs = corpus.speakers == speaker
        own = vectors[theirs, :2]
        np.testing.assert_allclose(X[theirs, :2], (own - own.mean(axis=0)) / own.std(axis=0))


def test_constant_columns_become_zero(corpus):
    assert (SpeakerScaler(Levels()).fit_transform(corpus.frame)[:, 2] == 0).all()
    silence = pd.DataFrame({"audio": [np.zeros(4000)] * 2, "speaker": ["a", "b"]})
    assert (SpeakerScaler(mel()).fit_transform(silence).values == 0).all()


def test_other_speakers_in_the_table_have_no_effect(corpus):
    theirs = corpus.speakers == "02"
    scaler = SpeakerScaler(Levels()).fit(corpus.frame[~theirs])
    alone = scaler.transform(corpus.frame[theirs])
    np.testing.assert_array_equal(alone, scaler.transform(corpus.frame)[theirs])


def test_other_utterances_of_the_speaker_have_an_effect(corpus):
    scaler = SpeakerScaler(Levels()).fit(corpus.frame)
    few, all_ = (scaler.transform(corpus.frame[:n])[:5] for n in (5, 10))
    assert np.abs(few[:, :2] - all_[:, :2]).max() > 0.1


def test_the_order_of_utterances_has_no_effect(corpus):
    order = np.random.RandomState(0).permutation(40)
    scaler = SpeakerScaler(Levels()).fit(corpus.frame)
    np.testing.assert_allclose(
        scaler.transform(corpus.frame.iloc[order]), scaler.transform(corpus.frame)[order]
    )


def test_another_column_may_name_the_speakers(corpus):
    table = corpus.frame.assign(session=np.arange(40) % 3)
    X = SpeakerScaler(Levels(), speaker="session").fit_transform(table)
    np.testing.assert_allclose(X[::3, :2].mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(X[1::3, :2].std(axis=0), 1)


def test_a_speaker_with_one_vector_is_named(corpus):
    table = corpus.frame[9:21]
    with pytest.warns(UserWarning, match=r"a single utterance: \['01', '03'\].*becomes 0"):
        X = SpeakerScaler(Levels()).fit_transform(table)
    assert (X[[0, -1]] == 0).all()
    # The frames of a single utterance vary, so there is no warning.
    SpeakerScaler(mel()).fit_transform(table)


def test_set_output_chooses_the_container_of_vectors(corpus):
    table = corpus.frame.set_index(np.arange(40) + 100)
    plain = SpeakerScaler(Levels()).fit_transform(table)
    scaler = SpeakerScaler(Levels()).set_output(transform="pandas")
    first = scaler.fit_transform(table)
    for X in (first, scaler.transform(table), clone(scaler).fit(table).transform(table)):
        assert list(X) == ["mean", "spread", "seven"]
        assert X.index.tolist() == table.index.tolist()
        np.testing.assert_array_equal(X, plain)
    with config_context(transform_output="pandas"):
        assert list(SpeakerScaler(Levels()).fit_transform(table)) == ["mean", "spread", "seven"]
    assert scaler.get_feature_names_out().tolist() == ["mean", "spread", "seven"]
    sequences = SpeakerScaler(mel()).set_output(transform="pandas").fit_transform(table)
    assert isinstance(sequences, Sequences)


def test_feature_names_of_frames_are_those_of_the_transformer(corpus):
    scaler = SpeakerScaler(mel()).fit(corpus.frame)
    assert scaler.get_feature_names_out().tolist() == [f"mel{i}" for i in range(8)]


def test_features_are_extracted_once_in_fit_transform(corpus, monkeypatch):
    calls = []
    transform = MelSpectrogram.transform

    def spy(self, X):
        calls.append(len(X))
        return transform(self, X)

    monkeypatch.setattr(MelSpectrogram, "transform", spy)
    SpeakerScaler(make_pipeline(mel(), Means())).fit_transform(corpus.frame)
    assert calls == [40]


def test_the_transformer_is_cloned(corpus):
    levels = Levels()
    scaler = SpeakerScaler(levels).fit(corpus.frame)
    assert not hasattr(levels, "n_fits_")
    assert scaler.transformer_.n_fits_ == 1
    again = pickle.loads(pickle.dumps(scaler))
    np.testing.assert_array_equal(again.transform(corpus.frame), scaler.transform(corpus.frame))


def test_speakers_are_scaled_separately_in_cross_validation():
    # Aroused speech is 1.5 times as loud, but speakers differ by far more than that.
    random = np.random.RandomState(0)
    speakers = np.repeat(["a", "b", "c", "d", "e"], 8)
    aroused = np.tile([False, True], 20)
    loudness = np.repeat([0.01, 0.02, 0.05, 0.1, 0.2], 8) * np.where(aroused, 1.5, 1)
    audio = pd.Series([level * random.randn(4000) for level in loudness], dtype=object)
    table = pd.DataFrame({"audio": audio, "speaker": speakers})
    accuracies = [
        (predicted == aroused).mean()
        for predicted in (
            cross_val_predict(model, table, aroused, groups=speakers, cv=LeaveOneGroupOut())
            for model in (
                make_pipeline(SpeakerScaler(Levels()), LogisticRegression()),
                make_pipeline(Levels(), StandardScaler(), LogisticRegression()),
            )
        )
    ]
    assert accuracies[0] == 1
    assert accuracies[1] < 0.7


@pytest.mark.filterwarnings("ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning")
def test_grid_search_over_vectors_in_processes_and_over_frames(corpus):
    # Not imported above, so that the processes, which import this module, need not load torch.
    from skser.neural_network import AttentionFCNClassifier

    network = AttentionFCNClassifier(
        filters=(4, 8), strides=2, pool_sizes=1, max_epochs=1, device="cpu", n_threads=1
    )
    vectors = make_pipeline(mel(), Means())
    spread = "speakerscaler__transformer__means__spread"

    for last, transformer, grid, n_jobs in (
        (LogisticRegression(C=0.1), vectors, {spread: [0, 1]}, 2),
        (network, mel(), {"speakerscaler__transformer__n_mels": [8, 16]}, None),
    ):
        search = GridSearchCV(
            make_pipeline(SpeakerScaler(transformer), last),
            grid, cv=GroupKFold(2), scoring="balanced_accuracy", n_jobs=n_jobs,
        )  # fmt: skip
        search.fit(corpus.frame, corpus.target, groups=corpus.speakers)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert search.predict(corpus.frame).shape == (40,)


def test_bad_input_is_refused(corpus):
    scaler = SpeakerScaler(Levels())
    with pytest.raises(TypeError, match="DataFrame with columns 'audio' and 'speaker', not list"):
        scaler.fit(["a.wav"])
    with pytest.raises(ValueError, match="no column 'speaker'; its columns are .'audio'"):
        scaler.fit(corpus.frame.drop(columns="speaker"))
    with pytest.raises(ValueError, match="no column 'audio'"):
        SpeakerScaler(mel()).fit_transform(corpus.frame.drop(columns="audio"))
    holes = corpus.frame.assign(speaker=["a", None, " ", np.nan] * 10)
    with pytest.raises(ValueError, match="30 of 40 utterances have no 'speaker'.*utterance 1"):
        scaler.fit(holes)
    with pytest.raises(ValueError, match="30 of 40 utterances have no 'speaker'"):
        scaler.fit(corpus.frame).transform(holes)
    with pytest.raises(NotFittedError):
        clone(scaler).transform(corpus.frame)
    with pytest.raises(ValueError, match="'transformer' parameter"):
        SpeakerScaler("mel").fit(corpus.frame)
    with pytest.raises(ValueError, match="'speaker' parameter"):
        SpeakerScaler(mel(), speaker=3).fit(corpus.frame)


def test_features_that_cannot_be_scaled_are_refused(corpus, tmp_path):
    table = corpus.frame[:12]

    class Holes(Levels):
        def transform(self, X):
            vectors = super().transform(X)
            vectors[3, 0] = np.nan
            return vectors

    with pytest.raises(ValueError, match="features of utterance 3 are not finite"):
        SpeakerScaler(Holes()).fit_transform(table)
    files = pd.DataFrame({"audio": [str(tmp_path / "no.wav")], "speaker": ["a"]})
    with (
        pytest.warns(UserWarning, match="left with 0 frames"),
        pytest.raises(ValueError, match="Utterance 0 has 0 frames"),
    ):
        SpeakerScaler(mel(on_error="empty")).fit_transform(files)
