"""
Deploy a model
==============

This tutorial saves a trained model in a file without code, loads it without the training code, and
applies it to single files, to many files and to long recordings. The export to ONNX needs the extra
``onnx``.
"""

# %%
# Train a model
# -------------

import tempfile
from pathlib import Path

from sklearn.pipeline import make_pipeline

from skser.datasets import make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
corpus = make_emotional_speech(6, 20, random_state=0, output_dir=folder / "corpus")
training = corpus.speakers != "06"
model = make_pipeline(
    MelSpectrogram(),
    SequenceScaler(),
    AttentionFCNClassifier(max_epochs=25, random_state=0),
)
model.fit(corpus.data[training], corpus.target[training])

# %%
# Save and load
# -------------
#
# A ``.skser`` file is an archive of skops with a description in JSON: versions, labels, the schema
# of the features, and training. Loading does not execute code from the file.

import numpy as np

import skser

skser.save(model, folder / "emotions.skser")
loaded = skser.load(folder / "emotions.skser")

files = corpus.data[~training]
difference = np.abs(loaded.predict_proba(files) - model.predict_proba(files)).max()
print(f"largest difference of a probability: {difference:.0e}")

# %%
# The metadata can be read without loading the model:

from skser.persistence import read_info

read_info(folder / "emotions.skser")["labels"]

# %%
# Predict a batch of files
# ------------------------
#
# ``predict`` takes any number of paths. If some cannot be read, it raises an
# :class:`~skser.audio.AudioReadError` that names all of them, before it predicts anything:

import pandas as pd

from skser.audio import AudioReadError

(folder / "empty.wav").touch()
batch = [*files[:4], str(folder / "empty.wav"), str(folder / "missing.wav")]
try:
    loaded.predict(batch)
except AudioReadError as error:
    unreadable = {path for path, _ in error.failures}
    print(*(Path(path).name for path in sorted(unreadable)), sep="\n")

readable = [path for path in batch if path not in unreadable]
table = pd.DataFrame(loaded.predict_proba(readable), columns=loaded.classes_).round(2)
table.insert(0, "file", [Path(path).name for path in readable])
table

# %%
# Predict a long recording
# ------------------------
#
# A recording may be an hour long or more, because the file is read in pieces. This one contains
# some seconds by the held-out speaker, first sad and then angry.

import soundfile

from skser.inspection import TimelineDisplay, emotion_timeline

spoken = []
for emotion in ("sadness", "anger"):
    for path in corpus.data[~training & (corpus.target == emotion)]:
        spoken.append(soundfile.read(path)[0])
soundfile.write(folder / "call.wav", np.concatenate(spoken), 16000)

timeline = emotion_timeline(loaded, folder / "call.wav", window=2.0, hop=0.5)
TimelineDisplay.from_predictions(timeline)

# %%
# Predict without torch
# ---------------------
#
# An ONNX file contains the network, and also the features if ONNX can express them. It needs only
# onnxruntime, not torch.

skser.export_onnx(model, folder / "emotions.onnx")
small = skser.load_onnx(folder / "emotions.onnx")
difference = np.abs(small.predict_proba(files) - model.predict_proba(files)).max()
print(f"largest difference of a probability: {difference:.0e}")

# %%
# Before you use a model on people's speech, read :doc:`/intended_use`.

temporary.cleanup()
