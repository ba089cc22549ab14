"""Test recordings in conditions that no system is trained in.

The alterations are written here, and not taken from `skser.augmentation`, so that training and test
share no noise file, voice, impulse response or codec setting:

white, pink  noise that is drawn anew
sounds       a random stretch of one of ESC-10's everyday sounds; of folds 4 and 5 only, as folds 1
             to 3 are for training
babble       six voices of another corpus at equal level, without the silence around their words
room         twenty simulated rooms (image sources) that reverberate for 0.3 to 0.8 s
telephone    300 to 3400 Hz at 8 kHz, GSM 06.10 (full rate)
codec        AAC at 16 kbit/s

Noise has the stated ratio to the utterance over its whole duration, at 16 kHz. The alteration of an
utterance depends on its samples and on the name of the condition alone.
"""

import functools
import io
import os
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.signal
import soundfile

from skser.audio import Waveform, load_audio, resample

RATE = 16000
NOISES = ("white", "pink", "sounds", "babble")
RATIOS = (20, 10, 5, 0)
TEST_SOUNDS = (4, 5)  # folds of ESC-10
AAC_DELAY = 1024  # samples that the encoder puts first
CONDITIONS = (
    "clean",
    *(f"{noise} {ratio} dB" for noise in NOISES for ratio in RATIOS),
    "room",
    "telephone",
    "codec",
)


def read(source):
    """Return the samples of a recording at 16 kHz, float32."""
    samples, rate = load_audio(source)
    return resample(np.asarray(samples), rate, RATE).astype(np.float32)


def altered(samples, condition, voices, sounds=TEST_SOUNDS):
    """Return an utterance in a condition.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        Utterance at 16 kHz.
    condition : str
        One of `CONDITIONS`.
    voices : list of ndarray
        Utterances of other speakers at 16 kHz, for babble.
    sounds : tuple of int, default=(4, 5)
        Folds of ESC-10 that everyday sounds are from.

    Returns
    -------
    Waveform
    """
    random = np.random.RandomState(zlib.crc32(condition.encode() + samples.tobytes()))
    kind, *ratio = condition.split()[:2]
    if kind == "room":
        response = impulse_responses()[random.randint(len(impulse_responses()))]
        result = scipy.signal.fftconvolve(samples, response)[: len(samples)]
    elif kind == "telephone":
        result = telephone(samples)
    elif kind == "codec":
        result = aac(samples)
    elif kind == "clean":
        result = samples
    else:
        noise = noise_of(kind, len(samples), random, voices, sounds)
        power, of_noise = (np.mean(np.square(x, dtype=np.float64)) for x in (samples, noise))
        result = samples + np.sqrt(power / of_noise) * 10 ** (-int(ratio[0]) / 20) * noise
    return Waveform(result.astype(np.float32), RATE, max_amplitude=None)


def noise_of(kind, n_samples, random, voices, sounds):
    """Return noise of a kind, at any level."""
    if kind == "white":
        return random.standard_normal(n_samples)
    if kind == "pink":
        spectrum = np.fft.rfft(random.standard_normal(n_samples))
        return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), n_samples)
    if kind == "sounds":
        noise, clips = np.zeros(1), everyday_sounds(sounds)
        while not noise.any():  # some clips end in digital silence
            sound = clips[random.randint(len(clips))]
            noise = stretch(sound, n_samples, random)
        return noise
    drawn = random.choice(len(voices), 6, replace=False)
    spoken = [stretch(without_edges(voices[i]), n_samples, random) for i in drawn]
    return sum(voice / np.sqrt(np.mean(np.square(voice))) for voice in spoken)


def stretch(samples, n_samples, random):
    """Return a random stretch of a recording, repeated if it is too short."""
    start = random.randint(len(samples))
    return np.resize(np.roll(samples, -start), n_samples)


def without_edges(samples):
    """Remove what is before and after the frames of 20 ms within 30 dB of the loudest one."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    power = np.mean(np.square(frames), axis=1)
    heard = np.flatnonzero(power >= 1e-3 * power.max())
    return samples[320 * heard[0] : 320 * (heard[-1] + 1)]


def telephone(samples):
    """Return an utterance as a mobile telephone of the 1990s transmits it."""
    narrow = resample(samples, RATE, 8000)
    band = scipy.signal.butter(4, (300, 3400), "bandpass", fs=8000, output="sos")
    narrow = scipy.signal.sosfilt(band, narrow)
    peak = max(float(np.abs(narrow).max()), 1.0)  # beyond full scale it would be clipped
    file = io.BytesIO()
    soundfile.write(file, narrow / peak, 8000, format="WAV", subtype="GSM610")
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return peak * resample(decoded, 8000, RATE)[: len(samples)]


def aac(samples):
    """Encode an utterance as AAC and decode it again."""
    import av

    peak = max(float(np.abs(samples).max()), 1.0)
    file = io.BytesIO()
    with av.open(file, "w", format="adts") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono", bit_rate=16000)
        whole = np.ascontiguousarray(samples / peak, np.float32)[None]
        frame = av.AudioFrame.from_ndarray(whole, format="fltp", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    file.seek(0)
    with av.open(file) as container:
        decoded = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    return peak * decoded[AAC_DELAY:][: len(samples)]


@functools.cache
def everyday_sounds(folds=TEST_SOUNDS):
    """Return the sounds of some folds of ESC-10, at 16 kHz."""
    folder = Path(os.environ["SKSER_DATA"]) / "esc10"
    clips = pd.read_csv(folder / "clips.csv")
    return [read(folder / name) for name in clips.loc[clips["fold"].isin(folds), "file"]]


@functools.cache
def impulse_responses():
    """Return the impulse responses of twenty simulated rooms, from the direct sound on."""
    import pyroomacoustics as pra

    random = np.random.RandomState(20)
    found = []
    while len(found) < 20:
        size = random.uniform((3.5, 3, 2.4), (8, 6, 3.5))
        source, microphone = (random.uniform(0.5, size - 0.5) for _ in range(2))
        if np.linalg.norm(source - microphone) < 1:
            continue
        absorption, order = pra.inverse_sabine(random.uniform(0.3, 0.8), size)
        room = pra.ShoeBox(
            size, fs=RATE, materials=pra.Material(absorption), max_order=min(order, 60)
        )
        room.add_source(source)
        room.add_microphone(microphone)
        room.compute_rir()
        response = room.rir[0][0]
        found.append(response[np.argmax(np.abs(response)) :])
    return found
