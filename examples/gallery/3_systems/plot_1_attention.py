"""
See what a network attends to
=============================

The attention FCN of Zhang et al. (2018) weighs every part of a spectrogram before it decides. Its
map shows where it looked.
"""

# %%
# Train the network on three speakers, for a few epochs only.

from sklearn.pipeline import make_pipeline

from skser.audio import Waveform
from skser.datasets import make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

corpus = make_emotional_speech(
    n_speakers=4, n_utterances_per_speaker=12, emotions=("neutral", "anger", "sadness"),
    random_state=0,
)  # fmt: skip
rate = corpus.sampling_rate
training = corpus.speakers != "04"
model = make_pipeline(
    MelSpectrogram(n_mels=32, deltas=0, input_sampling_rate=rate),
    SequenceScaler(),
    AttentionFCNClassifier(max_epochs=12, n_threads=1, device="cpu", random_state=0),
)
model.fit(corpus.data[training], corpus.target[training])

# %%
# An angry utterance of the speaker who was left out:

chosen = (corpus.target == "anger") & ~training
utterance = Waveform(corpus.data[chosen][0], rate)
print(model.predict([utterance])[0])
utterance

# %%
# The attention over time and frequency, over the spectrogram. Attention is where the network
# looked, which is not always why it decided; :doc:`/attention_fcn` measures how far it can be
# trusted.

from skser.inspection import AttentionDisplay

AttentionDisplay.from_estimator(model, utterance)
