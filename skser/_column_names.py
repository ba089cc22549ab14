"""Names that other programs give to the columns of an utterance table."""

import re


def _with_units(*names):
    """Return names of times, alone and with seconds as their unit."""
    return tuple(name + unit for unit in ("", "s", "sec", "secs", "seconds") for name in names)


# Names that other tables give to these columns, most usual first.
ALIASES = {
    "audio": ("file", "path", "wav", "filepath", "filename", "audiopath", "audiofile", "wavpath",
              "wavfile", "clip", "recording"),
    "emotion": ("label", "labels", "emotionlabel", "class", "category", "target"),
    "speaker": ("speakerid", "spk", "spkid", "spkrid", "speakername"),
    "sex": ("gender",),
    "sentence": ("sentenceid",),
    "transcript": ("text", "transcription"),
    "start": (*_with_units("start", "begin", "onset", "starttime", "tstart", "begintime",
                           "segmentstart"), "from"),
    "end": (*_with_units("end", "stop", "finish", "endtime", "tend", "stoptime", "segmentend"),
            "to"),
    "duration": _with_units("duration", "dur"),
    "channel": ("audiochannel",),
    "valence": (),
    "activation": ("arousal",),
    "dominance": (),
}  # fmt: skip
_UNITS = "(ms|msec|msecs|millis|milliseconds|samples?|frames?)"
OTHER_TIMES = re.compile(f"(segment)?(start|end|begin|stop|onset|offset)(time)?{_UNITS}")
OTHER_DURATION = re.compile(f"length|len|(duration|dur|length){_UNITS}")


_START_WORDS = {"start", "begin", "onset", "tmin", "xmin", "t0"}
_END_WORDS = {"end", "stop", "offset", "finish", "until", "tmax", "xmax", "t1"}
_DURATION_WORDS = {"duration", "dur", "length", "len"}


def plain_names(columns):
    """Return the columns by name without case and punctuation: "File Path" is "filepath"."""
    plain = {}
    for column in columns:
        plain.setdefault(re.sub(r"[\W_]+", "", str(column)).lower(), column)
    return plain


def unused_times(columns):
    """Return what to say of columns that seem to be times if none is a start or end, or None."""
    columns = list(columns)
    unused = _with_words(columns, _START_WORDS | _END_WORDS)
    if not unused or {"start", "end"} & set(columns):
        return None
    return (
        f"the columns {unused} look like times, but are not used, so that whole files are read. If "
        "utterances are parts of files, name the columns 'start' and 'end', in seconds."
    )


def like_ends(columns):
    """Return the columns that seem to be ends or durations of utterances."""
    return _with_words(columns, _END_WORDS | _DURATION_WORDS)


def _with_words(columns, words):
    # IEMOCAP's turns, in files of their own, have their times in the dialog.
    given = [column for column in columns if not str(column).startswith("dialog_")]
    return [column for column in given if not words.isdisjoint(_words(str(column)))]


def _words(column):
    """Return the words in the name of a column, such as "start" in both start_s and StartTime."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column)
    return re.split(r"[\W_]+", apart.lower())
