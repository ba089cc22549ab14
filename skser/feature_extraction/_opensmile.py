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

_LICENSE = (
    "openSMILE is used under the audEERING Research License Agreement: it is free for private "
    "use, teaching and research; any further commercial use needs a license from audEERING GmbH. "
    "See https://github.com/audeering/opensmile/blob/master/LICENSE"
)
_LEVELS = {"functionals": "Functionals", "lld": "LowLevelDescriptors"}
# In all three sets, in seconds: spectra cover 20 ms and voice descriptors 60 ms, every 10 ms.
_SHORT_WINDOW, _LONG_WINDOW, _HOP = 0.020, 0.060, 0.010


@insert_descriptions(DESCRIPTIONS)
class OpenSmile(AudioTransformer, auto_wrap_output_keys=("transform",)):
    """openSMILE's feature sets, computed by the library ``opensmile``.

    .. warning::

       openSMILE is free for private use, teaching and research; any further commercial use
       needs a license from audEERING GmbH. The logger ``"skser"`` repeats this the first time
       that a process uses this class.

    Parameters
    ----------
    feature_set : {"eGeMAPSv02", "ComParE_2016", "GeMAPSv01b"}, default="eGeMAPSv02"
        Name of the feature set. The sets have 88, 6373 or 62 functionals of 25, 65 or 18
        low-level descriptors.
    level : {"functionals", "lld"}, default="functionals"
        Kind of features. "functionals" gives one vector per utterance, "lld" the low-level
        descriptors of each frame.
    sampling_rate : float, default=16000
        Sampling rate at which features are computed, in Hz; a whole number. Audio at other
        rates is resampled.
    {input_sampling_rate}
    {n_jobs}
    {verbose}
    on_error : {"raise", "empty"}, default="raise"
        Treatment of unusable utterances, after all others are done: "raise" names them in an
        error; "empty" gives each of them a row of NaN ("functionals") or 0 frames ("lld") and
        names them in a warning.
    {memory}

    Notes
    -----
    Values equal those of ``opensmile.Smile(...).process_signal``. openSMILE reads 16-bit samples:
    samples beyond full scale are clipped here, whereas ``opensmile`` lets them wrap around. As
    in all transformers of audio, the mean of an utterance is subtracted if it exceeds 5 % of the
    root mean square, whereas openSMILE counts an offset as sound. An utterance must last at least
    60 ms. openSMILE itself needs about 40 MB of memory for each minute of an utterance.

    Frames of "lld" start every 10 ms. In spectral and energy columns they cover 20 ms, and the
    layout's `offset` is the center of the first of them. In pitch and voice quality columns they
    cover 60 ms, so their centers lie 20 ms later.

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
    Sequences(1 utterance, 96 frames, 25 columns)
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
        super().__init__(sampling_rate, input_sampling_rate, n_jobs, verbose, on_error, memory)
        self.feature_set = feature_set
        self.level = level

    def _prepare(self):
        if self.sampling_rate != int(self.sampling_rate):
            raise ValueError(
                f"sampling_rate={self.sampling_rate} must be a whole number of Hz: openSMILE "
                "accepts no fractions."
            )
        _log_license()
        return int(self.sampling_rate)

    def _extract(self, samples, rate):
        shortest = math.ceil(_LONG_WINDOW * rate)
        if len(samples) < shortest:
            raise UtteranceTooShort(
                f"has {len(samples)} samples, less than one window of openSMILE ({shortest}): "
                "leave the utterance out"
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
def _log_license():
    _library()
    logging.getLogger("skser").warning(_LICENSE)


@functools.cache
def _smile(feature_set, level):
    # opensmile crashes with a segmentation fault if the level is given as a string.
    opensmile = _library()
    return opensmile.Smile(
        opensmile.FeatureSet[feature_set], opensmile.FeatureLevel[_LEVELS[level]]
    )
