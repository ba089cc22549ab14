"""Alterations of waveforms, for augmentation and for tests of robustness."""

from skser.augmentation._altered import altered
from skser.augmentation._distortions import (
    add_noise,
    change_gain,
    change_speed,
    clip,
    default_distortions,
    encode,
    resample_badly,
    reverberate,
    telephone,
)

__all__ = [
    "add_noise",
    "altered",
    "change_gain",
    "change_speed",
    "clip",
    "default_distortions",
    "encode",
    "resample_badly",
    "reverberate",
    "telephone",
]
