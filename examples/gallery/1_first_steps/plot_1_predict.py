"""
Predict with an included model
==============================

Three models come with the package. The default one is an ONNX file that needs neither torch nor a
download. It gives no label to audio that it cannot judge.
"""

# %%
# The made-up voice below is built from pulses and formants. It sounds like this:

import numpy as np

import skser
from skser.audio import Waveform
from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=5, random_state=0)
voice = Waveform(corpus.data[1], corpus.sampling_rate)
voice

# %%
# ``judge`` returns the probability of each emotion, the reason for a refusal, and the set of
# emotions that holds the right one with a probability of 90 %. A path, such as
# ``"my recording.wav"``, is given in the same way as a waveform.

model = skser.load_onnx("emodb-whisper")
silence = Waveform(np.zeros(16000), 16000)
noise = Waveform(np.random.RandomState(0).randn(16000) / 10, 16000)
recordings = {"made-up voice": voice, "silence": silence, "white noise": noise}
judged = model.judge(list(recordings.values()))
for name, reason in zip(recordings, judged["reasons"], strict=True):
    print(f"{name}: {reason or 'a label is given'}")

# %%
# The model knows EmoDB: German sentences, acted in a studio. A made-up voice is unlike them, so the
# probabilities below mean little, and the refusal is right. :func:`skser.compose.adapt` helps with
# other microphones; :doc:`/rejection` explains the reasons.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.barh(model.classes_, judged["probabilities"][0], color="0.6")
ax.set(xlabel="probability", xlim=(0, 1), title=f"made-up voice: {judged['reasons'][0]}")
ax.invert_yaxis()

# %%
# In a shell, the same is one line: ``skser predict "my recording.wav"``.
