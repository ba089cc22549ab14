"""openSMILE's feature sets."""

import functools
import logging
import math

import numpy as np
from sklearn.utils._param_validation import StrOptions

from skser._docstrings import insert_descriptions
from skser._optional import import_optional
from skser.feature_extraction._base import AudioTransformer, UtteranceTooShort
from skser.feature_extraction._parameters import DESCRIPTIONS
from skser.sequences import Layout

_LICENCE = (
    "openSMILE is used under the audEERING Research License Agreement: free for private use, "
    "teaching and research; any further commercial use needs a licence from audEERING GmbH. "
    "See https://github.com/audeering/opensmile/blob/master/LICENSE"
)
_LEVELS = {"functionals": "Functionals", "lld": "LowLevelDescriptors"}
# All three sets take spectra over 20 ms and the voice over 60 ms, every 10 ms.
_SHORT_WINDOW, _LONG_WINDOW, _HOP = 0.020, 0.060, 0.010


@insert_descriptions(DESCRIPTIONS)
class OpenSmile(AudioTransformer, auto_wrap_output_keys=("transform",)):
    """openSMILE's feature sets, through the library ``opensmile``.

    .. warning::

       openSMILE is free for private use, teaching and research; any further commercial use
       needs a licence from audEERING GmbH. The logger ``"skser"`` says so too, the first time
       that a process uses this class.

    Parameters
    ----------
    feature_set : {"eGeMAPSv02", "ComParE_2016", "GeMAPSv01b"}, default="eGeMAPSv02"
        88, 6373 or 62 functionals of 25, 65 or 18 low-level descriptors.
    level : {"functionals", "lld"}, default="functionals"
        One vector per utterance, or the low-level descriptors frame by frame.
    sampling_rate : float, default=16000
        Rate that features are computed at, in Hz, a whole number; other rates are resampled.
    {input_sampling_rate}
    {n_jobs}
    {verbose}
    on_error : {"raise", "empty"}, default="raise"
        What to do about unusable utterances once all others are done: name them in an
        error, or leave each with a row of NaN ("functionals") or 0 frames ("lld") and name
        them in a warning.
    {memory}

    Notes
    -----
    Values are those of ``opensmile.Smile(...).process_signal``. openSMILE reads 16-bit samples;
    what lies beyond full scale is clipped here, where ``opensmile`` lets it wrap around. An
    utterance must last 60 ms. openSMILE's own memory grows by about 40 MB with each minute of
    the utterance.

    Frames of "lld" start every 10 ms and cover 20 ms in spectral and energy columns, whose
    centre the layout's `offset` states; the 60 ms of the pitch and voice quality columns are
    centred 20 ms later.

    References
    ----------
    Eyben, F. et al. (2016). The Geneva minimalistic acoustic parameter set (GeMAPS) for voice
    research and affective computing. IEEE Transactions on Affective Computing 7(2).

    Schuller, B. et al. (2016). The Interspeech 2016 computational paralinguistics challenge:
    deception, sincerity and native language. Interspeech.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.feature_extraction import OpenSmile
    >>> tone = np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)
    >>> smile = OpenSmile(input_sampling_rate=16000).set_output(transform="pandas")
    >>> X = smile.transform([tone])
    >>> X.shape
    (1, 88)
    >>> semitones = X.loc[0, "F0semitoneFrom27.5Hz_sma3nz_amean"]
    >>> round(float(27.5 * 2 ** (semitones / 12)))
    200
    >>> smile.set_params(level="lld").transform([tone])
    Sequences(1 utterances, 96 frames, 25 columns)
    """

    _parameter_constraints = {
        **AudioTransformer._parameter_constraints,
        "feature_set": [StrOptions({"eGeMAPSv02", "ComParE_2016", "GeMAPSv01b"})],
        "level": [StrOptions(set(_LEVELS))],
    }

    def __init__(
        self,
        feature_set="eGeMAPSv02",
        level="functionals",
        *,
        sampling_rate=16000,
        input_sampling_rate=None,
        n_jobs=None,
        verbose=False,
        on_error="raise",
        memory=None,
    ):
        self.feature_set = feature_set
        self.level = level
        self.sampling_rate = sampling_rate
        self.input_sampling_rate = input_sampling_rate
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.on_error = on_error
        self.memory = memory

    def _prepare(self):
        if self.sampling_rate != int(self.sampling_rate):
            raise ValueError(
                f"openSMILE takes whole sampling rates, not sampling_rate={self.sampling_rate}."
            )
        _state_licence()
        return int(self.sampling_rate)

    def _extract(self, samples, rate):
        shortest = math.ceil(_LONG_WINDOW * rate)
        if len(samples) < shortest:
            raise UtteranceTooShort(
                f"has {len(samples)} samples, less than one window of openSMILE ({shortest}): "
                "leave it out"
            )
        smile = _smile(self.feature_set, self.level)
        values = smile(np.clip(samples, -1, 32767 / 32768), rate)[0].T
        if self.level == "functionals":
            return values[0]
        return np.ascontiguousarray(values)

    def _layout(self, rate):
        return Layout(
            feature_names=tuple(_smile(self.feature_set, self.level).feature_names),
            hop=math.floor(_HOP * rate + 0.5) / rate,
            offset=_SHORT_WINDOW / 2,
        )

    def _collect(self, results, rate):
        if self.level == "functionals":
            return np.stack(results)
        return super()._collect(results, rate)

    def _empty_result(self, rate):
        if self.level == "functionals":
            return np.full(len(self._layout(rate).feature_names), np.nan, np.float32)
        return super()._empty_result(rate)

    @property
    def _empty_result_name(self):
        return "NaN" if self.level == "functionals" else "0 frames"

    def _settings(self):
        return {**super()._settings(), "version of opensmile": _library().__version__}


def _library():
    return import_optional("opensmile", extra="opensmile", purpose="OpenSmile")


@functools.cache
def _state_licence():
    _library()
    logging.getLogger("skser").warning(_LICENCE)


@functools.cache
def _smile(feature_set, level):
    # A level given as a string ends in a segmentation fault.
    opensmile = _library()
    return opensmile.Smile(
        opensmile.FeatureSet[feature_set], opensmile.FeatureLevel[_LEVELS[level]]
    )
