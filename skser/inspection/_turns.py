"""Speakers' turns in a recording."""

import os
import warnings
from pathlib import Path

import pandas as pd

from skser._wording import counted
from skser.audio import AudioReadError, Utterance, Waveform, audio_inputs, read_at_rate, seconds
from skser.datasets import read_rttm


def turns_of(recording, segments):
    """Return the turns of a recording and their audio.

    Parameters
    ----------
    recording : Utterance
        Whole recording, without start and end.
    segments : path-like or DataFrame
        RTTM file or table of turns, as in `skser.inspection.emotion_timeline`.

    Returns
    -------
    table : DataFrame of shape (n_turns, 3)
        Columns ``start``, ``end`` and ``speaker``, sorted by time.
    utterances : generator of (tuple, Waveform)
        Bounds and samples of each turn, at the recording's own sampling rate.

    Raises
    ------
    ValueError
        If the recording has a start or end, or if the turns are not usable.

    Warns
    -----
    UserWarning
        If turns of the same channel overlap.
    """
    if recording.start is not None or recording.end is not None:
        raise ValueError(
            "path is a part of a recording, but segments= selects parts as well. Give the whole "
            "recording, or no segments."
        )
    table, where, unit = _read(recording, segments)
    rows = []
    for label, row in zip(table.index, table.to_dict("records"), strict=True):
        place = f"{where}, {unit} {label}"
        rows.append(_turn(row, place, recording.channel))
    order = sorted(range(len(rows)), key=lambda i: rows[i][:2])
    rows = [rows[i] for i in order]
    _warn_of_overlaps(rows, where)
    frame = pd.DataFrame([row[:3] for row in rows], columns=["start", "end", "speaker"])
    frame["speaker"] = frame["speaker"].astype(object)
    return frame, _cut(recording, rows)


def _read(recording, segments):
    """Return the table of turns, its name, and the word for its rows in messages."""
    if isinstance(segments, pd.DataFrame):
        missing = [column for column in ("start", "end") if column not in segments]
        if missing:
            raise ValueError(
                f"segments lacks the columns {missing}; it has {list(segments.columns)}. Give "
                "start and end in seconds."
            )
        if "recording" in segments:
            segments = _of_recording(segments, recording, "segments")
        if segments.empty:
            raise ValueError(
                "segments is an empty table. Give one row per turn, or no segments to use sliding "
                "windows."
            )
        return segments, "segments", "row"
    path = os.fspath(segments)
    return _of_recording(read_rttm(path), recording, path), path, "line"


def _of_recording(turns, recording, where):
    """Select the turns with this recording's name, or all if the recording has no name."""
    names = turns["recording"].unique().tolist()
    path = recording.source if isinstance(recording.source, str) else recording.name or ""
    if not names or (len(names) == 1 and not path):
        return turns
    wanted = {Path(path).name, Path(path).stem}
    chosen = turns[turns["recording"].isin(wanted)]
    if chosen.empty:
        raise ValueError(
            f"{where} has turns of {counted(len(names), 'recording')}, such as {names[0]}, but "
            f"none of {Path(path).stem or 'this one, which has no name'}. Give only the turns of "
            "this recording, or a table without the column recording."
        )
    return chosen


def _turn(row, place, channel):
    """Return the start, end, speaker, channel and place of a turn, or raise at bad times."""
    try:
        start, end = seconds(row["start"], "start"), seconds(row["end"], "end")
    except TypeError as error:
        raise ValueError(f"{place}: {error}") from None
    if start is None or end is None or start < 0 or end <= start:
        begins = "has no start" if start is None else f"starts at {start:g} s"
        ends = "has no end" if end is None else f"ends at {end:g} s"
        raise ValueError(
            f"{place}: the turn {begins} and {ends}. The start must not be negative, and the end "
            "must be later than the start."
        )
    speaker = row.get("speaker")
    speaker = None if speaker is None or pd.isna(speaker) else speaker
    own = row.get("channel")
    return start, end, speaker, channel if own is None or pd.isna(own) else own, place


def _warn_of_overlaps(rows, where):
    """Warn if turns of the same channel overlap; the rows are sorted by start."""
    pairs, latest = [], {}
    for row in rows:
        # A turn can overlap any earlier one, so compare it with the one that ends latest.
        before = latest.get(row[3])
        if before is not None and row[0] < before[1]:
            pairs.append((before[4], row[4]))
        if before is None or row[1] > before[1]:
            latest[row[3]] = row
    if pairs:
        first, second = pairs[0]
        verb = "overlaps" if len(pairs) == 1 else "overlap"
        warnings.warn(
            f"{where}: {counted(len(pairs), 'turn')} {verb} an earlier one, such as {second} and "
            f"{first}. Each of them contains both voices. Correct the times, or give a "
            "recording with one channel per speaker.",
            stacklevel=5,  # past scikit-learn's wrapper
        )


def _cut(recording, rows):
    """Yield the bounds and samples of each turn."""
    (source,) = audio_inputs([recording])  # reads an open file once, for all turns
    if not isinstance(source, Utterance):
        source = Utterance(source)
    name = recording.name or (recording.source if isinstance(recording.source, str) else None)
    for i, (start, end, speaker, channel, place) in enumerate(rows):
        who = "" if speaker is None else f", turn of {speaker}"
        called = f"{name or 'the recording'}{who} ({place})"
        turn = Utterance(
            source.source, start, end, channel, max_duration=recording.max_duration,
            max_amplitude=recording.max_amplitude, name=called,
        )  # fmt: skip
        try:
            samples, rate = read_at_rate(turn, i, None)
        except AudioReadError as error:
            raise AudioReadError([(called, reason) for _, reason in error.failures]) from error
        yield (start, end), Waveform(samples, rate, called, recording.max_amplitude)
