"""Pictures of features and alterations for their reference pages."""

import functools

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from skser import augmentation
from skser.datasets import make_emotional_speech
from skser.feature_extraction import (
    MFCC,
    FrameFeatures,
    Functionals,
    LevelContour,
    MelSpectrogram,
    Spectrogram,
)
from skser.preprocessing import SequenceScaler, SpeakerScaler, VoiceActivityTrimmer

RATE = 16000
NEED_A_CHECKPOINT = {"OpenSmile", "SpeechEmbedding", "SpeechProbability", "TextEmbedding"}


def draw_features(docs):
    """Write a picture per class and function into ``generated/pictures``.

    Returns
    -------
    dict of dict
        File and alternative text of each picture, by the name of the class or function.
    """
    target = docs / "generated" / "pictures"
    target.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, (draw, text) in PICTURES.items():
        figure = draw()
        figure.savefig(target / f"{name}.svg")
        plt.close(figure)
        found[name] = {"file": f"/generated/pictures/{name}.svg", "text": text}
    return found


@functools.cache
def speech():
    """Return an angry utterance of made-up speech."""
    corpus = make_emotional_speech(1, 5, random_state=3)
    return corpus.data[2]


def frames_of(transformer, names=None):
    """Draw the frames of an utterance as an image, or the named columns as curves."""
    X = transformer.set_params(input_sampling_rate=RATE).transform([speech()])
    frames = X[0]
    times = X.layout.offset + X.layout.hop * np.arange(len(frames))
    if names is None and frames.shape[1] > 1:
        figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
        shown = frames
        if isinstance(transformer, MFCC):
            shown = (frames - frames.mean(axis=0)) / frames.std(axis=0)
        extent = (times[0], times[-1], 0, frames.shape[1])
        ax.imshow(shown.T, aspect="auto", origin="lower", extent=extent, cmap="magma")
        ax.set(ylabel="column", xlabel="seconds")
        return figure
    columns = list(X.layout.feature_names)
    names = columns if names is None else names
    figure, axes = plt.subplots(
        len(names), 1, figsize=(7, 1 + 1.1 * len(names)), sharex=True, layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.plot(times, frames[:, columns.index(name)], linewidth=1)
        ax.set_ylabel("level" if len(columns) == 1 else name)
    axes[-1, 0].set_xlabel("seconds")
    return figure


def functionals():
    """Draw statistics of the energy of an utterance beside its curve."""
    frames = FrameFeatures(("energy",), input_sampling_rate=RATE)
    X = frames.transform([speech()])
    energy = X[0][:, list(X.layout.feature_names).index("energy")]
    statistics = Functionals(statistics=("moments",)).fit(X)
    table = dict(zip(statistics.get_feature_names_out(), statistics.transform(X)[0], strict=True))
    shown = {name: value for name, value in table.items() if name.startswith("energy")}
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(8, 3), layout="constrained", width_ratios=(2, 1)
    )
    left.plot(X.layout.offset + X.layout.hop * np.arange(len(energy)), energy, linewidth=1)
    left.set(xlabel="seconds", ylabel="energy in dB")
    lines = [f"{name} = {value:.2f}" for name, value in shown.items()]
    right.text(0, 1, "\n".join(lines), va="top", transform=right.transAxes, fontsize=9)
    right.set_axis_off()
    return figure


def scaler():
    """Draw mel spectrograms before and after standardization."""
    X = MelSpectrogram(deltas=0, input_sampling_rate=RATE).transform([speech()])
    return two(X[0], SequenceScaler().fit_transform(X)[0], "as computed", "standardized")


def two(first, second, *titles):
    """Draw two arrays of frames side by side."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    for ax, frames, title in zip(axes, (first, second), titles, strict=True):
        image = ax.imshow(frames.T, aspect="auto", origin="lower", cmap="magma")
        figure.colorbar(image, ax=ax)
        ax.set(title=title, xlabel="frame", ylabel="column")
    return figure


def speakers():
    """Draw the pitch of four speakers before and after scaling by speaker."""
    corpus = make_emotional_speech(4, 10, random_state=0)
    features = Functionals(FrameFeatures(("pitch",), input_sampling_rate=RATE), ("moments",))
    figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    titles = "as computed", "scaled by speaker"
    for ax, model, title in zip(axes, (features, SpeakerScaler(features)), titles, strict=True):
        X = model.fit_transform(corpus.frame if title == titles[1] else corpus.data)
        column = list(features.fit(corpus.data[:1]).get_feature_names_out()).index("F0_mean")
        groups = [X[corpus.speakers == name, column] for name in np.unique(corpus.speakers)]
        ax.boxplot(groups, tick_labels=np.unique(corpus.speakers))
        ax.set(title=title, xlabel="speaker", ylabel="F0_mean")
    return figure


def trimmer():
    """Draw an utterance with silence around it and what is left of it."""
    silence = np.zeros(RATE, dtype=np.float32)
    samples = np.concatenate([silence, speech(), silence])
    samples = samples + np.random.RandomState(0).normal(0, 1e-4, len(samples))
    kept = VoiceActivityTrimmer(input_sampling_rate=RATE).fit_transform([samples])[0]
    return waves({"as recorded": samples, "trimmed": np.asarray(kept)})


def waves(sounds):
    """Draw waveforms above each other."""
    figure, axes = plt.subplots(
        len(sounds), 1, figsize=(7, 3), layout="constrained", sharex=True, sharey=True
    )
    for ax, (title, samples) in zip(axes, sounds.items(), strict=True):
        ax.plot(np.arange(len(samples)) / RATE, samples, linewidth=0.4)
        ax.set_title(title, fontsize=10)
    axes[-1].set_xlabel("seconds")
    return figure


def altered(function):
    """Draw the spectrograms of an utterance before and after an alteration."""
    after = function(speech(), RATE, np.random.RandomState(0))
    figure, axes = plt.subplots(
        1, 2, figsize=(8, 3), layout="constrained", sharex=True, sharey=True
    )
    for ax, samples, title in zip(axes, (speech(), after), ("before", "after"), strict=True):
        ax.specgram(samples + 1e-7, NFFT=400, Fs=RATE, noverlap=240, vmin=-120, vmax=-40)
        ax.set(title=title, xlabel="seconds")
    axes[0].set_ylabel("Hz")
    return figure


OF_FEATURES = {
    "Spectrogram": Spectrogram(),
    "MelSpectrogram": MelSpectrogram(deltas=0),
    "MFCC": MFCC(deltas=0),
    "LevelContour": LevelContour(),
}
ALTERATIONS = {
    "add_noise": functools.partial(augmentation.add_noise, snr=5),
    "change_gain": functools.partial(augmentation.change_gain, decibels=-20),
    "change_speed": functools.partial(augmentation.change_speed, factor=1.3),
    "clip": functools.partial(augmentation.clip, share=0.1),
    "encode": functools.partial(augmentation.encode, format="OPUS", compression=1.0),
    "limit_band": functools.partial(augmentation.limit_band, low=500, high=2500),
    "resample_badly": augmentation.resample_badly,
    "reverberate": functools.partial(augmentation.reverberate, seconds=0.8),
    "telephone": augmentation.telephone,
    "tilt_spectrum": functools.partial(augmentation.tilt_spectrum, slope=-6),
}
PICTURES = {
    **{
        name: (functools.partial(frames_of, transformer), f"Frames of {name} for an utterance")
        for name, transformer in OF_FEATURES.items()
    },
    "FrameFeatures": (
        functools.partial(
            frames_of, FrameFeatures(), names=["F0", "loudness", "HNR", "centroid", "F1"]
        ),
        "Pitch, loudness, harmonicity, spectral centroid and first formant of an utterance",
    ),
    "Functionals": (functionals, "The energy of an utterance, and statistics of it"),
    "SequenceScaler": (scaler, "A mel spectrogram before and after standardization"),
    "SpeakerScaler": (speakers, "Mean pitch of four speakers before and after scaling"),
    "VoiceActivityTrimmer": (trimmer, "An utterance with silence around it, and trimmed"),
    **{
        name: (functools.partial(altered, function), f"Spectrograms before and after {name}")
        for name, function in ALTERATIONS.items()
    },
}
