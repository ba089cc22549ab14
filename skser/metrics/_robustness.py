"""How a model's predictions change when the recording does."""

import functools
import io

import numpy as np
import pandas as pd
import scipy.signal
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, validate_params
from sklearn.utils.validation import check_consistent_length

from skser.audio import (
    Waveform,
    audio_inputs,
    load_audio,
    rate_of,
    read_utterance,
    resample,
    utterance_name,
)
from skser.metrics._classification import unweighted_average_recall

_CLEAN = "clean"
_CODEC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # of MPEG audio


def add_noise(samples, sampling_rate, random_state, *, snr=10):
    """Add white noise at a signal-to-noise ratio in dB over the whole utterance."""
    noise = random_state.standard_normal(len(samples))
    level = np.sqrt(np.mean(samples.astype(np.float64) ** 2)) * 10 ** (-snr / 20)
    return samples + level * noise


def clip(samples, sampling_rate, random_state, *, share=0.05):
    """Cut off the largest `share` of the samples that are not 0, as an overdriven microphone."""
    heard = np.abs(samples[samples != 0])
    if not len(heard):
        return samples
    peak = np.quantile(heard, 1 - share)
    return np.clip(samples, -peak, peak)


def change_gain(samples, sampling_rate, random_state, *, decibels=-20):
    """Make an utterance louder or softer, without clipping."""
    return samples * 10 ** (decibels / 20)


def telephone(samples, sampling_rate, random_state, *, band=(300, 3400)):
    """Narrow band at 8 kHz with 8-bit companding (ITU-T G.711, mu-law), and back."""
    narrow = resample(samples, sampling_rate, 8000)
    filters = scipy.signal.butter(4, band, "bandpass", fs=8000, output="sos")
    narrow = scipy.signal.sosfilt(filters, narrow)
    peak = np.abs(narrow).max() or 1.0
    mu = 255
    companded = np.sign(narrow) * np.log1p(mu * np.abs(narrow) / peak) / np.log1p(mu)
    companded = np.round(companded * 127) / 127
    narrow = peak * np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(mu)) / mu
    return resample(narrow.astype(np.float32), 8000, sampling_rate)


def encode(samples, sampling_rate, random_state, *, format="MP3", compression=0.9):
    """Through a lossy codec and back; compression from 0 (good) to 1 (small)."""
    import soundfile

    subtype = {"MP3": "MPEG_LAYER_III", "OGG": "VORBIS"}[format]
    # Louder than full scale would be clipped, which is another distortion.
    peak = max(float(np.abs(samples).max()), 1.0)
    rate = sampling_rate if sampling_rate in _CODEC_RATES else 48000
    file = io.BytesIO()
    soundfile.write(
        file,
        resample(samples / peak, sampling_rate, rate),
        int(rate),
        format=format,
        subtype=subtype,
        compression_level=compression,
    )
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return resample(decoded, rate, sampling_rate)[: len(samples)] * peak


def reverberate(samples, sampling_rate, random_state, *, seconds=0.5):
    """Convolve with noise that decays by 60 dB in `seconds`, behind the direct sound."""
    times = np.arange(1, round(seconds * sampling_rate)) / sampling_rate
    tail = random_state.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    # As much energy in the reverberation as in the direct sound.
    response = np.concatenate([[1.0], tail / np.sqrt(np.sum(tail**2))])
    return scipy.signal.fftconvolve(samples, response)[: len(samples)]


def change_speed(samples, sampling_rate, random_state, *, factor=1.1):
    """Play faster (above 1) or slower, pitch and formants along with it."""
    return resample(samples, sampling_rate * factor, sampling_rate)


def resample_badly(samples, sampling_rate, random_state, *, rate=8000):
    """To another rate and back by linear interpolation, without a filter."""
    times = np.arange(len(samples)) / sampling_rate
    coarse = np.arange(max(2, round(len(samples) * rate / sampling_rate))) / rate
    return np.interp(times, coarse, np.interp(coarse, times, samples))


_DEFAULT = {
    **{("noise", f"{snr} dB SNR"): functools.partial(add_noise, snr=snr) for snr in (20, 10, 0)},
    **{("clipping", f"{100 * x:g} %"): functools.partial(clip, share=x) for x in (0.01, 0.1)},
    **{("gain", f"{x:+} dB"): functools.partial(change_gain, decibels=x) for x in (20, -20, -40)},
    ("telephone", "8 kHz, 8 bit"): telephone,
    ("codec", "MP3"): functools.partial(encode, format="MP3"),
    ("codec", "Ogg Vorbis"): functools.partial(encode, format="OGG"),
    **{("reverberation", f"{x:g} s"): functools.partial(reverberate, seconds=x) for x in (0.3, 1)},
    **{("speed", f"{x:g}"): functools.partial(change_speed, factor=x) for x in (0.9, 1.1)},
    ("resampler", "linear, 11 kHz"): functools.partial(resample_badly, rate=11025),
}


def default_distortions():
    """Distortions of `robustness_report`.

    Returns
    -------
    dict of callable
        ``distortion(samples, sampling_rate, random_state)`` -> samples, by kind and level; a
        new dictionary, to be added to and taken from.

    Examples
    --------
    >>> from skser.metrics import default_distortions
    >>> list(default_distortions())[:3]
    [('noise', '20 dB SNR'), ('noise', '10 dB SNR'), ('noise', '0 dB SNR')]
    """
    return dict(_DEFAULT)


@validate_params(
    {
        "model": [HasMethods("predict")],
        "distortions": [dict, None],
        "metric": [callable],
        "as_table": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def robustness_report(
    model,
    corpus,
    *,
    distortions=None,
    metric=unweighted_average_recall,
    as_table=False,
    random_state=0,
):
    """How well a fitted model does on distorted recordings that it was not trained on.

    Parameters
    ----------
    model : fitted estimator
        Takes audio, such as a pipeline whose first step is `MelSpectrogram`.
    corpus : SpeechCorpus
        Of speakers that the model does not know; see `SpeechCorpus.select`.
    distortions : dict of callable or None, default=None
        By kind and level, as ``("noise", "10 dB")``, or by a name; each
        ``distortion(samples, sampling_rate, random_state)`` -> samples gets mono float32
        samples and may change their number. None is `default_distortions`.
    metric : callable, default=unweighted_average_recall
        ``metric(y_true, y_pred)`` -> float.
    as_table : bool, default=False
        Whether the model takes ``corpus.frame``, an utterance table, and not a list of audio.
    random_state : int, RandomState instance or None, default=0
        With an int, an utterance's noise depends on its place in the corpus alone.

    Returns
    -------
    DataFrame
        A row for the clean recordings and for each distortion, indexed by its ``kind`` and
        ``level``: ``score``; ``change`` of the
        score; ``same``, the share of the utterances whose prediction is that of the clean
        recording; where the model has probabilities, ``shift``, the mean absolute difference of
        these.

    Raises
    ------
    ValueError
        Naming the distortion and the utterance, if the distortion fails, or its result is empty
        or not finite; or if a distortion is named "clean".

    References
    ----------
    Derington, A., Wierstorf, H., Özkil, A., Eyben, F., Burkhardt, F. and Schuller, B. W.
    (2025). Testing Correctness, Fairness, and Robustness of Speech Emotion Recognition Models.
    IEEE Transactions on Affective Computing 16(3).

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import FrameFeatures, Functionals
    >>> from skser.metrics import robustness_report
    >>> corpus = make_emotional_speech(4, 10, random_state=0)
    >>> known, new = corpus.select(speakers=["01", "02"]), corpus.select(speakers=["03", "04"])
    >>> features = FrameFeatures(input_sampling_rate=corpus.sampling_rate)
    >>> model = make_pipeline(features, Functionals(), StandardScaler(), LogisticRegression())
    >>> model = model.fit(known.data, known.target)
    >>> softer = {"softer": lambda samples, sampling_rate, random_state: samples / 2}
    >>> robustness_report(model, new, distortions=softer).index.tolist()
    [('clean', ''), ('softer', '')]
    """
    distortions = default_distortions() if distortions is None else distortions
    if {_CLEAN, (_CLEAN, "")} & set(distortions):
        raise ValueError(f"A distortion cannot be named {_CLEAN!r}.")
    y_true = corpus.target.astype(str)
    items = audio_inputs(corpus.data, corpus.sampling_rate)
    check_consistent_length(items, y_true)
    waves = []
    for i, item in enumerate(items):
        if isinstance(item, str):
            samples, rate = load_audio(item)
        else:
            rate = rate_of(item, corpus.sampling_rate)
            samples = read_utterance(item, i, rate, rate)
        waves.append(Waveform(samples, rate, utterance_name(item, i)))
    seeds = check_random_state(random_state).randint(2**31 - 1, size=len(waves))

    def outputs(versions):
        X = corpus.frame.assign(audio=pd.Series(versions, dtype=object)) if as_table else versions
        predicted = np.asarray(model.predict(X)).astype(str)
        proba = model.predict_proba(X) if hasattr(model, "predict_proba") else None
        return predicted, proba

    clean, clean_proba = outputs(waves)
    best = metric(y_true, clean)
    rows = {(_CLEAN, ""): {"score": best, "change": 0.0, "same": 1.0}}
    if clean_proba is not None:
        rows[_CLEAN, ""]["shift"] = 0.0
    for name, distortion in distortions.items():
        versions = [
            _distorted(wave, distortion, name, seed)
            for wave, seed in zip(waves, seeds, strict=True)
        ]
        predicted, proba = outputs(versions)
        key = name if isinstance(name, tuple) else (str(name), "")
        score = metric(y_true, predicted)
        rows[key] = {
            "score": score,
            "change": score - best,
            "same": float(np.mean(predicted == clean)),
        }
        if proba is not None:
            rows[key]["shift"] = float(np.abs(proba - clean_proba).mean())
    index = pd.MultiIndex.from_tuples(rows, names=["kind", "level"])
    return pd.DataFrame(list(rows.values()), index=index)


def _distorted(wave, distortion, name, seed):
    rate = wave.sampling_rate
    try:
        samples = distortion(np.asarray(wave), rate, np.random.RandomState(seed))
    except Exception as error:  # whatever a user's function may raise
        raise ValueError(f"The distortion {name!r} of {wave.name} failed: {error!r}.") from error
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1 or not samples.size or not np.isfinite(samples).all():
        raise ValueError(
            f"The distortion {name!r} of {wave.name} is not a finite 1-D array of samples; its "
            f"shape is {samples.shape}."
        )
    return Waveform(samples, rate, wave.name)
