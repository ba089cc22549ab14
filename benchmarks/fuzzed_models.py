"""Small models of many kinds for `fuzz_models.py`, which alters their files."""

import warnings

import numpy as np


def data():
    """Return twelve utterances of 20 frames and 4 columns, their means as vectors, and labels."""
    random = np.random.RandomState(0)
    frames = random.randn(12, 20, 4).astype(np.float32)
    return frames, frames.mean(axis=1), np.array(["calm", "tense", "warm"] * 4)


def audio():
    """Return twelve half seconds of growing noise at 16 kHz, and labels."""
    random = np.random.RandomState(0)
    noise = random.randn(12, 8000).astype(np.float32) * np.linspace(0.001, 0.1, 8000, dtype="f4")
    return list(noise), data()[2]


def exported(path):
    """Export a network with transformers that ONNX operators cannot express."""
    from sklearn.pipeline import make_pipeline

    from skser import export_onnx
    from skser.feature_extraction import FrameFeatures
    from skser.neural_network import AttentionRNNClassifier
    from skser.preprocessing import VoiceActivityTrimmer

    exact = {"max_epochs": 1, "device": "cpu", "n_threads": 1, "random_state": 0}
    model = make_pipeline(
        VoiceActivityTrimmer(input_sampling_rate=16000),
        FrameFeatures(("energy", "spectral"), deltas=1, input_sampling_rate=16000),
        AttentionRNNClassifier(n_hidden=2, **exact),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_onnx(model.fit(*audio()), path)


def models():
    """Return fitted models by name, each with its input."""
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
        VotingClassifier,
    )
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer, StandardScaler
    from sklearn.svm import SVC

    from skser.neural_network import AdversarialAEClassifier, AttentionFCNClassifier, SpecAugment
    from skser.preprocessing import SequenceScaler

    frames, vectors, y = data()
    exact = {"max_epochs": 1, "device": "cpu", "n_threads": 1, "random_state": 0, "batch_size": 4}
    network = make_pipeline(
        SequenceScaler(),
        AttentionFCNClassifier(
            (4, 4), strides=1, pool_sizes=1, n_heads=2, augment=SpecAugment(), **exact
        ),
    )
    compiled = VotingClassifier(
        [
            ("forest", RandomForestClassifier(3, random_state=0)),
            ("boosting", GradientBoostingClassifier(n_estimators=2)),
            ("histogram", HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2)),
            ("vectors", make_pipeline(StandardScaler(), SVC(probability=False))),
            ("neighbours", KNeighborsClassifier(3, algorithm="brute")),
            ("ranks", make_pipeline(QuantileTransformer(n_quantiles=5), LogisticRegression())),
        ]
    )
    nested = VotingClassifier(
        [
            ("network", AdversarialAEClassifier((4,), decoder_units=(4,), **exact)),
            ("forest", RandomForestClassifier(2, random_state=np.random.RandomState(0))),
        ],
        voting="soft",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "network": (network.fit(frames, y), frames),
            "compiled": (compiled.fit(vectors, y), vectors),
            "nested": (nested.fit(vectors, y), vectors),
        }
