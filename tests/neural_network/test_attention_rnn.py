"""The recurrent network: audio, text or both, missing modalities and fine-tuned encoders."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from fusion import network, planted_mass, two_halves
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from skser.audio import AudioReadError
from skser.feature_extraction import MelSpectrogram, SpeechEmbedding, TextEmbedding
from skser.neural_network import AttentionRNNClassifier, AttentionRNNRegressor, SpecAugment
from skser.neural_network.modules.attention import AttentionPooling
from skser.neural_network.modules.attention_rnn import PresentBatchNorm, attentive_statistics
from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences
from tests.support.checkpoints import SPEECH, save_speech_checkpoint, save_text_checkpoint

QUIET = "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
pytestmark = pytest.mark.filterwarnings(QUIET)
EXACT = {"device": "cpu", "n_threads": 1, "random_state": 0}
# Fewer and larger updates than the benchmark's, which suffice for a single seed.
QUICK = {"max_epochs": 20, "learning_rate": 0.01, "batch_size": 32}


@pytest.fixture(scope="module")
def halves():
    return two_halves(320, seed=0), two_halves(100, seed=1)


@pytest.fixture(scope="module")
def fused(halves):
    (X, y, _), _ = halves
    return network(0, **QUICK).fit(X, y)


def test_fusion_beats_either_modality(halves, fused):
    (X, y, _), (X_test, y_test, _) = halves
    both = fused.score(X_test, y_test)
    alone = [
        network(0, **QUICK, **other).fit(X, y).score(X_test, y_test)
        for other in ({"text": None}, {"audio": None})
    ]
    assert both > 0.8
    assert max(alone) < 0.65


def test_the_alignment_finds_the_planted_pairs(halves, fused):
    _, (X_test, _, places) = halves
    assert planted_mass(fused, X_test, places) > 0.7
    weights = fused.alignment(X_test)[0]
    np.testing.assert_allclose(weights.columns[:3], [0, 0.02, 0.04])
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)


def test_frames_can_attend_to_words(halves):
    (X, y, _), _ = halves
    model = network(0, fusion="frames-to-words", max_epochs=2).fit(X[:40], y[:40])
    for weights in model.alignment(X[:3]):
        np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-5)
    model = network(0, fusion="late", max_epochs=2).fit(X[:40], y[:40])
    with pytest.raises(ValueError, match="another fusion than 'late'"):
        model.alignment(X[:3])


def test_either_modality_may_be_missing(halves, fused):
    _, (X_test, y_test, _) = halves
    expected = fused.predict_proba(X_test)
    mixed = X_test.copy()
    mixed.loc[::3, "audio"] = None
    mixed.loc[1::3, "transcript"] = None
    found = fused.predict_proba(mixed)
    np.testing.assert_allclose(found[2::3], expected[2::3], atol=1e-5)
    assert np.abs(found - expected)[:2].max() > 0.01
    # A missing column equals an empty one.
    for column in ("audio", "transcript"):
        without = X_test.drop(columns=column)
        empty = X_test.assign(**{column: None})
        probabilities = fused.predict_proba(without)
        np.testing.assert_allclose(probabilities, fused.predict_proba(empty), atol=1e-6)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    text_only = fused.predict(X_test.drop(columns="audio"))
    right = [a.split()[0] == b.split()[0] for a, b in zip(text_only, y_test, strict=True)]
    assert np.mean(right) > 0.8


def test_predictions_do_not_depend_on_other_utterances(halves, fused):
    _, (X_test, _, _) = halves
    mixed = X_test[:9].copy()
    mixed.loc[::3, "audio"] = None
    together = fused.predict_proba(mixed)
    alone = np.concatenate([fused.predict_proba(mixed[i : i + 1]) for i in range(9)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_it_trains_with_missing_modalities(halves):
    (X, y, _), _ = halves
    X = X[:40].copy()
    X.loc[::3, "audio"] = None
    X.loc[1::3, "transcript"] = None
    model = network(0, max_epochs=3, augment="auto").fit(X, y[:40])
    assert np.isfinite(model.predict_proba(X)).all()
    assert len(model.history_) == 3
    model.partial_fit(X.drop(columns="audio").dropna(), y[:40][X["transcript"].notna()])


def test_augmentation_keeps_missing_audio_empty():
    x = torch.ones(3, 1, 12, 4)
    x[1] = 0
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        y, lengths = SpecAugment()(x, torch.tensor([12, 0, 5]), generator)
        assert lengths[1] == 0
        assert y[1].abs().max() == 0
        assert lengths[0] > 0 < lengths[2]


BAD = [
    ("neither", lambda X: X.assign(audio=None, transcript=None), "Utterance 0 has no value"),
    ("a row of neither", lambda X: X.drop(7).reindex(range(12)), "7 has no value.* in 'audio' and"),
    ("an empty transcript", lambda X: X.assign(transcript=" "), "transcript of utterance 0 is emp"),
]


@pytest.mark.parametrize(("change", "message"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_incomplete_tables_are_rejected(halves, fused, change, message):
    X = halves[1][0][:12].reset_index(drop=True)
    with pytest.raises(ValueError, match=message):
        fused.predict(change(X))


def test_training_without_a_modality_is_rejected(halves):
    (X, y, _), _ = halves
    with pytest.raises(ValueError, match=r"column 'transcript' of X .* in all 20 rows: set text"):
        network(0).fit(X[:20].drop(columns="transcript"), y[:20])
    with pytest.raises(ValueError, match=r"mixup=0\.2 cannot mix texts"):
        network(0, mixup=0.2).fit(X[:20], y[:20])
    with pytest.raises(TypeError, match=r"utterance table \(a DataFrame\), or a list"):
        network(0).fit(3, y[:20])


def test_pooled_embeddings_are_refused(tmp_path, wav):
    whisper = save_speech_checkpoint("whisper", tmp_path / "w")
    paths = [wav(np.random.RandomState(i).randn(8000) / 10, name=f"{i}.wav") for i in range(4)]
    model = AttentionRNNClassifier(SpeechEmbedding(whisper), **EXACT)
    with pytest.raises(TypeError, match="must return Sequences, but returned ndarray: set its"):
        model.fit(paths, ["a", "b"] * 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders")
    for kind in SPEECH:
        save_speech_checkpoint(kind, folder / kind)
    save_text_checkpoint(folder / "bert")
    return folder


class Words(TransformerMixin, BaseEstimator):
    """Transformer into one frame per word, which holds the word's length."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return Sequences.from_list(
            [np.array([[len(w)] for w in text.split()], np.float32) for text in X["transcript"]]
        )


class TestEmbeddings:
    """Networks on encoders with random weights, for files and transcripts."""

    @pytest.fixture
    def table(self, wav):
        random = np.random.RandomState(0)
        paths = [wav(random.randn(6000 + 500 * i) / 10, name=f"{i}.wav") for i in range(12)]
        texts = ["i am so happy", "sad today", "so sadly happy"] * 4
        return pd.DataFrame({"audio": paths, "transcript": texts, "speaker": list("abc") * 4})

    Y = np.array(["a", "b"] * 6)

    def test_audio_text_or_both_are_embedded(self, folder, table):
        audio = SpeechEmbedding(folder / "whisper", "all", None, device="cpu")
        text = TextEmbedding(folder / "bert", -1, None, device="cpu")
        for chosen in ({"audio": audio}, {"text": text}, {"audio": audio, "text": text}):
            model = AttentionRNNClassifier(**chosen, max_epochs=2, n_hidden=8, **EXACT)
            expected = clone(model).fit(table, self.Y).predict_proba(table)
            loaded = pickle.loads(pickle.dumps(model.fit(table, self.Y)))
            np.testing.assert_array_equal(loaded.predict_proba(table), expected)
            assert model.audio is chosen.get("audio")
        maps = model.alignment(table[:3])
        assert list(maps[1].index) == ["sad", "today"]
        assert maps[0].shape == (4, 19)
        np.testing.assert_allclose(model.layer_weights_.sum(), 1)
        assert model.layer_weights_.shape == (4,)

    def test_a_list_of_paths_equals_a_table(self, folder, table):
        audio = SpeechEmbedding(folder / "whisper", 2, None, device="cpu")
        model = AttentionRNNClassifier(audio, max_epochs=2, n_hidden=8, **EXACT)
        model.fit(list(table["audio"]), self.Y)
        expected = model.predict_proba(table)
        np.testing.assert_array_equal(model.predict_proba(list(table["audio"])), expected)

    def test_an_unreadable_file_counts_as_missing_if_the_transformer_allows_it(self, folder, table):
        audio = SpeechEmbedding(folder / "whisper", 2, None, device="cpu", on_error="empty")
        text = TextEmbedding(folder / "bert", -1, None, device="cpu")
        model = AttentionRNNClassifier(audio, text, max_epochs=1, n_hidden=8, **EXACT)
        model.fit(table, self.Y)
        table.loc[3, "audio"] = "nowhere.wav"
        expected = model.predict_proba(table.assign(audio=None))[3]
        with pytest.warns(UserWarning, match=r"nowhere\.wav: no such file"):
            np.testing.assert_allclose(model.predict_proba(table)[3], expected, atol=1e-5)
        model.set_params(text=None)
        with (
            pytest.warns(UserWarning, match=r"nowhere\.wav: no such file"),
            pytest.raises(ValueError, match="Utterance 3 has no value, or 0 frames, in 'audio'"),
        ):
            model.fit(table, self.Y)

    def test_unusable_audio_is_named_by_its_row(self, folder, table):
        audio = SpeechEmbedding(
            folder / "whisper", 2, None, device="cpu", input_sampling_rate=16000
        )
        text = TextEmbedding(folder / "bert", -1, None, device="cpu")
        model = AttentionRNNClassifier(audio, text, max_epochs=1, n_hidden=8, **EXACT)
        noise = [np.random.RandomState(i).randn(8000) / 10 for i in range(12)]
        table = table.astype(object).assign(audio=pd.Series(noise, dtype=object))
        table.at[0, "audio"] = None
        table.at[5, "audio"] = noise[5][:100]
        with pytest.raises(AudioReadError, match="utterance 5: has 100 samples"):
            model.fit(table, self.Y)
        table.at[5, "audio"] = np.nan
        table.at[7, "transcript"] = 3
        with pytest.raises(ValueError, match="utterance 7 must be a str, not the number 3"):
            model.fit(table, self.Y)

    def test_a_trainable_transformer_is_fitted_on_rows_with_audio(self, table):
        audio = make_pipeline(MelSpectrogram(n_mels=8), SequenceScaler())
        table.loc[4, "audio"] = None
        model = AttentionRNNClassifier(audio, Words(), max_epochs=1, n_hidden=8, **EXACT)
        assert np.isfinite(model.fit(table, self.Y).predict_proba(table)).all()

    def test_fine_tuning_is_repeatable_and_leaves_the_global_seed_alone(self, folder, table):
        audio = SpeechEmbedding(folder / "wav2vec2", 3, None, device="cpu")
        model = AttentionRNNClassifier(
            audio, cell=None, n_fine_tuned_layers=2, max_epochs=1, **EXACT
        )
        found = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            expected = torch.rand(1)
            torch.manual_seed(seed)
            found.append(clone(model).fit(table, self.Y).predict_proba(table))
            assert torch.rand(1) == expected
        np.testing.assert_array_equal(*found)

    def test_incompatible_parameters_are_rejected(self, folder, table):
        audio = SpeechEmbedding(folder / "whisper", 3, None, device="cpu")
        for settings, message in (
            ({"adapter_rank": 2}, "adapter_rank=2 adapts fine-tuned layers, but n_fine_tuned"),
            ({"audio": None, "text": Words(), "mixup": 0.3}, r"mixup=0\.3 cannot mix texts"),
        ):
            model = AttentionRNNClassifier(**{"audio": audio} | settings, **EXACT)
            with pytest.raises(ValueError, match=message):
                model.fit(table, self.Y)

    def test_layers_are_searched_over_speakers(self, folder, table):
        audio = SpeechEmbedding(folder / "whisper", 2, None, device="cpu")
        model = AttentionRNNClassifier(audio, max_epochs=1, n_hidden=8, **EXACT)
        search = GridSearchCV(
            model, {"n_hidden": [4, 8], "audio__layers": [1, 2]}, cv=GroupKFold(3),
            scoring="balanced_accuracy", error_score="raise",
        )  # fmt: skip
        search.fit(table, self.Y, groups=table["speaker"])
        assert len(search.cv_results_["mean_test_score"]) == 4
        best = search.best_estimator_
        assert best.audio.layers == search.best_params_["audio__layers"]
        assert best.net_.module_.audio.recurrent.hidden_size == search.best_params_["n_hidden"]
        assert set(search.predict(table)) <= {"a", "b"}

    @pytest.mark.parametrize("kind", [kind for kind in SPEECH if not kind.startswith("wavlm")])
    def test_fine_tuned_layers_start_as_the_encoder_and_then_change(self, folder, table, kind):
        audio = SpeechEmbedding(folder / kind, -1, None, device="cpu")
        settings = {"cell": None, "n_hidden": 8, "n_fine_tuned_layers": 2, "augment": None} | EXACT
        still = AttentionRNNClassifier(audio, max_epochs=1, learning_rate=1e-12, **settings)
        frames = still.fit(table, self.Y).transformers_["audio"].transform(table)
        module = still.net_.module_.audio.eval()
        x = torch.from_numpy(np.asarray(frames[3]))[None, None]
        states = module.states(x, torch.tensor([len(frames[3])]))[0, 0].detach().numpy()
        whole = audio.transform(table[3:4])[0]
        np.testing.assert_allclose(states, whole, atol=1e-4)
        moved = AttentionRNNClassifier(audio, max_epochs=2, **settings).fit(table, self.Y)
        again = moved.net_.module_.audio.states(x, torch.tensor([len(frames[3])]))
        assert np.abs(again[0, 0].detach().numpy() - whole).max() > 1e-3
        # The shared encoder has not changed.
        np.testing.assert_array_equal(audio.transform(table[3:4])[0], whole)
        copy = pickle.loads(pickle.dumps(moved))
        np.testing.assert_array_equal(copy.predict_proba(table), moved.predict_proba(table))

    def test_adapters_do_not_change_the_encoders_weights(self, folder, table):
        audio = SpeechEmbedding(folder / "whisper", 3, None, device="cpu")
        model = AttentionRNNClassifier(
            audio, cell=None, n_fine_tuned_layers=2, adapter_rank=2, max_epochs=2, **EXACT
        ).fit(table, self.Y)
        layers = model.net_.module_.audio.encoder_layers
        trained = {name for name, p in layers.named_parameters() if p.requires_grad}
        assert trained
        assert all("lora_" in name for name in trained)
        assert any(p.abs().max() > 0 for name, p in layers.named_parameters() if "lora_B" in name)
        copy = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(copy.predict_proba(table), model.predict_proba(table))

    def test_layers_that_cannot_be_fine_tuned_are_rejected(self, folder, table):
        def rejects(message, audio, n=1):
            model = AttentionRNNClassifier(audio, n_fine_tuned_layers=n, **EXACT)
            with pytest.raises(ValueError, match=message):
                model.fit(table, self.Y)

        whisper, wavlm = folder / "whisper", folder / "wavlm"
        rejects("does not support WavLM", SpeechEmbedding(wavlm, 2, None, device="cpu"))
        rejects("one layer with pooling=None", SpeechEmbedding(whisper, "all", None, device="cpu"))
        rejects("one layer with pooling=None", SpeechEmbedding(whisper, 2, device="cpu"))
        rejects("=3 exceeds layer 2", SpeechEmbedding(whisper, 2, None, device="cpu"), 3)
        rejects("needs a SpeechEmbedding as audio", make_pipeline(MelSpectrogram()))


def test_it_learns_made_up_speech(corpus, mels):
    X = Sequences.from_list([frames[::4] for frames in mels], mels.layout)
    model = AttentionRNNClassifier(max_epochs=40, learning_rate=0.005, augment=None, **EXACT)
    assert model.fit(X, corpus.target).score(X, corpus.target) > 0.9
    model = AttentionRNNRegressor(max_epochs=15, **EXACT)
    y = corpus.frame["activation"]
    assert model.fit(X, y).score(X, y) > 0.5


class TestWithoutCell:
    """The network with cell=None, which pools frames directly."""

    def test_it_learns_and_predictions_do_not_depend_on_other_utterances(self):
        random = np.random.RandomState(0)
        y = np.repeat([0, 1], 100)
        # The second class shows in three frames, at a random place in each utterance.
        X = [random.randn(random.randint(10, 40), 6) for _ in y]
        for i in np.flatnonzero(y):
            place = random.randint(len(X[i]) - 3)
            X[i][place : place + 3, 2] += 6
        model = AttentionRNNClassifier(
            cell=None, max_epochs=30, learning_rate=0.01, augment=None, **EXACT
        )
        model.fit(X[::2], y[::2])
        assert model.score(X[1::2], y[1::2]) > 0.9
        together = model.predict_proba(X)
        alone = np.concatenate([model.predict_proba([x]) for x in X])
        np.testing.assert_allclose(together, alone, atol=1e-5)

    def test_the_last_batch_may_hold_one_utterance(self):
        random = np.random.RandomState(0)
        X, y = random.randn(17, 10, 3), np.arange(17) % 2
        model = AttentionRNNClassifier(cell=None, max_epochs=3, batch_size=16, **EXACT)
        assert np.isfinite(model.fit(X, y).predict_proba(X)).all()

    def test_missing_audio_does_not_enter_the_statistics(self):
        norm = PresentBatchNorm(2)
        x = torch.tensor([[1.0, 2.0], [3.0, 6.0], [1e6, 1e6]])
        out = norm(x, torch.tensor([True, True, False]))
        np.testing.assert_allclose(out.detach()[:2], [[-1, -1], [1, 1]], atol=1e-3)
        np.testing.assert_allclose(norm.running_mean, [2, 4])

    def test_pooling_keeps_its_precision_under_autocast(self):
        pooling = AttentionPooling(4)
        frames = 100 + torch.randn(3, 50, 4, generator=torch.Generator().manual_seed(0))
        lengths = torch.tensor([50, 40, 30])
        expected = attentive_statistics(pooling, frames, lengths)[:, 4:]
        with torch.autocast("cpu", torch.bfloat16):
            found = attentive_statistics(pooling, frames, lengths)[:, 4:]
        np.testing.assert_allclose(found.detach(), expected.detach(), rtol=0.05)
