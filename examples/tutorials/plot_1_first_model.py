"""
A first model in five minutes
=============================

This tutorial trains a model on speech files. The model then recognizes the emotion in new files
by a speaker who was not in the training data.
"""

# %%
# Load a corpus
# -------------
#
# A corpus is a list of files with labels and speakers. This one is synthetic and written as WAV
# files into a temporary folder. To load your own, use :func:`~skser.datasets.load_table` (a table
# of paths, emotions and speakers) or :func:`~skser.datasets.load_folder` (one folder per emotion).
# For published corpora, there are functions such as :func:`~skser.datasets.load_emodb`.

import tempfile

from skser.datasets import make_emotional_speech

folder = tempfile.TemporaryDirectory()
corpus = make_emotional_speech(
    n_speakers=6, n_utterances_per_speaker=20, random_state=0, output_dir=folder.name
)
print(corpus)

# %%
# Build a model
# -------------
#
# The model computes mel spectrograms, scales each band by the training data, and applies a small
# convolutional network with attention over the utterance. Together, these steps form one
# scikit-learn ``Pipeline`` that takes paths.

from sklearn.pipeline import make_pipeline

from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

model = make_pipeline(
    MelSpectrogram(),
    SequenceScaler(),
    AttentionFCNClassifier(max_epochs=25, random_state=0),
)

# %%
# Test on a new speaker
# ---------------------
#
# Models perform better on voices they were trained on. To measure the performance on new voices,
# hold out all utterances of one speaker.

test = corpus.speakers == "06"
model.fit(corpus.data[~test], corpus.target[~test])

# %%
# Rows of the plot are the true emotions, and columns are the predicted ones. UAR (unweighted
# average recall), the mean of the recalls, is the usual metric of this field. Chance level is 20 %.

from skser.inspection import ConfusionDisplay
from skser.metrics import unweighted_average_recall

predicted = model.predict(corpus.data[test])
print(f"UAR {unweighted_average_recall(corpus.target[test], predicted):.1%}")
ConfusionDisplay.from_predictions(corpus.target[test], predicted)

# %%
# One speaker is a small sample. :doc:`/generated/tutorials/plot_2_compare` tests on all speakers in
# turn.
#
# Predict a file
# --------------
#
# The fitted pipeline reads the audio, resamples it and returns the labels. It accepts any file that
# libsndfile can read, at any sampling rate and of any length.

file = corpus.data[test][1]
for emotion, probability in zip(model.classes_, model.predict_proba([file])[0], strict=True):
    print(f"{emotion:<10} {probability:.1%}")

# %%
# Plot the attention of the model over time and frequency:

from skser.inspection import AttentionDisplay

AttentionDisplay.from_estimator(model, file)

# %%
# Finally, delete the folder with the files:

folder.cleanup()
