"""Speaker turns in RTTM (Rich Transcription Time Marked) files."""

import math
from pathlib import Path

import pandas as pd

from skser.datasets._audio_files import READABLE_SUFFIXES
from skser.datasets._table_checks import check_intervals
from skser.datasets._table_file import decoded, lines_of

_FIELDS = "type, file, channel, start, duration, spelling, subtype, speaker"


def read_rttm(path, *, root=None):
    r"""Read the speaker turns of an RTTM file.

    The table can be passed as ``segments=`` to `skser.inspection.emotion_timeline`. RTTM does
    not contain emotions: to use the table with `load_table`, give `root` and add a column
    ``emotion``.

    Parameters
    ----------
    path : path-like
        RTTM file in UTF-8, UTF-16 or cp1252. Comments (``;;``) and lines of other types than
        SPEAKER are skipped.
    root : path-like or None, default=None
        Folder of the recordings; None leaves out the column ``audio``.

    Returns
    -------
    DataFrame of shape (n_turns, 4 to 6)
        Table with the columns ``recording`` (name of the file in RTTM), ``start`` and ``end``
        in seconds, and ``speaker`` (None for ``<NA>``). If the turns of a recording are on
        several channels, the column ``channel`` counts them from 0. If `root` is given, the
        column ``audio`` holds the paths. The index holds line numbers of the file.

    Raises
    ------
    FileNotFoundError
        If the file or, with `root`, a recording does not exist.
    ValueError
        If the file has no turns, or a line has too few fields, invalid times or, with `root`, an
        end beyond its recording; the message names the line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skser.datasets import read_rttm
    >>> path = pathlib.Path(tempfile.mkdtemp(), "call.rttm")
    >>> _ = path.write_text(
    ...     "SPEAKER call 1 0.00 1.50 <NA> <NA> Ann <NA> <NA>\n"
    ...     "SPEAKER call 1 1.75 2.00 <NA> <NA> Bob <NA> <NA>\n"
    ... )
    >>> read_rttm(path)[["start", "end", "speaker"]].values.tolist()
    [[0.0, 1.5, 'Ann'], [1.75, 3.75, 'Bob']]
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"The RTTM file {path} does not exist. Check the path.")
    rows, lines = [], []
    for number, line in enumerate(lines_of(decoded(path)), 1):
        fields = line.split()
        if fields and fields[0] == "SPEAKER":
            rows.append(_turn(fields, f"{path}, line {number}"))
            lines.append(number)
    if not rows:
        raise ValueError(
            f"{path} has no line of the type SPEAKER. Write one per turn, with the fields "
            f"{_FIELDS}."
        )
    table = pd.DataFrame(rows, index=pd.Index(lines, name="line")).astype({"speaker": object})
    # Tools fill in a channel even for mono files, so a single one does not mean anything.
    if (table.groupby("recording")["channel"].nunique() > 1).any():
        table["channel"] = [_channel(c, f"{path}, line {n}") for n, c in table["channel"].items()]
    else:
        table = table.drop(columns="channel")
    if root is not None:
        table.insert(0, "audio", _recordings(table["recording"], Path(root).expanduser(), path))
        check_intervals(table, str(path), "line")
    return table


def _turn(fields, where):
    """Return the row of the table for the fields of a line."""
    if len(fields) < 8:
        raise ValueError(
            f"{where}: {len(fields)} fields; expected at least 8 for a turn: {_FIELDS}."
        )
    try:
        start, duration = float(fields[3]), float(fields[4])
    except ValueError:
        start = duration = math.nan
    if not (0 <= start < math.inf and 0 < duration < math.inf):
        raise ValueError(
            f"{where}: start {fields[3]!r} and duration {fields[4]!r} are not valid times. Write "
            "both in seconds, with a duration above 0."
        )
    # Rounded as decimal fractions, so that 0.1 + 0.2 is 0.3.
    end = round(start + duration, 9)
    speaker = None if fields[7] == "<NA>" else fields[7]  # RTTM's mark for a missing value
    return {"recording": fields[1], "start": start, "end": end, "speaker": speaker,
            "channel": fields[2]}  # fmt: skip


def _channel(written, where):
    """Return the index of a channel, which RTTM counts from 1 or names A and B."""
    if written in ("A", "B"):
        return "AB".index(written)
    if written.isdigit() and int(written) > 0:
        return int(written) - 1
    raise ValueError(f"{where}: channel {written!r} is invalid; expected 1, 2, … or A, B.")


def _recordings(names, root, path):
    """Return the path of each recording, or raise FileNotFoundError if one is missing."""
    found = {}
    for number, name in names.items():
        if name not in found:
            places = [root / name, *(root / f"{name}{suffix}" for suffix in _SUFFIXES)]
            found[name] = next((str(place) for place in places if place.is_file()), None)
        if found[name] is None:
            raise FileNotFoundError(
                f"{path}, line {number}: {root} has no recording {name}, such as {name}.wav. If "
                "the recordings are elsewhere, give their folder as root=."
            )
    return [found[name] for name in names]


_SUFFIXES = (".wav", *sorted(READABLE_SUFFIXES - {".wav"}))
