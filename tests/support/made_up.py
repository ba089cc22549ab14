"""Synthetic problem with a known answer for the adversarial autoencoder, and its settings."""

import numpy as np

EXACT = {"device": "cpu", "n_threads": 1, "random_state": 0}
TWIN = {"reconstruction_weight": 0.0, "adversarial_weight": 0.0}


def emotion_and_style(seed=0, n=900, n_columns=30, n_classes=4, n_style=3):
    """Mix a small emotion factor and a large style factor by a rotation, and add noise."""
    random = np.random.RandomState(seed)
    emotion = random.randint(n_classes, size=n)
    style = random.randn(n, n_style)
    axes = np.linalg.qr(random.randn(n_columns, n_columns))[0]
    X = 1.8 * np.eye(n_classes)[emotion] @ axes[:n_classes]
    X += 3.0 * style @ axes[n_classes : n_classes + n_style] + 0.6 * random.randn(n, n_columns)
    return (X / X.std()).astype(np.float32), emotion, style
