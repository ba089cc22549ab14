"""
Run a model without this package
================================

An exported model contains the features too. onnxruntime runs it in Python, C++, Java or a browser,
with neither skser nor torch. The export needs the extra ``onnx``.
"""

# %%
# Train a small network and export it.

import tempfile

from sklearn.pipeline import make_pipeline

import skser
from skser.datasets import make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

folder = tempfile.TemporaryDirectory()
corpus = make_emotional_speech(
    n_speakers=4, n_utterances_per_speaker=10, emotions=("neutral", "anger", "sadness"),
    random_state=0,
)  # fmt: skip
model = make_pipeline(
    MelSpectrogram(n_mels=32, deltas=0, input_sampling_rate=corpus.sampling_rate),
    SequenceScaler(),
    AttentionFCNClassifier(max_epochs=6, n_threads=1, device="cpu", random_state=0),
)
model.fit(corpus.data, corpus.target)
path = f"{folder.name}/model.onnx"
skser.export_onnx(model, path)

# %%
# From here on, only onnxruntime and NumPy are used. The file describes itself: the sampling rate of
# its input, and the classes of its output.

import json

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(path)
description = json.loads(session.get_modelmeta().custom_metadata_map["skser"])
print(description["inputs"][0]["sampling_rate"], description["classes"]["values"])


def probabilities(samples):
    """Return the probability of each class for 16-kHz mono samples."""
    inputs = {"waveform": samples[None], "lengths": np.array([len(samples)])}
    return session.run(["probabilities"], inputs)[0][0]


found = np.array([probabilities(samples) for samples in corpus.data])
expected = model.predict_proba(corpus.data)
print(f"largest difference of a probability: {np.abs(found - expected).max():.0e}")

# %%
# Each dot is the probability of a class for an utterance.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(4, 4), layout="constrained")
ax.plot([0, 1], [0, 1], color="0.7")
for i, name in enumerate(model.classes_):
    ax.plot(expected[:, i], found[:, i], ".", label=name)
ax.set(xlabel="pipeline", ylabel="onnxruntime alone")
ax.legend(frameon=False)
folder.cleanup()
