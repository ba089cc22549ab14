"""Names that other programs give to the columns of an utterance table."""

import re

# Names that other tables give to these columns, most usual first.
ALIASES = {
    "audio": ("file", "path", "wav", "filepath", "filename", "audiopath", "audiofile", "wavpath",
              "wavfile", "clip", "recording"),
    "emotion": ("label", "labels", "emotionlabel", "class", "category", "target"),
    "speaker": ("speakerid", "spk", "spkid", "spkrid", "speakername"),
    "sex": ("gender",),
    "sentence": ("sentenceid",),
    "transcript": ("text", "transcription"),
    "start": ("begin", "onset", "starttime", "startsec", "startsecs", "startseconds", "starts",
              "tstart", "begintime", "segmentstart", "from"),
    "end": ("stop", "finish", "endtime", "endsec", "endsecs", "endseconds", "ends", "tend",
            "stoptime", "segmentend", "to"),
    "duration": ("dur", "durationsec", "durationsecs", "durationseconds"),
    "channel": ("audiochannel",),
    "valence": (),
    "activation": ("arousal",),
    "dominance": (),
}  # fmt: skip
_UNITS = "(ms|msec|msecs|millis|milliseconds|samples?|frames?)"
OTHER_TIMES = re.compile(f"(segment)?(start|end|begin|stop|onset|offset)(time)?{_UNITS}")
OTHER_DURATION = re.compile(f"length|len|(duration|dur|length){_UNITS}")


def plain_names(columns):
    """Return the columns by name without case and punctuation: "File Path" is "filepath"."""
    plain = {}
    for column in columns:
        plain.setdefault(re.sub(r"[\W_]+", "", str(column)).lower(), column)
    return plain
