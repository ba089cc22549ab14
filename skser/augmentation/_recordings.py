"""Recordings that alterations draw from: noises, voices and impulse responses."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd

from skser.audio import (
    AudioReadError,
    Utterance,
    Waveform,
    audio_inputs,
    read_utterance,
    resample,
    utterance_name,
)
from skser.datasets import audio_files_in

# Samples of the voices that babble is drawn from: 35 minutes at 16 kHz, 134 MB.
_ENOUGH = 2**25


class Listed(list):
    """List of audio that `listed` has checked."""


def listed(recordings, what):
    """Return recordings as a list of audio.

    Parameters
    ----------
    recordings : path-like, or list of audio
        Folder, whose audio files are found at any depth, a single file, or a list.
    what : str
        Name of the parameter in messages.

    Returns
    -------
    Listed
        Elements as those of `audio_inputs`.

    Raises
    ------
    FileNotFoundError
        If the folder or file does not exist.
    TypeError, ValueError
        If an element is not audio, an array has no sampling rate, or the list or folder is empty.
    """
    if isinstance(recordings, Listed):
        return recordings
    if isinstance(recordings, str | os.PathLike):
        return Listed(_files_of(Path(recordings).expanduser(), what))
    if isinstance(recordings, Waveform | bytes | Utterance):
        recordings = [recordings]
    try:
        return Listed(audio_inputs(recordings))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what} must be a folder or a list of audio: {error}") from error


def _files_of(path, what):
    if path.is_file():
        return [str(path)]
    if not path.is_dir():
        raise FileNotFoundError(f"{what}={str(path)!r} does not exist. Give a folder or a list.")
    files = [str(file) for file in audio_files_in(path)]
    if not files:
        raise ValueError(f"{what}={str(path)!r} holds no audio files.")
    return files


def read(recordings, i, sampling_rate, *, offset=False):
    """Read one recording at a rate in Hz, without digital silence at its ends.

    Unless `offset` is set, its constant offset is removed as well.

    Returns
    -------
    ndarray of shape (n_samples,), float32

    Raises
    ------
    AudioReadError
        If the recording cannot be read, or is silent.
    """
    samples = read_utterance(recordings[i], i, None, sampling_rate)
    sound = np.flatnonzero(samples)
    if len(sound):
        samples = samples[sound[0] : sound[-1] + 1]
    if not samples.any() or not (offset or np.ptp(samples)):
        name = utterance_name(recordings[i], i)
        raise AudioReadError([(name, "is silent: remove it")])
    return samples if offset else samples - samples.mean()


def excerpt(samples, n_samples, random_state):
    """Return `n_samples` from a random place of a recording, which is repeated if too short.

    An excerpt that happens to be silent is replaced by one that starts at the largest sample.
    """
    start = random_state.randint(len(samples) if len(samples) <= n_samples
                                 else len(samples) - n_samples + 1)  # fmt: skip
    part = np.take(samples, np.arange(start, start + n_samples), mode="wrap")
    if not part.any():
        start = np.abs(samples).argmax()
        part = np.take(samples, np.arange(start, start + n_samples), mode="wrap")
    return part.astype(np.float64)


def voices_of(recordings, samples, seed, n, sampling_rate):
    """Read `n` of the recordings in random order, leaving out `samples` themselves.

    Returns
    -------
    list of ndarray of shape (n_samples,), float32
        Voices; fewer than `n` if `recordings` is shorter.

    Raises
    ------
    AudioReadError
        If a recording cannot be read, or is silent.
    ValueError
        If all recordings are `samples`.
    """
    recordings = listed(recordings, "voices")
    found = []
    for i in np.random.RandomState(seed).permutation(len(recordings)):
        if len(found) == n:
            break
        plain = read_utterance(recordings[i], i, None, sampling_rate)
        if not np.array_equal(plain, samples):
            found.append(read(recordings, i, sampling_rate))
    if not found:
        raise ValueError("Babble needs a voice other than the utterance that it is added to.")
    return found


class Voices:
    """Utterances of training from which babble is drawn, independently of their order.

    Parameters
    ----------
    utterances : list of Waveform
        Mono float32 samples, all at one sampling rate.
    speakers : array-like of shape (n_utterances,) or None, default=None
        Speakers of the utterances.
    """

    def __init__(self, utterances, speakers=None):
        self.sampling_rate = utterances[0].sampling_rate
        self.digests = np.array([digest(samples) for samples in utterances])
        self.speakers = np.arange(len(utterances))
        if speakers is not None:
            codes, _ = pd.factorize(np.asarray(speakers))
            # An unknown speaker is one of its own.
            self.speakers = np.where(codes < 0, -1 - self.speakers, codes)
        total, parts, voices = 0, [], []
        for i in np.argsort(_scrambled(self.digests), kind="stable"):
            samples = np.asarray(utterances[i])
            if np.ptp(samples) > 0:
                voices.append(i)
                parts.append(samples)
                total += len(samples)
            if total >= _ENOUGH:
                break
        self.voices = np.array(voices, dtype=np.intp)
        # One block, so that joblib hands it to its processes as a single memory map.
        self.block = np.concatenate(parts) if parts else np.empty(0, np.float32)
        self.ends = np.cumsum([len(part) for part in parts], dtype=np.int64)

    def has_others(self, samples):
        """Return whether there is a voice other than `samples`."""
        return bool((self.digests[self.voices] != digest(samples)).any())

    def draw(self, samples, seed, n, sampling_rate):
        """Return up to `n` voices other than `samples`, those of other speakers first.

        Which are drawn depends on their content and on the seed: the voices of an utterance are
        mostly the same in each fold, and do not depend on the order of the utterances.
        """
        own = digest(samples)
        digests, speakers = self.digests[self.voices], self.speakers[self.voices]
        same_speaker = np.isin(speakers, self.speakers[self.digests == own])
        order = np.lexsort([_scrambled(digests ^ np.uint64(seed)), same_speaker])
        order = order[digests[order] != own][:n]
        found = []
        for i in order:
            start = self.ends[i - 1] if i else 0
            samples = resample(self.block[start : self.ends[i]], self.sampling_rate, sampling_rate)
            if len(samples):  # a voice of a few samples may have none at a lower rate
                found.append(samples - samples.mean())
        return found


def digest(samples):
    """Return a 64-bit digest of samples."""
    content = np.ascontiguousarray(samples, dtype=np.float32)
    code = hashlib.blake2b(content.tobytes(), digest_size=8).digest()
    return np.uint64(int.from_bytes(code, "little"))


def _scrambled(numbers):
    """Return 64-bit numbers in which every bit depends on every bit of the given ones."""
    # The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        numbers = (numbers ^ (numbers >> np.uint64(shift))) * np.uint64(factor)
    return numbers ^ (numbers >> np.uint64(31))
