"""Alterations of waveforms, for augmentation and for tests of robustness."""

from skser.augmentation._altered import altered
from skser.augmentation._channels import (
    encode,
    limit_band,
    resample_badly,
    telephone,
    tilt_spectrum,
)
from skser.augmentation._conditions import Conditions
from skser.augmentation._distortions import change_gain, change_speed, clip, default_distortions
from skser.augmentation._noise import add_babble, add_noise, add_recording
from skser.augmentation._rooms import apply_room, reverberate, simulate_rooms

__all__ = [
    "Conditions",
    "add_babble",
    "add_noise",
    "add_recording",
    "altered",
    "apply_room",
    "change_gain",
    "change_speed",
    "clip",
    "default_distortions",
    "encode",
    "limit_band",
    "resample_badly",
    "reverberate",
    "simulate_rooms",
    "telephone",
    "tilt_spectrum",
]
