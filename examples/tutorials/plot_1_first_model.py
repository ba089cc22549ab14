"""
A first model in five minutes
=============================

From speech files to a model that names the emotion of a file that it has never heard, by a
speaker whom it has never heard.
"""

# %%
# A corpus
# --------
#
# A corpus is a list of files with labels and speakers. This one is made up and written as WAV
# files into a temporary folder. Your own would come from
# :func:`~skser.datasets.load_table` (a table of paths, emotions and speakers) or
# :func:`~skser.datasets.load_folder` (a folder per emotion), a published one from
# :func:`~skser.datasets.load_emodb` and its like.

import tempfile

from skser.datasets import make_emotional_speech

folder = tempfile.TemporaryDirectory()
corpus = make_emotional_speech(
    n_speakers=6, n_utterances_per_speaker=20, random_state=0, output_dir=folder.name
)
print(corpus)

# %%
# A model
# -------
#
# Mel spectrograms, each band scaled by the training data, and a small convolutional network that
# attends to parts of the utterance. Together they are one scikit-learn ``Pipeline`` that takes
# paths.

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
# A speaker whom it has not heard
# -------------------------------
#
# A model does better on voices that it knows. So one speaker is kept out of the training, with all
# that this speaker said.

test = corpus.speakers == "06"
model.fit(corpus.data[~test], corpus.target[~test])

# %%
# Rows of the picture are what was meant, columns what was recognised. UAR, the mean of the
# recalls, is the figure that this field reports; chance would be 20 %.

from skser.inspection import ConfusionDisplay
from skser.metrics import unweighted_average_recall

predicted = model.predict(corpus.data[test])
print(f"UAR {unweighted_average_recall(corpus.target[test], predicted):.1%}")
ConfusionDisplay.from_predictions(corpus.target[test], predicted)

# %%
# One speaker is one sample. :doc:`/generated/tutorials/plot_2_compare` takes them all in turn.
#
# Your own file
# -------------
#
# The fitted pipeline holds its reader, its sampling rate and its labels. Any file that libsndfile
# reads will do, at any rate and of any length.

file = corpus.data[test][1]
for emotion, probability in zip(model.classes_, model.predict_proba([file])[0], strict=True):
    print(f"{emotion:<10} {probability:.1%}")

# %%
# Where the model looked, in seconds and Hz:

from skser.inspection import AttentionDisplay

AttentionDisplay.from_estimator(model, file)

# %%
# The files go with the folder:

folder.cleanup()
