"""
Put a model to work
===================

A model that was trained is kept in a file that holds no code, is loaded where there is no training
code, and meets single files, folders of files and recordings of an hour.
"""

# %%
# A trained model
# ---------------

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
# A ``.skser`` file is an archive of JSON and safetensors. It carries versions, labels and the
# schema of the features, and checksums of all of it; loading executes nothing from the file.

import numpy as np

import skser

skser.save(model, folder / "emotions.skser")
loaded = skser.load(folder / "emotions.skser")

files = corpus.data[~training]
difference = np.abs(loaded.predict_proba(files) - model.predict_proba(files)).max()
print(f"largest difference of a probability: {difference:.0e}")

# %%
# What is in it can be read without loading it:

from skser.persistence import read_info

read_info(folder / "emotions.skser")["labels"]

# %%
# A batch of files
# ----------------
#
# ``predict`` takes any number of paths. One that cannot be read is named in an
# :class:`~skser.audio.AudioReadError`, together with all others that cannot, before anything is
# predicted:

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
# A long recording
# ----------------
#
# Of an hour, too: the file is read in pieces. Here it is some seconds of the speaker whom the model
# does not know, sad first, then angry.

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
# Without torch
# -------------
#
# ONNX holds the network, and the features where they can be expressed in it; onnxruntime alone
# runs it (extra ``onnx``).

skser.export_onnx(model, folder / "emotions.onnx")
small = skser.load_onnx(folder / "emotions.onnx")
difference = np.abs(small.predict_proba(files) - model.predict_proba(files)).max()
print(f"largest difference of a probability: {difference:.0e}")

# %%
# Before it meets people, read :doc:`/intended_use`.

temporary.cleanup()
