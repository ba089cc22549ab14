"""
Train on the votes of raters
============================

Raters disagree, and the majority hides it. A classifier can learn the share of the votes for each
emotion. It needs the extra ``agreement``.
"""

# %%
# Five made-up raters judge every utterance. They are right in seven of ten cases.

import numpy as np
import pandas as pd

from skser.datasets import SpeechCorpus, make_emotional_speech

speech = make_emotional_speech(n_speakers=6, n_utterances_per_speaker=15, random_state=0)
random = np.random.RandomState(0)
rows = [
    {"utterance": i, "rater": f"rater {rater}", "emotion": vote}
    for i, emotion in enumerate(speech.target)
    for rater in range(5)
    for vote in [emotion if random.rand() < 0.7 else random.choice(speech.target_names)]
]
corpus = SpeechCorpus(
    speech.frame, "made-up votes", {name: name for name in speech.target_names},
    votes=pd.DataFrame(rows), sampling_rate=speech.sampling_rate,
)  # fmt: skip
corpus.soft_targets()[:3].round(2)

# %%
# How far do raters agree? Krippendorff's alpha is 1 for perfect agreement and 0 for chance.

from skser.evaluation import agreement

agreement(corpus).summary

# %%
# ``target="votes"`` trains and tests on shares. A regressor of scikit-learn predicts all of them at
# once; those of trees are means of shares in the training data. Networks take the shares as
# ``soft_targets``; see :doc:`/soft_labels`.

from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.pipeline import make_pipeline

from skser.evaluation import cross_validate_speakers
from skser.feature_extraction import FrameFeatures, Functionals

frames = FrameFeatures(("energy", "pitch", "spectral"), input_sampling_rate=corpus.sampling_rate)
features = Functionals(frames)
models = {
    "majority": ExtraTreesClassifier(300, random_state=0),
    "shares": ExtraTreesRegressor(300, random_state=0),
}
evaluations = {
    name: cross_validate_speakers(make_pipeline(features, model), corpus, target="votes", cv=3)
    for name, model in models.items()
}
print(f"chance: cross-entropy {evaluations['shares'].chance()['cross_entropy']:.3f} nats")
for name, found in evaluations.items():
    print(f"trained on the {name}: cross-entropy {found.pooled().mean():.3f} nats")

# %%
# Predicted over true shares of each emotion:

from skser.inspection import PredictedValuesDisplay

PredictedValuesDisplay.from_predictions(found.y_true, found.y_pred, names=list(found.labels))
