"""Fingerprints of transformers: eight numbers that change when an algorithm changes."""

from functools import cache

import numpy as np

from skser.audio import AudioReadError, Waveform, read_utterance
from skser.persistence._errors import SavedModelError

_RATE = 16000
_FORMANTS = (600.0, 1300.0, 2500.0), (80.0, 120.0, 200.0)  # in Hz, and their widths
_N_NUMBERS = 8
# Numbers above this count by their relative change, and numbers below it by their absolute one.
_FLOOR = 0.1
# Other processors change the last digits, and so a fingerprint by up to 5e-4 (measured); another
# window or another band changes it by 0.6 and more. A hash would change with the last digits.
_TOLERANCE = 0.01
# Functionals know columns by name only: one of voice, one of voiced frames, and another.
_COLUMNS = ("F0", "jitter", "loudness")


def fingerprint(transformer):
    """Return what a transformer makes of a test signal, as a few numbers.

    Parameters
    ----------
    transformer : AudioTransformer or Functionals

    Returns
    -------
    list of float or None
        Number of rows; number of columns; eight random sums of the columns' means and standard
        deviations, on a logarithmic scale. None if the transformer needs a download or an
        optional library, or if half a second is too short for it.
    """
    values = _values(transformer)
    if values is None:
        return None
    moments = np.concatenate(
        [values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)]
    )
    signs = np.random.RandomState(0).randint(2, size=(_N_NUMBERS, len(moments))) * 2.0 - 1
    sums = signs @ np.arcsinh(moments / _FLOOR)
    return [*map(float, values.shape), *(round(float(number), 5) for number in sums)]


def require_same(theirs, ours, name):
    """Refuse features that are not those of training.

    Parameters
    ----------
    theirs, ours : list of float or None
        Fingerprints that `fingerprint` returned.
    name : str
        Name of the transformer.

    Raises
    ------
    SavedModelError
        If the fingerprints differ.
    """
    if theirs is None and ours is None:
        return
    differ = f"The features of {name} are not those that the model was trained on"
    if theirs is None or ours is None:
        raise SavedModelError(f"{differ}: their fingerprints are missing.")
    saved, now = np.array(theirs, np.float64), np.array(ours, np.float64)
    if saved.shape != now.shape or (saved[:2] != now[:2]).any():
        shapes = [" x ".join(f"{n:.0f}" for n in values[:2]) for values in (saved, now)]
        raise SavedModelError(f"{differ}: a test signal gave {shapes[0]} values, now {shapes[1]}.")
    difference = np.abs(now - saved)[2:].max()
    if not difference <= _TOLERANCE:
        raise SavedModelError(
            f"{differ}: their fingerprint of a test signal was {theirs[2]:.6g} and is "
            f"{ours[2]:.6g} (largest difference {difference:.3g})."
        )


def _values(transformer):
    """Return rows of features of the test signal, None if they cannot be computed here."""
    from skser.feature_extraction import Functionals, UtteranceTooShort, describe

    if isinstance(transformer, Functionals):
        frames = _made_up_frames()
        return describe(
            frames,
            np.array([len(frames)]),
            columns=_COLUMNS,
            statistics=tuple(transformer.statistics),
            hop=0.01,
            active_only=transformer.active_only,
        )[1]
    if not _is_at_hand(transformer):
        return None
    try:
        rate = transformer.sampling_rate
        samples = read_utterance(Waveform(_speech(), _RATE), 0, None, rate)
        values = transformer._extract(samples, transformer._prepare())
    except (AudioReadError, UtteranceTooShort):  # such as windows of more than half a second
        return None
    return values if values.ndim == 2 else values[:, None]


def _is_at_hand(transformer):
    from skser.feature_extraction import AudioTransformer

    return (
        isinstance(transformer, AudioTransformer)
        and type(transformer).__name__ != "OpenSmile"
        and "checkpoint" not in transformer.get_params(deep=False)
    )


@cache
def _speech():
    """Return half a second at 16 kHz: near silence, a gliding vowel, a hiss."""
    time = np.arange(_RATE // 2) / _RATE
    pitch = 130 + 40 * np.sin(2 * np.pi * 2 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / _RATE
    vowel = np.zeros(len(time))
    for harmonic in range(1, 41):
        frequency = harmonic * pitch
        strength = sum(
            1 / (1 + ((frequency - f) / width) ** 2) for f, width in zip(*_FORMANTS, strict=True)
        )
        vowel += np.sin(harmonic * phase) * (0.02 + strength) / harmonic**0.5
    noise = np.random.RandomState(0).standard_normal(len(time))
    voiced = np.clip(np.minimum(time - 0.08, 0.38 - time) / 0.03, 0, 1)
    hissing = np.clip(np.minimum(time - 0.38, 0.46 - time) / 0.02, 0, 1)
    samples = 0.1 * voiced * vowel + (0.02 * hissing + 1e-4) * noise
    samples = samples.astype(np.float32)
    samples.flags.writeable = False
    return samples


def _made_up_frames():
    """Return contours of `_COLUMNS`, with F0 of 0 where speech is unvoiced."""
    time = np.arange(60)[:, None]
    frames = np.sin(time / np.array([5, 7, 11])) + np.cos(0.3 * time**1.5)
    frames = np.maximum(frames + np.array([0, 2, 0]), 0).astype(np.float32)
    frames[:12, 0] = frames[-9:, 0] = 0
    return frames
