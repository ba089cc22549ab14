"""Features of one made-up signal, by which a changed algorithm is told from the one of training."""

from functools import cache

import numpy as np

from skser.audio import AudioReadError, Waveform, read_utterance
from skser.feature_extraction import AudioTransformer, Functionals, UtteranceTooShort, describe
from skser.persistence._errors import SavedModelError

_RATE = 16000
_FORMANTS = (600.0, 1300.0, 2500.0), (80.0, 120.0, 200.0)  # in Hz, and their widths
# Far above the last digits that differ between processors, far below what another window does.
_TOLERANCE = 1e-3
# Functionals know columns by name alone: one of voice, one of voiced frames, one of any.
_COLUMNS = ("F0", "jitter", "loudness")


def digest(transformer):
    """What a transformer makes of the test signal, in a few numbers per column.

    Parameters
    ----------
    transformer : AudioTransformer or Functionals

    Returns
    -------
    dict or None
        ``n_rows``; ``mean`` and ``spread`` (standard deviation) of each column over them. None
        if it takes a download or an optional library, or if half a second is too short for it.
    """
    values = _values(transformer)
    if values is None:
        return None
    moments = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    mean, spread = ([float(f"{value:.7g}") for value in moment] for moment in moments)
    return {"n_rows": len(values), "mean": mean, "spread": spread}


def require_same(theirs, ours, name):
    """Refuse features that are not those of training.

    Parameters
    ----------
    theirs, ours : dict or None
        As from `digest`.
    name : str
        Of the transformer.

    Raises
    ------
    SavedModelError
    """
    if theirs is None and ours is None:
        return
    differ = f"features of {name} differ from those it was trained on"
    if theirs is None or ours is None:
        raise SavedModelError(f"{differ}: there is nothing to compare a test signal's with.")
    if theirs["n_rows"] != ours["n_rows"] or len(theirs["mean"]) != len(ours["mean"]):
        shapes = [f"{d['n_rows']} x {len(d['mean'])}" for d in (theirs, ours)]
        raise SavedModelError(f"{differ}: of a test signal they were {shapes[0]}, not {shapes[1]}.")
    saved, now = (np.array([d["mean"], d["spread"]], dtype=np.float64) for d in (theirs, ours))
    sizes = np.hypot(*saved)
    # What should be 0 may be a trace of the large values that it comes from.
    allowed = _TOLERANCE * (sizes + 1e-3 * sizes.max(initial=0))
    excess = np.abs(now - saved) - allowed
    if not (excess <= 0).all():
        row, column = np.unravel_index(np.argmax(excess), excess.shape)
        raise SavedModelError(
            f"{differ}: of a test signal, the {('mean', 'spread')[row]} of column {column} was "
            f"{saved[row, column]:.6g} and is {now[row, column]:.6g}."
        )


def _values(transformer):
    """Rows of numbers, None if there are none to be had."""
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
    except (AudioReadError, UtteranceTooShort):  # windows of more than half a second, say
        return None
    return values if values.ndim == 2 else values[:, None]


def _is_at_hand(transformer):
    return (
        isinstance(transformer, AudioTransformer)
        and type(transformer).__name__ != "OpenSmile"
        and "checkpoint" not in transformer.get_params(deep=False)
        and getattr(transformer, "method", None) != "silero"
    )


@cache
def _speech():
    """Half a second of 16 kHz: near silence, a gliding vowel, a hiss."""
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
    """Rises and falls of `_COLUMNS`; F0 is 0 here and there, as where there is no voice."""
    time = np.arange(60)[:, None]
    frames = np.sin(time / np.array([5, 7, 11])) + np.cos(0.3 * time**1.5)
    frames = np.maximum(frames + np.array([0, 2, 0]), 0).astype(np.float32)
    frames[:12, 0] = frames[-9:, 0] = 0
    return frames
