"""Exported stacks and fine-tuned layers of encoders predict as they do."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler
from sklearn.svm import LinearSVC

from skser.compose import RejectingClassifier
from skser.export import export_onnx
from skser.feature_extraction import MelSpectrogram, SpeechEmbedding
from skser.neural_network import AttentionRNNClassifier
from skser.pipelines import functionals
from tests.support.checkpoints import save_speech_checkpoint
from tests.support.onnx_checks import QUICK, assert_same, exported, only_input

RANDOM = np.random.RandomState(0)
CLASSES = RANDOM.randint(3, size=90)
X = RANDOM.randn(90, 6) + CLASSES[:, None] * [1, -1, 0.5, 0, 2, 0]
OTHERS = 3 * RANDOM.randn(50, 6)
MEMBERS = [
    ("linear", make_pipeline(StandardScaler(), LogisticRegression())),
    ("margin", LinearSVC()),
]


def trained(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("passthrough", [False, True])
def test_stacks_give_the_same_probabilities(n_classes, passthrough, tmp_path):
    y = np.array(["anger", "fear", "joy"])[np.minimum(CLASSES, n_classes - 1)]
    last = make_pipeline(StandardScaler(), LogisticRegression())
    stack = StackingClassifier(MEMBERS, last, cv=3, passthrough=passthrough).fit(X, y)
    loaded = exported(make_pipeline(StandardScaler(), stack).fit(X, y), tmp_path)
    assert loaded.classes_.tolist() == sorted(set(y))
    inside = [step["class"] for step in only_input(loaded)["inside"]]
    assert inside[0] == "StandardScaler"
    assert "StackingClassifier" in inside
    assert_same(loaded, make_pipeline(StandardScaler(), stack).fit(X, y), OTHERS, 1e-5)


def test_stacks_of_regressors_give_the_same_numbers(tmp_path):
    y = X @ [1, 2, 3, 4, 5, 6] + 50
    members = [("a", Ridge(1e3)), ("b", make_pipeline(StandardScaler(), LinearRegression()))]
    model = StackingRegressor(members, Ridge(), cv=3).fit(X, y)
    found = exported(model, tmp_path).predict(OTHERS)
    assert found.shape == (50,)
    np.testing.assert_allclose(found, model.predict(OTHERS), rtol=0, atol=2e-4)


def test_a_stack_of_a_network_and_a_linear_model_takes_audio(corpus, tmp_path):
    data, target = corpus.data[:20], corpus.target[:20]
    mels = MelSpectrogram(n_mels=8, input_sampling_rate=16000)
    network = make_pipeline(mels, AttentionRNNClassifier(n_hidden=4, **QUICK))
    model = StackingClassifier(
        [
            ("network", network),
            ("linear", functionals(input_sampling_rate=16000, memory=tmp_path / "memory")),
        ],
        cv=2,
    )
    model = trained(model, data, target)
    loaded = exported(model, tmp_path)
    assert [given["form"] for given in loaded.description["inputs"]] == ["waveform", "vectors"]
    assert_same(loaded, model, data, 1e-4)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (StackingClassifier(MEMBERS, stack_method="predict"), "not of 'predict' of Logistic"),
        (
            StackingClassifier(MEMBERS, make_pipeline(PowerTransformer(), LogisticRegression())),
            "no operators for PowerTransformer after a stack",
        ),
        (
            RejectingClassifier(StackingClassifier(MEMBERS), unknown_label=-1),
            "stack inside a RejectingClassifier",
        ),
    ],
    ids=["predict", "last", "rejecting"],
)
def test_stacks_without_operators_are_refused(model, reason, tmp_path):
    with pytest.raises(TypeError, match=reason):
        export_onnx(model.fit(X, CLASSES), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("layers", "settings"),
    [(-1, {}), (2, {"adapter_rank": 2}), (3, {"cell": None})],
    ids=["normalized", "adapters", "without a cell"],
)
def test_fine_tuned_layers_of_whisper_are_part_of_the_graph(layers, settings, corpus, tmp_path):
    checkpoint = save_speech_checkpoint("whisper", tmp_path)
    audio = SpeechEmbedding(
        checkpoint, layers, None, input_sampling_rate=16000, device="cpu", n_jobs=1
    )
    model = AttentionRNNClassifier(
        audio, n_hidden=4, n_fine_tuned_layers=2, **{"learning_rate": 0.01} | settings | QUICK
    )
    data = corpus.data[:8]
    model = trained(model, data, corpus.target[:8])
    before = model.predict_proba(data)
    with torch.no_grad():  # one epoch changes little
        for weights in model.net_.module_.audio.encoder_layers.parameters():
            weights.mul_(1.5)
    assert np.abs(model.predict_proba(data) - before).max() > 1e-3
    loaded = exported(model, tmp_path)
    assert only_input(loaded)["form"] == "waveform"
    assert_same(loaded, model, data, 1e-5, spread=0.01)


def test_votes_hold_two_networks_that_were_fine_tuned_differently(corpus, tmp_path):
    checkpoint = save_speech_checkpoint("whisper", tmp_path)
    audio = SpeechEmbedding(checkpoint, 2, None, input_sampling_rate=16000, device="cpu")
    members = [
        (str(rate), AttentionRNNClassifier(
            audio, n_hidden=4, n_fine_tuned_layers=1, learning_rate=rate, **QUICK
        ))
        for rate in (0.001, 0.01)
    ]  # fmt: skip
    model = VotingClassifier(members, voting="soft")
    model = trained(model, corpus.data[:8], corpus.target[:8])
    assert_same(exported(model, tmp_path), model, corpus.data[:8], 1e-5, spread=0.01)


def test_fine_tuned_layers_of_other_encoders_are_refused(corpus, tmp_path):
    checkpoint = save_speech_checkpoint("wav2vec2", tmp_path)
    audio = SpeechEmbedding(checkpoint, 2, None, input_sampling_rate=16000, device="cpu")
    model = AttentionRNNClassifier(audio, n_fine_tuned_layers=1, n_hidden=4, **QUICK)
    model = trained(model, corpus.data[:8], corpus.target[:8])
    with pytest.raises(ValueError, match="operators for the layers of Whisper only. Use skser.sav"):
        export_onnx(model, tmp_path / "model.onnx")
