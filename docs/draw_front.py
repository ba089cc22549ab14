"""Picture of the README and the landing page: a recording, its attention and its emotions.

    python docs/draw_front.py

An unheard synthetic speaker says four sentences with four emotions. The network is trained on
other synthetic speakers. Everything is drawn by the package's own displays.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline

from skser.audio import Waveform
from skser.datasets import make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.inspection import AttentionDisplay, TimelineDisplay, emotion_timeline
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

PICTURE = Path(__file__).parent / "front.png"
SPOKEN = ("neutral", "happiness", "sadness", "anger")
PAUSE = 0.15  # seconds between the sentences


def main():
    """Train the network and draw the picture."""
    corpus = make_emotional_speech(
        n_speakers=10, n_utterances_per_speaker=24, emotions=SPOKEN, random_state=0
    )
    speakers, rate = np.unique(corpus.speakers), corpus.sampling_rate
    heard = corpus.speakers != speakers[-1]
    model = make_pipeline(
        MelSpectrogram(input_sampling_rate=rate),
        SequenceScaler(),
        AttentionFCNClassifier(max_epochs=30, device="cpu", n_threads=1, random_state=0),
    ).fit(corpus.data[heard], corpus.target[heard])
    parts, borders = [], [0.0]
    for emotion in SPOKEN:
        samples = corpus.data[~heard & (corpus.target == emotion)][0]
        parts += [samples, np.zeros(int(PAUSE * rate), np.float32)]
        borders.append(borders[-1] + len(samples) / rate + PAUSE)
    recording = Waveform(np.concatenate(parts), rate)

    figure, axes = plt.subplots(
        3, sharex=True, figsize=(9, 5), height_ratios=[0.7, 2, 1.4], layout="constrained"
    )
    wave_ax, spectrum_ax, emotion_ax = axes
    hidden = figure.add_axes([0, 0, 0.1, 0.1])
    AttentionDisplay.from_estimator(model, recording, axes=[wave_ax, spectrum_ax, hidden])
    hidden.remove()
    timeline = emotion_timeline(model, recording, window=1.0, hop=0.1)
    TimelineDisplay.from_predictions(timeline, ax=emotion_ax)
    for emotion, start, end in zip(SPOKEN, borders[:-1], borders[1:], strict=True):
        wave_ax.text((start + end - PAUSE) / 2, 1.04, emotion, ha="center", va="bottom",
                     transform=wave_ax.get_xaxis_transform())  # fmt: skip
        if start:
            for ax in axes:
                ax.axvline(start - PAUSE / 2, color="0.3", linewidth=0.8, linestyle=":")
    wave_ax.set(title="", ylabel="", yticks=[])
    spectrum_ax.set(ylim=(0, 5000), ylabel="Hz")
    spectrum_ax.text(0.005, 0.95, "spectrogram, and the network's attention", va="top",
                     transform=spectrum_ax.transAxes, fontsize="small")  # fmt: skip
    emotion_ax.set(xlim=(0, borders[-1] - PAUSE))
    emotion_ax.get_legend().remove()
    figure.legend(*emotion_ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.savefig(PICTURE, dpi=110)
    print(timeline.drop(columns=["start", "end"]).idxmax(axis=1).tolist())


if __name__ == "__main__":
    main()
