"""
Train on folders of recordings
==============================

One subfolder per emotion is all that a first model needs. Speakers are needed for an honest test.
"""

# %%
# Here, made-up recordings are sorted into folders such as ``recordings/anger``.

import shutil
import tempfile
from pathlib import Path

from skser.datasets import load_folder, make_emotional_speech

folder = tempfile.TemporaryDirectory()
root = Path(folder.name) / "recordings"
speech = make_emotional_speech(
    n_speakers=6, n_utterances_per_speaker=15, random_state=0, output_dir=f"{folder.name}/all"
)
for path, emotion in zip(speech.data, speech.target, strict=True):
    (root / emotion).mkdir(parents=True, exist_ok=True)
    shutil.copy(path, root / emotion)
corpus = load_folder(root)
corpus

# %%
# The model computes voice features of each file, takes their statistics over time, and is a
# pipeline of scikit-learn. The names of these files begin with a number and the speaker, so the
# last two speakers can be left out of the training.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.feature_extraction import FrameFeatures, Functionals

model = make_pipeline(
    Functionals(FrameFeatures()), StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)
)
is_test = [Path(path).name.split("_")[1] in ("05", "06") for path in corpus.data]
training, test = corpus[[not new for new in is_test]], corpus[is_test]
model.fit(training.data, training.target)

# %%
# The rows are the true emotions of both new speakers, the columns the predictions.

from skser.inspection import ConfusionDisplay

ConfusionDisplay.from_estimator(model, test.data, test.target)

# %%
# In a shell: ``skser train recordings --out model.skser``.

folder.cleanup()
