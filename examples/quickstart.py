"""From speech files to a cross-speaker model, judged, drawn, saved and used on one file.

Trains on the made-up corpus, or on EmoDB where the environment variable SKSER_DATA names a
folder that holds ``emodb/``. One speaker is held out.

    python examples/quickstart.py --output demo_output
"""

import argparse
import os
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, balanced_accuracy_score
from sklearn.pipeline import make_pipeline

from skser.datasets import load_emodb, make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler


def load_corpus(folder):
    """EmoDB if it is there, else a corpus made up as files in `folder`."""
    data = os.environ.get("SKSER_DATA")
    if data and (Path(data) / "emodb").is_dir():
        return load_emodb(Path(data) / "emodb")
    return make_emotional_speech(
        n_speakers=9, n_utterances_per_speaker=30, random_state=0, write_to=folder / "corpus"
    )


def draw_confusion(true, predicted, path):
    """Confusion matrix, normalised so that the diagonal is each class's recall."""
    figure, axes = plt.subplots(figsize=(6.5, 5.5), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        true, predicted, normalize="true", values_format=".2f", cmap="Blues",
        xticks_rotation=45, im_kw={"vmin": 0, "vmax": 1}, ax=axes,
    )  # fmt: skip
    axes.set_title("Held-out speaker: share of each emotion's utterances")
    axes.set(xlabel="predicted", ylabel="true")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_attention(model, file, path):
    """Mel spectrogram of a file, and beneath it where the network looked."""
    X = model[:-1].transform([file])
    mel = MelSpectrogram(deltas=0).transform([file])
    (attention,) = model[-1].attention(X)
    weights = attention.weights.mean(axis=0).T
    seconds = np.arange(len(mel[0])) * mel.layout.hop
    figure, axes = plt.subplots(3, sharex=True, figsize=(8, 7), layout="constrained")
    mesh = axes[0].pcolormesh(seconds, mel.layout.frequencies, mel[0].T, cmap="magma")
    figure.colorbar(mesh, ax=axes[0], label="dB")
    axes[0].set(title=f"{Path(file).name}, predicted: {model.predict([file])[0]}", ylabel="Hz")
    mesh = axes[1].pcolormesh(attention.times, attention.frequencies, weights, cmap="viridis")
    figure.colorbar(mesh, ax=axes[1], label="attention")
    axes[1].set(title="mean over heads", ylabel="Hz")
    for head, weight in enumerate(attention.weights):
        axes[2].plot(attention.times, weight.sum(axis=1), label=f"head {head + 1}")
    axes[2].set(title="over all bands", xlabel="seconds", ylabel="attention", ylim=(0, None))
    axes[2].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
    for ax in axes[:2]:
        ax.set_yscale("symlog", linthresh=1000)
        ax.set_yticks([250, 500, 1000, 2000, 4000, 8000])
        ax.yaxis.set_major_formatter("{x:.0f}")
        ax.minorticks_off()
    figure.savefig(path, dpi=120)
    plt.close(figure)


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
    print(f"\nSpeaker {held_out}, whom the model never heard:")
    print(f"  UAR (balanced accuracy) {balanced_accuracy_score(true, predicted):.1%}")
    print(f"  accuracy                {accuracy_score(true, predicted):.1%}")

    file = corpus.data[test][0]
    draw_confusion(true, predicted, output / "confusion.png")
    draw_attention(model, file, output / "attention.png")

    joblib.dump(model, output / "model.joblib")
    loaded = joblib.load(output / "model.joblib").set_params(melspectrogram__verbose=False)
    print(f"\n{Path(file).name} is {true[0]}; the saved model says {loaded.predict([file])[0]}:")
    for emotion, probability in zip(loaded.classes_, loaded.predict_proba([file])[0], strict=True):
        print(f"  {emotion:<10} {probability:.1%}")
    print(f"\nPictures and model are in {output}/")


if __name__ == "__main__":
    main()
