"""Diagrams of the systems, with numbers read from their estimators, and example plots."""

import itertools

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch
from render_results import TITLES
from sklearn.preprocessing import StandardScaler
from stored_results import read_result

from skser.compose import TransferClassifier
from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals, LevelContour
from skser.inspection import LatentSpaceDisplay
from skser.neural_network import (
    AdversarialAEClassifier,
    AttentionFCNClassifier,
    AttentionRNNClassifier,
)
from skser.pipelines import gans2020, zhang2018

DATA, LEARNED, FROZEN, GOAL = "#dfe7f1", "#fbe3c8", "#e4e4e4", "#d8ecd6"


def draw_systems(docs):
    """Write the diagrams and plots into ``generated/``."""
    target = docs / "generated"
    target.mkdir(exist_ok=True)
    pictures = {
        "system_attention_fcn": attention_fcn(),
        "system_zhang2018": convolutions(zhang2018()),
        "system_gans2020": convolutions(gans2020()),
        "system_adversarial_ae": adversarial_ae(),
        "system_self_supervised": self_supervised(),
        "system_staged_transfer": staged_transfer(),
        "contours": contours(),
        "latents": latents(),
        "label_efficiency": label_efficiency(docs.parent / "benchmarks/results"),
    }
    for name, figure in pictures.items():
        figure.savefig(target / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


class Drawing:
    """Diagram of labeled boxes and arrows; one unit is an inch."""

    def __init__(self, width, height):
        self.figure, self.ax = plt.subplots(figsize=(width, height))
        self.figure.subplots_adjust(0, 0, 1, 1)
        self.ax.set(xlim=(0, width), ylim=(0, height))
        self.ax.axis("off")

    def box(self, x, y, text, color, width=1.3, height=0.8):
        """Draw a box around (x, y) and return its extent."""
        self.ax.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - height / 2), width, height,
                boxstyle="round,pad=0,rounding_size=0.08", facecolor=color, edgecolor="#555555",
            )
        )  # fmt: skip
        self.ax.text(x, y, text, ha="center", va="center", fontsize=8.5)
        return x, y, width, height

    def note(self, x, y, text, **settings):
        """Write text without a box."""
        self.ax.text(x, y, text, ha="center", va="center", fontsize=8.5, **settings)

    def arrow(self, one, other, both=False, **settings):
        """Draw an arrow between the facing sides of two boxes."""
        (x1, y1, w1, h1), (x2, y2, w2, h2) = one, other
        if abs(x2 - x1) > (w1 + w2) / 2:
            side = np.sign(x2 - x1)
            begin, end = (x1 + side * w1 / 2, y1), (x2 - side * w2 / 2, y2)
        else:
            side = np.sign(y2 - y1)
            begin, end = (x1, y1 + side * h1 / 2), (x2, y2 - side * h2 / 2)
        style = {"arrowstyle": "<->" if both else "->", "color": "#333333"} | settings
        self.ax.annotate("", end, begin, arrowprops=style)

    def row(self, y, boxes, left=0.8, step=1.6, **settings):
        """Draw boxes from left to right, with an arrow from each to the next."""
        drawn = [
            self.box(left + i * step, y, text, color, **settings)
            for i, (text, color) in enumerate(boxes)
        ]
        for one, other in itertools.pairwise(drawn):
            self.arrow(one, other)
        return drawn


def each(value, n):
    """Return a parameter as a sequence with one value for each of `n` layers."""
    return value if isinstance(value, (tuple, list)) else (value,) * n


def layers(network, across):
    """Yield the text of each convolution layer, whose kernels have `across` axes."""
    n = len(network.filters)
    pool_strides = network.pool_sizes if network.pool_strides is None else network.pool_strides
    names = {"batch": "batch norm", "local_response": "response norm", "none": None}
    for filters, kernel, stride, pool, pool_stride, norm in zip(
        network.filters,
        *(each(v, n) for v in (network.kernel_sizes, network.strides, network.pool_sizes)),
        each(pool_strides, n),
        each(network.normalization, n),
        strict=True,
    ):
        size = "×".join([str(kernel)] * across)
        lines = [f"conv {size}, {filters}"]
        lines += [f"stride {stride}"] if stride > 1 else []
        lines += [names[norm]] if names[norm] else []
        lines += ["ReLU"]
        lines += [f"max pool {pool}/{pool_stride}"] if pool > 1 else []
        yield "\n".join(lines)


def fcn_row(network, source, across, cells):
    """Return a diagram of a fully convolutional network with attention."""
    boxes = [(source, DATA)]
    boxes += [(text, LEARNED) for text in layers(network, across)]
    heads = "1 head" if network.n_heads == 1 else f"{network.n_heads} heads"
    attention = f"attention\nover {cells},\n{heads},\nλ = {network.attention_scale:g}"
    boxes += [(attention, LEARNED), ("class\nprobabilities", GOAL)]
    drawing = Drawing(1.32 * len(boxes), 1.4)
    drawing.row(0.7, boxes, left=0.66, step=1.32, width=1.12, height=1.25)
    return drawing.figure


def attention_fcn():
    """Return a diagram of the estimator with default parameters."""
    source = "log mel\nspectrogram,\ntime × bands,\nany length"
    return fcn_row(AttentionFCNClassifier(), source, 2, "(time,\nfrequency)")


def convolutions(pipeline):
    """Return a diagram of a published pipeline of spectra or level contours."""
    features, network = pipeline[0], pipeline[-1]
    if isinstance(features, LevelContour):
        return fcn_row(network, "level\ncontour,\none value\nper frame", 1, "time")
    bins = f"{features.fmin:.0f} to {features.fmax / 1000:.0f} kHz"
    source = f"log spectrogram,\ntime × bins,\n{bins}"
    return fcn_row(network, source, 2, "(time,\nfrequency)")


def adversarial_ae():
    """Return a diagram of encoder, two latents, decoder and discriminators."""
    network = AdversarialAEClassifier()
    d = Drawing(9.4, 3.7)
    x = d.box(0.85, 1.85, "sentence vector\nor frames", DATA)
    encoder = d.box(2.7, 1.85, f"encoder\n{' · '.join(map(str, network.hidden_units))}", LEARNED)
    emotion = d.box(4.6, 2.55, "emotion latent\na node per class", GOAL)
    style = d.box(4.6, 1.15, f"style latent\n{network.n_style} nodes", GOAL)
    units = " · ".join(map(str, network.decoder_units))
    decoder = d.box(6.6, 1.85, f"decoder\n{units}", LEARNED)
    again = d.box(8.5, 1.85, "reconstructed\ninput", DATA)
    priors = [
        d.box(8.3, 3.3, f"prior:\n{network.prior}", DATA, height=0.6),
        d.box(8.3, 0.4, "prior:\nstandard normal", DATA, height=0.6),
    ]
    judges = [d.box(6.4, y, "discriminator", LEARNED, height=0.5) for y in (3.3, 0.4)]
    labels = d.box(2.7, 3.3, "labels, if\navailable", DATA, height=0.6)
    for one, other in (
        (x, encoder), (encoder, emotion), (encoder, style), (emotion, decoder), (style, decoder),
        (decoder, again), (emotion, judges[0]), (style, judges[1]), (priors[0], judges[0]),
        (priors[1], judges[1]), (labels, emotion),
    ):  # fmt: skip
        d.arrow(one, other)
    d.note(1.2, 0.45, "1  reconstruct the input\n2  fool the discriminators\n3  learn the labels")
    return d.figure


def self_supervised():
    """Return a diagram of frames and words aligned by attention."""
    network = AttentionRNNClassifier()
    d = Drawing(10.6, 2.9)
    cell = f"{network.cell.upper()}, bidirectional,\n{network.n_hidden} units each"
    height = 0.75
    audio = d.row(
        0.6,
        [
            ("audio", DATA),
            ("pretrained\nspeech encoder", FROZEN),
            ("weighted mean\nof its layers", LEARNED),
            (cell, LEARNED),
        ],
        step=1.75,
        width=1.45,
        height=height,
    )
    text = d.row(
        2.3,
        [
            ("transcript", DATA),
            ("pretrained\ntext encoder", FROZEN),
            ("word pieces", DATA),
            (cell, LEARNED),
        ],
        step=1.75,
        width=1.45,
        height=height,
    )
    align = d.box(7.75, 1.45, "words attend\nto frames", LEARNED, width=1.45)
    pool = d.box(9.55, 1.45, f"{network.n_heads} pooling heads,\nclass\nprobabilities", GOAL, 1.45)
    d.arrow(audio[3], align)
    d.arrow(text[3], align)
    d.arrow(audio[2], text[2], both=True, linestyle="--")
    d.note(3.35, 1.45, "attention compares\nthe RNN inputs", color="#555555")
    d.arrow(align, pool)
    return d.figure


def staged_transfer():
    """Return a diagram of the layers that are trained in one and in two stages."""
    transfer = TransferClassifier(AttentionFCNClassifier(), None, strategy="two-stage")
    d = Drawing(9.6, 3.1)
    columns = (
        ("source", 1.7),
        ("single-stage", 4.1),
        ("two-stage: first", 6.3),
        ("two-stage: second", 8.5),
    )
    rows = ((2.15, "classes"), (0.95, "convolutions,\nattention"))
    boxes = {}
    for title, x in columns:
        d.note(x, 2.85, title, weight="bold")
        for y, part in rows:
            frozen = title.endswith("first") and y < 1
            text = f"{part}, frozen" if frozen else part
            if title.endswith("first") and not frozen:
                text += f",\n{transfer.head_epochs} epochs"
            elif title == "source" and not y < 1:
                text = "its own classes"
            color = FROZEN if frozen or title == "source" else LEARNED
            boxes[title, y] = d.box(x, y, text, color, width=1.7)
    d.arrow(boxes["source", 0.95], boxes["single-stage", 0.95])
    d.note(2.9, 0.3, "copied")
    d.ax.plot([1.7, 1.7, 6.3], [0.55, 0.15, 0.15], color="#333333", linewidth=1)
    d.ax.annotate("", (6.3, 0.55), (6.3, 0.14), arrowprops={"arrowstyle": "->", "color": "#333333"})
    for y, _ in rows:
        d.arrow(boxes["two-stage: first", y], boxes["two-stage: second", y])
    return d.figure


def contours():
    """Plot level contours of synthetic utterances."""
    corpus = make_emotional_speech(2, 10, random_state=0)
    levels = LevelContour(input_sampling_rate=corpus.sampling_rate)
    figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
    for emotion in ("anger", "neutral", "sadness"):
        row = int(np.flatnonzero(corpus.target == emotion)[0])
        X = levels.transform([corpus.data[row]])
        times = np.arange(X.lengths[0]) * X.layout.hop + X.layout.offset
        ax.plot(times, X[0][:, 0], label=emotion)
    ax.set(xlabel="time in seconds", ylabel="mean of mel bands in dB")
    ax.legend()
    return figure


def latents():
    """Plot both latents for utterances of unseen speakers."""
    corpus = make_emotional_speech(8, 25, random_state=0)
    frames = FrameFeatures(("energy", "pitch"), input_sampling_rate=corpus.sampling_rate)
    X = StandardScaler().fit_transform(Functionals(frames).fit_transform(corpus.data))
    train = np.isin(corpus.speakers, ["01", "02", "03", "04", "05", "06"])
    network = AdversarialAEClassifier(max_epochs=20, n_threads=1, device="cpu", random_state=0)
    network.fit(X[train], corpus.target[train])
    return LatentSpaceDisplay.from_estimator(network, X[~train], corpus.target[~train]).figure_


def label_efficiency(results):
    """Plot UAR by labels per class for pretrained and hand-crafted vectors."""
    result = read_result(results / "label_efficiency.json")
    figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
    for ax, (protocol, entry) in zip(axes, result["protocols"].items(), strict=True):
        for name in ("pretrained", "hand-made"):
            rows = [row for row in entry["scores"] if row["estimator"] == name]
            x, mean, sd = (
                np.array([row[k] for row in rows], float) for k in ("n_labels", "mean", "std")
            )
            label = "hand-crafted" if name == "hand-made" else name
            ax.errorbar(x, 100 * mean, 100 * sd, fmt="o-", capsize=3, label=label)
        ax.set(title=TITLES[protocol], xlabel="labels per class", xscale="log")
        ax.set_xticks(x, [f"{n:.0f}" for n in x])
        ax.set_xticks([], minor=True)
    axes[0].set_ylabel("UAR in %")
    axes[0].legend()
    return figure
