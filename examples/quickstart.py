"""Train a speaker-independent model on speech files, evaluate, plot, save and use it.

Trains on a synthetic corpus, or on EmoDB if the environment variable SKSER_DATA names a folder that
contains ``emodb/``. One speaker is held out for testing.

    python examples/quickstart.py --output demo_output
"""

import argparse
import os
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline

import skser
from skser.datasets import load_emodb, make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.inspection import AttentionDisplay, ConfusionDisplay
from skser.metrics import unweighted_average_recall
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler


def load_corpus(folder):
    """Return EmoDB if it is available, otherwise a synthetic corpus of files in `folder`."""
    data = os.environ.get("SKSER_DATA")
    if data and (Path(data) / "emodb").is_dir():
        return load_emodb(Path(data) / "emodb")
    return make_emotional_speech(
        n_speakers=9, n_utterances_per_speaker=30, random_state=0, output_dir=folder / "corpus"
    )


def save(display, path):
    """Write a plot to a file."""
    display.figure_.savefig(path, dpi=120)
    plt.close(display.figure_)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo_output"))
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)

    corpus = load_corpus(output)
    print(corpus, end="\n\n")
    held_out = sorted(set(corpus.speakers))[-1]
    test = corpus.speakers == held_out

    model = make_pipeline(
        MelSpectrogram(verbose=True),
        SequenceScaler(),
        AttentionFCNClassifier(random_state=0, verbose=1),
    )
    model.fit(corpus.data[~test], corpus.target[~test])

    predicted = model.predict(corpus.data[test])
    true = corpus.target[test]
    print(f"\nScores on speaker {held_out}, who was not in the training data:")
    print(f"  UAR (balanced accuracy) {unweighted_average_recall(true, predicted):.1%}")
    print(f"  accuracy                {accuracy_score(true, predicted):.1%}")

    file = corpus.data[test][0]
    save(ConfusionDisplay.from_predictions(true, predicted), output / "confusion.png")
    save(AttentionDisplay.from_estimator(model, file), output / "attention.png")

    skser.save(model, output / "model.skser")
    loaded = skser.load(output / "model.skser").set_params(melspectrogram__verbose=False)
    print(f"\n{Path(file).name} is {true[0]}; the model predicts {loaded.predict([file])[0]}:")
    for emotion, probability in zip(loaded.classes_, loaded.predict_proba([file])[0], strict=True):
        print(f"  {emotion:<10} {probability:.1%}")
    print(f"\nThe plots and the model are in {output}/")


if __name__ == "__main__":
    main()
