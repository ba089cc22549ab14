"""Made-up emotional speech from a source-filter synthesizer."""

from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.signal
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from skser._docstrings import insert_descriptions
from skser.datasets._corpus import SpeechCorpus, finish
from skser.datasets._parameters import SHARED


@dataclass(frozen=True)
class _Voice:
    """Voice settings of an emotion.

    `level` (mean pitch relative to the speaker), `span` (pitch range of accents), `contour`
    (pitch movement within a syllable, rising if positive), `declination` (pitch movement over
    the utterance) and `tremor` are in semitones, `tempo` is a factor, `tilt` is in dB per
    octave, `attack` is in seconds, `jitter` and `shimmer` are relative deviations of period and
    amplitude, and `breath` is the level of noise relative to the glottal pulses.
    """

    valence: float
    activation: float
    dominance: float
    level: float = 0.0
    span: float = 2.0
    contour: float = 0.0
    declination: float = -2.0
    tempo: float = 1.0
    tilt: float = 0.0
    attack: float = 0.03
    jitter: float = 0.005
    shimmer: float = 0.05
    breath: float = 0.01
    tremor: float = 0.0


# Directions of change after Banse and Scherer (1996), Juslin and Laukka (2003), Scherer (2003).
_VOICES = {
    "neutral": _Voice(0.0, 0.0, 0.0),
    "anger": _Voice(
        -0.6, 0.7, 0.8, level=4, span=3.5, contour=-4, tempo=1.1, tilt=3.5, attack=0.01,
        jitter=0.012, shimmer=0.12,
    ),
    "happiness": _Voice(
        0.8, 0.6, 0.4, level=4, span=3.5, contour=4, declination=0, tempo=1.1, tilt=1.5,
        attack=0.02,
    ),
    "sadness": _Voice(
        -0.7, -0.6, -0.5, level=-2, span=1, contour=-2, declination=-4, tempo=0.85, tilt=-3.5,
        attack=0.06, jitter=0.01, shimmer=0.1, breath=0.025,
    ),
    "fear": _Voice(
        -0.7, 0.6, -0.7, level=5, span=1.5, contour=1.5, declination=1, tempo=1.15,
        tilt=-1.5, attack=0.02, jitter=0.015, shimmer=0.1, breath=0.02, tremor=1.2,
    ),
    "boredom": _Voice(
        -0.3, -0.7, -0.2, level=-1.5, span=0.6, contour=0, declination=-1, tempo=0.8,
        tilt=-2, attack=0.05,
    ),
    "surprise": _Voice(
        0.3, 0.7, -0.1, level=5, span=5, contour=6, declination=4, tempo=1.05, tilt=1,
        attack=0.015,
    ),
}  # fmt: skip

# First three formants in Hz of an adult male's vowels (Peterson and Barney, 1952).
_VOWELS = np.array(
    [
        (270, 2290, 3010),  # beet
        (530, 1840, 2480),  # bet
        (660, 1720, 2410),  # bat
        (730, 1090, 2440),  # father
        (570, 840, 2410),  # bought
        (300, 870, 2240),  # boot
    ]
)
_BANDWIDTHS = np.array((60.0, 90.0, 150.0))  # of the formants, in Hz
_DESCRIPTION = """Made-up emotional speech

Synthesized by skser.datasets.make_emotional_speech, not spoken by a person. It is meant for
trying out code; results on it do not carry over to human speech.
"""


@insert_descriptions(SHARED)
@validate_params(
    {
        "n_speakers": [Interval(Integral, 1, None, closed="left")],
        "n_utterances_per_speaker": [Interval(Integral, 1, None, closed="left")],
        "emotions": ["array-like"],
        "n_sentences": [Interval(Integral, 1, None, closed="left")],
        "sampling_rate": [Interval(Real, 8000, None, closed="left")],
        "expressiveness": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_emotional_speech(
    n_speakers=10,
    n_utterances_per_speaker=30,
    emotions=("neutral", "anger", "happiness", "sadness", "fear"),
    *,
    n_sentences=6,
    sampling_rate=16000,
    expressiveness=1.0,
    output_dir=None,
    return_X_y=False,
    random_state=None,
):
    """Synthesize a corpus of emotional speech.

    Glottal pulses with jitter, shimmer and breath noise excite the formants of one vowel after
    the other. Level, range and movement of the pitch, tempo, onset, spectral tilt and tremor
    follow the emotion. Speakers differ in pitch, vocal tract, tempo, spectral tilt and
    expressiveness; every second one is a woman.

    Parameters
    ----------
    n_speakers : int, default=10
        Number of speakers.
    n_utterances_per_speaker : int, default=30
        Number of utterances of each speaker. Emotions and sentences alternate, so that they are
        balanced within each speaker.
    emotions : sequence of str, default=("neutral", "anger", "happiness", "sadness", "fear")
        Emotions to portray, among these, "boredom" and "surprise".
    n_sentences : int, default=6
        Number of different sentences, which are random sequences of syllables.
    sampling_rate : float, default=16000
        Sampling rate in Hz, at least 8000.
    expressiveness : float, default=1.0
        Factor on the differences between each emotion and neutral; with 0 all utterances are
        neutral.
    output_dir : path-like or None, default=None
        Folder that receives one WAV file per utterance; ``data`` then holds their paths. None
        keeps the utterances as arrays.
    {return_X_y}
    random_state : int, RandomState instance or None, default=None
        Seed or source of random numbers; an int makes the corpus reproducible.

    Returns
    -------
    SpeechCorpus
        Arrays of float32, or paths, with speakers, sexes, sentences, and valence, activation
        and dominance between -1 and 1.

    Raises
    ------
    ValueError
        If an emotion is unknown.

    References
    ----------
    Banse, R. and Scherer, K. R. (1996). Acoustic profiles in vocal emotion expression.
    Journal of Personality and Social Psychology 70(3).

    Juslin, P. N. and Laukka, P. (2003). Communication of emotions in vocal expression and
    music performance. Psychological Bulletin 129(5).

    Scherer, K. R. (2003). Vocal communication of emotion: a review of research paradigms.
    Speech Communication 40.

    Fant, G. (1960). Acoustic Theory of Speech Production. Mouton.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech
    >>> corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=5, random_state=0)
    >>> corpus
    SpeechCorpus made-up: 10 utterances, 2 speakers, 5 emotions
    emotion  anger  fear  happiness  neutral  sadness  all
    speaker
    01           1     1          1        1        1    5
    02           1     1          1        1        1    5
    all          2     2          2        2        2   10
    >>> corpus.data[0].dtype, corpus.sampling_rate
    (dtype('float32'), 16000)
    """
    unknown = sorted(set(emotions) - set(_VOICES))
    if unknown:
        raise ValueError(f"The emotions {unknown} are unknown; choose among {sorted(_VOICES)}.")
    random = check_random_state(random_state)
    sentences = [_make_sentence(random) for _ in range(n_sentences)]
    rows = []
    for number in range(n_speakers):
        speaker = _make_speaker(random, "female" if number % 2 else "male")
        # The sentence changes only after all emotions. Otherwise an emotion would never meet
        # some sentences when their numbers have a common factor.
        for i in range(n_utterances_per_speaker):
            emotion = emotions[i % len(emotions)]
            sentence = (i // len(emotions) + number) % n_sentences
            intensity = random.uniform(0.7, 1.3) * speaker["expression"] * expressiveness
            samples = _speak(
                sentences[sentence], speaker, _VOICES[emotion], intensity, sampling_rate, random
            )
            rows.append(
                {
                    "audio": samples,
                    "emotion": emotion,
                    "speaker": f"{number + 1:02d}",
                    "sex": speaker["sex"],
                    "sentence": f"s{sentence + 1}",
                    **_dimensions(_VOICES[emotion], intensity, random),
                }
            )
    if output_dir is not None:
        _write(rows, Path(output_dir), sampling_rate)
    corpus = SpeechCorpus(
        pd.DataFrame(rows),
        "made-up",
        {emotion: emotion for emotion in emotions},
        license="CC0-1.0",
        description=_DESCRIPTION,
        sampling_rate=None if output_dir is not None else sampling_rate,
        dimension_range=(-1.0, 1.0),
    )
    return finish(corpus, return_X_y)


def _make_sentence(random):
    """Draw the syllables of a sentence.

    Each has a vowel, an onset (0 none, 1 noise, 2 stop), a duration in seconds, an accent as a
    factor on the pitch range, and possibly a pause before it.
    """
    n_syllables = random.randint(5, 10)
    return [
        {
            "vowel": random.randint(len(_VOWELS)),
            "onset": random.randint(3),
            "duration": random.uniform(0.12, 0.22),
            "accent": random.choice((-0.5, 0.0, 0.5, 1.0)),
            "pause": i > 0 and random.uniform() < 0.12,
        }
        for i in range(n_syllables)
    ]


def _make_speaker(random, sex):
    """Draw the voice of a speaker: pitch in Hz, tilt in dB per octave, otherwise factors."""
    female = sex == "female"
    return {
        "sex": sex,
        "pitch": (205.0 if female else 115.0) * 2 ** (random.normal(0, 2.0) / 12),
        "tract": (1.16 if female else 1.0) * np.exp(random.normal(0, 0.06)),
        "tempo": np.exp(random.normal(0, 0.12)),
        "tilt": random.normal(-9.0, 1.0),
        "span": np.exp(random.normal(0, 0.25)),
        "breath": random.uniform(0.5, 1.5),
        "expression": random.uniform(0.8, 1.2),
    }


def _dimensions(voice, intensity, random):
    """Draw valence, activation and dominance of an utterance."""
    noise = random.normal(0, 0.08, 3)
    values = np.array((voice.valence, voice.activation, voice.dominance)) * intensity + noise
    return dict(zip(("valence", "activation", "dominance"), np.clip(values, -1, 1), strict=True))


def _speak(sentence, speaker, voice, intensity, rate, random):
    """Synthesize an utterance as mono float32 samples."""

    def mixed(name):
        """Return a setting between neutral (intensity 0), the emotion (1) and beyond."""
        neutral = getattr(_VOICES["neutral"], name)
        return neutral + intensity * (getattr(voice, name) - neutral)

    tempo = speaker["tempo"] * mixed("tempo") * np.exp(random.normal(0, 0.08))
    pitch, loudness, vowels, noise = _score(sentence, speaker, mixed, tempo, rate, random)
    source = _pulses(pitch, rate, max(mixed("jitter"), 0), max(mixed("shimmer"), 0), random)
    breath = max(mixed("breath"), 0.003) * speaker["breath"]
    source += breath * random.normal(0, 1, len(source))
    source = _tilted(source, speaker["tilt"] + mixed("tilt") + random.normal(0, 0.5), rate)
    source = _transmitted(source, rate)
    voiced = _through_vocal_tract(source * loudness, vowels, speaker["tract"], rate)
    samples = voiced + noise * np.abs(voiced).max()
    # Background noise of a room, 50 to 60 dB below the peak.
    room = (
        random.normal(0, 1, len(samples)) * np.abs(samples).max() * 10 ** random.uniform(-3, -2.5)
    )
    samples = samples + room
    gain = 10 ** (random.uniform(-15, -1) / 20)
    return (gain * samples / np.abs(samples).max()).astype(np.float32)


def _score(sentence, speaker, mixed, tempo, rate, random):
    """Plan an utterance: its pitch in Hz, loudness and consonant noise at each sample.

    The third of the four values returned lists (first sample, last sample, vowel) of each
    syllable.
    """
    silence = [random.uniform(0.05, 0.4) for _ in range(2)]
    pitch_parts = [np.zeros(round(silence[0] * rate))]
    loudness_parts = [np.zeros(round(silence[0] * rate))]
    noise_parts = [np.zeros(round(silence[0] * rate))]
    vowels = []
    level = mixed("level") + random.normal(0, 1.0)
    contour = mixed("contour") + random.normal(0, 0.8)
    declination = mixed("declination") + random.normal(0, 0.8)
    for i, syllable in enumerate(sentence):
        duration = syllable["duration"] * np.exp(random.normal(0, 0.12)) / tempo
        n_vowel = round(duration * rate)
        gap = {0: 0.01, 1: 0.06, 2: 0.04}[syllable["onset"]] / tempo
        n_gap = round((gap + 0.2 * syllable["pause"]) * rate)
        consonant = np.zeros(n_gap)
        if syllable["onset"] == 1:
            n_noise = min(n_gap, round(0.05 * rate / tempo))
            consonant[n_gap - n_noise :] = 0.04 * random.normal(0, 1, n_noise)
        position = np.linspace(0, 1, n_vowel)
        semitones = (
            level
            + mixed("span") * speaker["span"] * syllable["accent"]
            + contour * (position - 0.5)
            + declination * (i + 0.5) / len(sentence)
        )
        tremor = mixed("tremor")
        phase = random.uniform(0, 2 * np.pi)
        semitones = semitones + tremor * np.sin(2 * np.pi * 7.5 * position * duration + phase)
        attack = max(mixed("attack"), 0.004)
        rise = np.minimum(position * duration / attack, 1)
        fall = np.minimum((1 - position) * duration / 0.04, 1)
        pitch_parts += [np.zeros(n_gap), speaker["pitch"] * 2 ** (semitones / 12)]
        loudness_parts += [np.zeros(n_gap), rise * fall * (1 + 0.3 * syllable["accent"])]
        noise_parts += [consonant, np.zeros(n_vowel)]
        first = sum(len(part) for part in pitch_parts[:-1])
        vowels.append((first, first + n_vowel, syllable["vowel"]))
    for parts in (pitch_parts, loudness_parts, noise_parts):
        parts.append(np.zeros(round(silence[1] * rate)))
    joined = (np.concatenate(parts) for parts in (pitch_parts, loudness_parts, noise_parts))
    pitch, loudness, noise = joined
    return pitch, loudness, vowels, noise


def _pulses(pitch, rate, jitter, shimmer, random):
    """Return one pulse per glottal cycle, shared between the two samples around its instant."""
    cycles = np.cumsum(pitch / rate)
    n_cycles = int(cycles[-1])
    if n_cycles == 0:
        return np.zeros(len(pitch))
    instants = np.interp(np.arange(1, n_cycles + 1), cycles, np.arange(len(pitch)))
    # Pitch is 0 between syllables, where a period would be infinite.
    period = rate / np.maximum(pitch[np.minimum(instants.astype(int), len(pitch) - 1)], 50.0)
    instants = np.clip(
        instants + jitter * period * random.normal(0, 1, n_cycles), 0, len(pitch) - 2
    )
    height = 1 + shimmer * random.normal(0, 1, n_cycles)
    before = instants.astype(int)
    after_share = instants - before
    source = np.zeros(len(pitch))
    np.add.at(source, before, height * (1 - after_share))
    np.add.at(source, before + 1, height * after_share)
    return source


def _tilted(source, tilt, rate):
    """Apply a spectral slope of `tilt` dB per octave above 100 Hz."""
    spectrum = np.fft.rfft(source)
    frequencies = np.fft.rfftfreq(len(source), 1 / rate)
    octaves = np.log2(np.maximum(frequencies, 100.0) / 100.0)
    return np.fft.irfft(spectrum * 10 ** (tilt * octaves / 20), len(source))


def _transmitted(source, rate):
    """Remove what is below 40 Hz: the mean of the pulses, which all have one sign."""
    spectrum = np.fft.rfft(source)
    spectrum[np.fft.rfftfreq(len(source), 1 / rate) < 40] = 0
    return np.fft.irfft(spectrum, len(source))


def _through_vocal_tract(source, vowels, tract, rate):
    """Filter each syllable with the formants of its vowel, and let it ring into the next."""
    voiced = np.zeros(len(source))
    ring = round(0.03 * rate)
    for first, last, vowel in vowels:
        stop = min(last + ring, len(source))
        part = source[first:stop].copy()
        part[last - first :] = 0  # only the filters' decay remains after the syllable
        for formant, bandwidth in zip(_VOWELS[vowel] * tract, _BANDWIDTHS, strict=True):
            radius = np.exp(-np.pi * bandwidth / rate)
            denominator = [1, -2 * radius * np.cos(2 * np.pi * formant / rate), radius**2]
            # This numerator gives each resonance unit gain at 0 Hz.
            part = scipy.signal.lfilter([sum(denominator)], denominator, part)
        voiced[first:stop] += part
    return voiced


def _write(rows, folder, rate):
    """Write each utterance to a file, and replace its samples by the path."""
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(rows):
        name = f"{number:05d}_{row['speaker']}_{row['sentence']}_{row['emotion']}.wav"
        soundfile.write(folder / name, row["audio"], int(rate))
        row["audio"] = str(folder / name)
