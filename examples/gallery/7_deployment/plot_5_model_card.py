"""
Write a model card
==================

A model without a description is used for what it cannot do. The card is written from an evaluation
and travels in the file.
"""

# %%
# Evaluate, then train on everything.

import tempfile

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.evaluation import cross_validate_speakers
from skser.feature_extraction import MFCC, Functionals

corpus = make_emotional_speech(n_speakers=8, n_utterances_per_speaker=10, random_state=0)
model = make_pipeline(
    Functionals(MFCC(n_mfcc=13, input_sampling_rate=corpus.sampling_rate)),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)
evaluation = cross_validate_speakers(model, corpus, cv=4)
model.fit(corpus.data, corpus.target)

# %%
# The card states where the model comes from, how it was tested, on whom it is worst, and what it
# must not be used for.

low, high = evaluation.interval()
by_speaker = evaluation.by_speaker()
emotions = ", ".join(corpus.target_names)
card = f"""# Emotions of made-up voices

- Training: {len(corpus)} made-up utterances of {by_speaker.size} voices, {emotions}
- Test: {evaluation.protocol["cv"]}, no speaker in training and test
- UAR {100 * evaluation.pooled().mean():.1f} % (95 % interval over speakers {100 * low:.1f} to
  {100 * high:.1f}), {100 * by_speaker.min():.1f} % for the worst speaker; chance
  {100 / len(corpus.target_names):.0f} %
- Not for: real voices. It must not be used to judge people.
"""
print(card)

# %%
# ``skser info model.skser`` prints it, without loading the model.

import skser
from skser.persistence import read_info

with tempfile.TemporaryDirectory() as folder:
    skser.save(model, f"{folder}/model.skser", card=card)
    info = read_info(f"{folder}/model.skser")
info["labels"]

# %%
# Its picture, one bar per speaker:

from skser.inspection import SpeakerRecallDisplay

SpeakerRecallDisplay.from_predictions(
    evaluation.y_true, evaluation.y_pred, speakers=evaluation.predictions["speaker"]
)

# %%
# :doc:`/saving` shows how to share a model and its card on the Hugging Face Hub.
