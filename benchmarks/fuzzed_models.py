"""Small models whose files `fuzz_models.py` mutates."""

import os
import warnings

import numpy as np


def data():
    """Return twelve utterances of 20 frames and 4 columns, their means, and labels."""
    random = np.random.RandomState(0)
    frames = random.randn(12, 20, 4).astype(np.float32)
    return frames, frames.mean(axis=1), np.array(["calm", "tense", "warm"] * 4)


def audio():
    """Return twelve half seconds of growing noise at 16 kHz, and labels."""
    random = np.random.RandomState(0)
    noise = random.randn(12, 8000).astype(np.float32) * np.linspace(0.001, 0.1, 8000, dtype="f4")
    return list(noise), data()[2]


def _exported():
    """Return a pipeline whose file has transformers outside of its operators."""
    from sklearn.pipeline import make_pipeline

    from skser.feature_extraction import FrameFeatures
    from skser.neural_network import AttentionRNNClassifier
    from skser.preprocessing import VoiceActivityTrimmer

    exact = {"max_epochs": 1, "device": "cpu", "n_threads": 1, "random_state": 0}
    return make_pipeline(
        VoiceActivityTrimmer(input_sampling_rate=16000),
        FrameFeatures(("energy", "spectral"), deltas=1, input_sampling_rate=16000),
        AttentionRNNClassifier(n_hidden=2, **exact),
    )


def models():
    """Return unfitted models by name, each with its input."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
    from sklearn.ensemble import StackingClassifier, VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer, StandardScaler

    from skser.compose import SegmentedClassifier
    from skser.neural_network import (
        AdversarialAEClassifier,
        AttentionFCNClassifier,
        AttentionRNNClassifier,
    )
    from skser.preprocessing import SequenceScaler

    frames, vectors, _ = data()
    exact = {"max_epochs": 1, "device": "cpu", "n_threads": 1, "random_state": 0}
    network = AttentionFCNClassifier(
        (3, 4), strides=1, pool_sizes=1, class_weight={"calm": 2.0}, **exact
    )
    windows = SegmentedClassifier(AttentionRNNClassifier(n_hidden=2, **exact), 10, 5)
    linear = make_pipeline(
        QuantileTransformer(n_quantiles=5),
        PCA(3),
        CalibratedClassifierCV(LogisticRegression(), method="isotonic", cv=2),
    )
    vote = VotingClassifier(
        [
            ("network", AdversarialAEClassifier((4,), decoder_units=(4,), **exact)),
            ("quadratic", QuadraticDiscriminantAnalysis(reg_param=0.5)),
            ("stack", StackingClassifier([("linear", LogisticRegression())], cv=2)),
        ],
        voting="soft",
    )
    return {
        "network": (make_pipeline(SequenceScaler(), network), frames),
        "windows": (windows, frames),
        "linear": (make_pipeline(StandardScaler(), linear), vectors),
        "vote": (vote, vectors),
    }


def write_originals(folder):
    """Write the file of each model, and beside it the input and the predictions as .npz.

    Parameters
    ----------
    folder : Path
    """
    from skser import export_onnx, load_onnx, save

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (model, X) in models().items():
            model.fit(X, data()[2])
            save(model, folder / name)
            np.savez(folder / f"{name}.npz", X=X, expected=model.predict(X))
        X, y = audio()
        export_onnx(_exported().fit(X, y), folder / "exported.onnx")
    expected = load_onnx(folder / "exported.onnx", n_threads=1).predict(X)
    np.savez(folder / "exported.npz", X=np.array(X), expected=expected)
    os.replace(folder / "exported.onnx", folder / "exported")
