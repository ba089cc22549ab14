"""The adversarial autoencoder on a synthetic problem with known factors.

    python benchmarks/adversarial_made_up.py

Vectors of 30 columns contain a weak emotion factor (four classes), a strong style factor (three
normal numbers) and noise, mixed by a rotation. There are 600 training rows, of which 5 per class
are labeled, and 300 test rows. The script stores the accuracy of the conventional twin and of the
full model, and the scores of linear probes of each latent, for the emotion (accuracy) and for the
style (R²). There are five problems, one per seed.
"""

import numpy as np
from provenance import RESULTS, versions, write_result
from sklearn.linear_model import LinearRegression, LogisticRegression

from skser.neural_network import AdversarialAEClassifier

N_SEEDS, N_TRAIN, N_TEST, N_COLUMNS, N_CLASSES, N_STYLE = 5, 600, 300, 30, 4, 3
SETTINGS = {"n_style": N_STYLE, "noise": 0.1, "dropout": 0.1, "max_epochs": 60}
SYSTEMS = {
    "conventional": {"reconstruction_weight": 0.0, "adversarial_weight": 0.0},
    "adversarial": {"reconstruction_weight": 1.0, "adversarial_weight": 0.3},
}


def problem(seed):
    """Return the vectors, emotions and styles of one problem."""
    random = np.random.RandomState(seed)
    n = N_TRAIN + N_TEST
    emotion, style = random.randint(N_CLASSES, size=n), random.randn(n, N_STYLE)
    axes = np.linalg.qr(random.randn(N_COLUMNS, N_COLUMNS))[0]
    X = 1.8 * np.eye(N_CLASSES)[emotion] @ axes[:N_CLASSES]
    X += 3.0 * style @ axes[N_CLASSES : N_CLASSES + N_STYLE] + 0.6 * random.randn(n, N_COLUMNS)
    return (X / X.std()).astype(np.float32), emotion, style


def probes(codes, emotion, style):
    """Score linear models that predict emotion and style from a latent, on test rows."""
    train, test = slice(N_TRAIN), slice(N_TRAIN, None)
    of_emotion = LogisticRegression(max_iter=1000).fit(codes[train], emotion[train])
    of_style = LinearRegression().fit(codes[train], style[train])
    return {
        "emotion": of_emotion.score(codes[test], emotion[test]),
        "style": of_style.score(codes[test], style[test]),
    }


def main():
    result = {"settings": SETTINGS, "versions": versions("torch", "skorch", "numpy"), "systems": {}}
    for name, weights in SYSTEMS.items():
        runs = []
        for seed in range(N_SEEDS):
            X, emotion, style = problem(seed)
            y = np.full(N_TRAIN, -1)
            for c in range(N_CLASSES):
                y[np.flatnonzero(emotion[:N_TRAIN] == c)[:5]] = c
            model = AdversarialAEClassifier(
                unlabeled=-1, random_state=seed, n_threads=1, device="cpu", **SETTINGS, **weights
            ).fit(X[:N_TRAIN], y)
            run = {"accuracy": model.score(X[N_TRAIN:], emotion[N_TRAIN:])}
            for latent in ("emotion", "style"):
                codes = model.set_params(latent=latent).transform(X)
                for factor, found in probes(codes, emotion, style).items():
                    run[f"{factor} in the {latent} latent"] = float(found)
            runs.append(run)
        result["systems"][name] = {key: [run[key] for run in runs] for key in runs[0]}
        means = {key: round(np.mean(v), 3) for key, v in result["systems"][name].items()}
        print(name, means, flush=True)
    write_result(RESULTS / "adversarial_made_up.json", result)


if __name__ == "__main__":
    main()
