"""Utterances: whole recordings or parts of them."""

import datetime
import math
import os
import re
from decimal import Decimal
from numbers import Integral, Real

import numpy as np

from skser.audio._waveform import MAX_AMPLITUDE

MAX_DURATION = 4 * 3600  # seconds
# Marks that pandas drops without a word: it reads "1,5 s" as 15 s and "1-2 s" as -12 s.
_DROPPED = re.compile(r"(?<![a-z]),|\.\d*\.|\d\s*-|\d\s+\d", re.IGNORECASE)
_MISSING = {"NaT", "<NA>"}  # compared as strings, because pandas' NA cannot be compared


class Utterance:
    """Part of a recording, given by its times and channel.

    An utterance is accepted wherever a path is. Only the part is decoded. It is cut at the
    recording's own sampling rate, from sample round(start · rate) up to but not including
    round(end · rate), and resampled afterwards.

    Parameters
    ----------
    source : str, path-like, bytes, binary file, Waveform, array or dict
        Recording: a file, the content of a file, or samples. For arrays that do not state their
        sampling rate, set `input_sampling_rate` where the utterance is used.
    start, end : float, Timedelta or None, default=None
        Bounds in seconds from the start of the recording. None, NaN and NaT mean the start and
        the end of the recording. An `end` up to 10 ms after the end of the recording is
        attributed to rounding and accepted.
    channel : int, "loudest" or None, default=None
        Index of the channel, from 0; "loudest" is the channel with the most energy in this part;
        None averages the channels, with a warning if they cancel.
    max_duration : float or None, default=14400
        Longest part that is read, in seconds; None lifts the limit.
    max_amplitude : float or None, default=8.0
        Largest magnitude of floating-point samples, whose full scale is 1. Larger samples are
        rejected, because they look like unscaled integers; None lifts the limit.
    name : str or None, default=None
        Name of the utterance in messages; None uses the path.

    Raises
    ------
    TypeError
        If `start` or `end` is not a time, or `channel` is none of the above.

    Notes
    -----
    The times and the channel are compared with the recording only when the utterance is read, so
    that one wrong row of a table does not prevent the others from being read.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.audio import Utterance, Waveform
    >>> from skser.feature_extraction import MelSpectrogram
    >>> call = Waveform(np.random.RandomState(0).randn(48000) / 5, 16000)
    >>> turns = [Utterance(call, 0.5, 1.5), Utterance(call, start=1.5)]
    >>> MelSpectrogram().transform(turns).lengths
    array([101, 151])
    """

    __module__ = "skser.audio"  # tracebacks and pickles show the public location
    __slots__ = ("channel", "end", "max_amplitude", "max_duration", "name", "source", "start")

    def __init__(
        self,
        source,
        start=None,
        end=None,
        channel=None,
        *,
        max_duration=MAX_DURATION,
        max_amplitude=MAX_AMPLITUDE,
        name=None,
    ):
        if isinstance(source, Utterance):
            raise TypeError(
                "source is an Utterance: pass the recording that it is cut from, source.source."
            )
        is_path = isinstance(source, os.PathLike)
        values = {
            "source": os.fspath(source) if is_path else source,
            "start": seconds(start, "start"),
            "end": seconds(end, "end"),
            "channel": channel_of(channel),
            "max_duration": max_duration,
            "max_amplitude": max_amplitude,
            "name": name,
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    def __setattr__(self, key, value):
        raise AttributeError("An Utterance is immutable: create a new one.")

    __delattr__ = __setattr__

    def __getstate__(self):
        return {key: getattr(self, key) for key in self.__slots__}

    def __setstate__(self, state):
        for key, value in state.items():
            object.__setattr__(self, key, value)

    def _key(self):
        source = self.source
        # Comparing arrays would be slow, so arrays and open files are equal by identity only.
        known = source if isinstance(source, str | bytes) else id(source)
        limits = self.max_duration, self.max_amplitude
        return (known, self.start, self.end, self.channel, *limits)

    def __eq__(self, other):
        return self._key() == other._key() if isinstance(other, Utterance) else NotImplemented

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        source = self.source
        if not isinstance(source, str):
            source = f"<{type(source).__name__}>"
        given = [repr(source) if source is self.source else source]
        given += [
            f"{key}={getattr(self, key)!r}"
            for key in ("start", "end", "channel")
            if getattr(self, key) is not None
        ]
        return f"Utterance({', '.join(given)})"

    def with_source(self, source, name=None):
        """Return an utterance with the same part of another source.

        Parameters
        ----------
        source : path-like, bytes, Waveform or file object
            Other source of audio.
        name : str or None, default=None
            Name for messages, if this utterance has none.

        Returns
        -------
        Utterance
        """
        return Utterance(
            source, self.start, self.end, self.channel, max_duration=self.max_duration,
            max_amplitude=self.max_amplitude, name=self.name or name,
        )  # fmt: skip

    @property
    def is_whole(self):
        """True if neither times nor a channel are chosen."""
        return self.start is None and self.end is None and self.channel is None

    @property
    def part(self):
        """Description of the part, such as "from 2 to 4 s, channel 1"; empty for the whole."""
        words = []
        if self.start is not None or self.end is not None:
            words.append(
                f"from {self.start or 0:g}" + (" s" if self.end is None else f" to {self.end:g} s")
            )
        if self.channel is not None:
            words.append(f"channel {self.channel}")
        return ", ".join(words)

    def called(self, unnamed):
        """Return name and part for messages, with `unnamed` in place of a missing name."""
        name = self.name or (self.source if isinstance(self.source, str) else unnamed)
        return f"{name} {self.part}".rstrip()

    @property
    def nbytes(self):
        """Approximate number of bytes to read."""
        if self.end is not None and math.isfinite(self.end - (self.start or 0.0)):
            return int(max(0.0, self.end - (self.start or 0.0)) * 64000)
        if isinstance(self.source, str):
            try:
                return os.path.getsize(self.source)
            except (OSError, ValueError):
                return 0
        return len(self.source) if isinstance(self.source, bytes) else 0


def seconds(value, what):
    """Convert a number, a timedelta or a clock time such as "00:01:02.5" to seconds.

    Text may have a unit and a decimal comma, as in "1,5 s".

    Parameters
    ----------
    value : float, Decimal, str, timedelta, time or None
        Time to convert. None, NaN, NaT and empty strings count as missing.
    what : str
        Name of the value in the error message.

    Returns
    -------
    float or None
        Time in seconds, or None if it is missing.

    Raises
    ------
    TypeError
        If the value is not a time.
    """
    if value is None:
        return None
    if isinstance(value, np.timedelta64):  # before Real, because NumPy registers it as an integer
        return None if np.isnat(value) else float(value / np.timedelta64(1, "ns")) / 1e9
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_):
        value = float(value)
        return None if math.isnan(value) else value
    if isinstance(value, Decimal):
        return seconds(float(value), what)
    if isinstance(value, datetime.time):
        return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    if hasattr(value, "total_seconds"):
        value = value.total_seconds()  # NaN for pandas' NaT
        return None if math.isnan(value) else value
    if isinstance(value, str):
        return _seconds_in(value.strip(), what)
    if str(value) in _MISSING:
        return None
    raise TypeError(f"{what}={value!r} is not a time in seconds, a timedelta or a clock time.")


def _seconds_in(text, what):
    if not text:
        return None
    import pandas as pd

    # A decimal comma, as in "1,5" or "1,5 s"
    plain = re.sub(r"(?<=\d),(?=\d+\s*([a-zµ]|$))", ".", text, flags=re.IGNORECASE)
    try:
        value = float(plain)
        return None if math.isnan(value) else value
    except ValueError:
        try:
            # Without a colon or a unit, pandas would read nanoseconds.
            if _DROPPED.search(plain) or not re.search(r":|[a-zµ]", plain, re.IGNORECASE):
                raise ValueError(text)
            return seconds(pd.Timedelta(plain), what)
        except ValueError:
            raise TypeError(
                f"{what}={text!r} is not a time in seconds, a timedelta or a clock time."
            ) from None


def channel_of(value):
    """Convert a value, for example from a column of a table, to a choice of channel.

    Parameters
    ----------
    value : int, float, str or None
        Index of a channel, also as a float or string, or "loudest". None, NaN, an empty string
        and "mean" average the channels.

    Returns
    -------
    int, "loudest" or None
        None averages the channels.

    Raises
    ------
    TypeError
        If the value is none of these.
    """
    if value is None or value is np.nan:
        return None
    if isinstance(value, Integral) and not isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, str):
        value = value.strip().lower()
        if value in ("", "mean"):
            return None
        if value == "loudest":
            return value
        try:
            return channel_of(float(value))
        except ValueError:
            pass
    elif isinstance(value, Real) and not isinstance(value, bool | np.bool_):
        if math.isnan(value):
            return None
        if float(value).is_integer():
            return int(value)
    elif str(value) in _MISSING:
        return None
    raise TypeError(f"channel={value!r} is not an index, 'loudest' or None.")
