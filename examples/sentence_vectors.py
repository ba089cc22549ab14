"""Speaker-independent evaluation of a linear model on named statistics of the voice.

Prints the UAR of each held-out speaker, and the statistics that best separate two emotions.

    python examples/sentence_vectors.py              # synthetic corpus
    SKSER_DATA=... python examples/sentence_vectors.py     # EmoDB
"""

import os
from pathlib import Path

import numpy as np
from sklearn.metrics import recall_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skser.datasets import load_emodb, make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals


def uar(true, predicted):
    """Compute the balanced accuracy over the emotions that occur in `true`."""
    return recall_score(true, predicted, labels=np.unique(true), average="macro")


def separating_columns(X, y, one, other, n_columns=8):
    """Return the columns whose means differ most between two emotions, in standard deviations."""
    means = {emotion: X[y == emotion].mean() for emotion in (one, other)}
    spread = np.sqrt((X[y == one].var() + X[y == other].var()) / 2)
    difference = ((means[one] - means[other]) / spread).dropna()
    return difference.loc[difference.abs().nlargest(n_columns).index]


def main():
    data = os.environ.get("SKSER_DATA")
    if data:
        corpus = load_emodb(Path(data) / "emodb")
    else:
        corpus = make_emotional_speech(n_speakers=4, n_utterances_per_speaker=30, random_state=0)
    frames = FrameFeatures(input_sampling_rate=corpus.sampling_rate)
    functionals = Functionals(frames).set_output(transform="pandas")
    X = functionals.fit_transform(corpus.data)
    y = np.asarray(corpus.target)

    # Each vector depends on one utterance only, so computing them before the split leaks nothing.
    model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=1e-3, class_weight="balanced"))
    predicted = cross_val_predict(model, X, y, groups=corpus.speakers, cv=LeaveOneGroupOut())
    print(f"{X.shape[1]} statistics of {len(X)} utterances")
    for speaker in np.unique(corpus.speakers):
        here = corpus.speakers == speaker
        print(f"speaker {speaker}: UAR {uar(y[here], predicted[here]):.3f}")
    print(f"all: UAR {uar(y, predicted):.3f}")

    print("\nDifferences between anger and sadness, in standard deviations:")
    for name, value in separating_columns(X.filter(regex="_mean$"), y, "anger", "sadness").items():
        print(f"  {value:+.1f}  {name}")


if __name__ == "__main__":
    main()
