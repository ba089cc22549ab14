"""RTTM: who speaks when."""

import math
from pathlib import Path

import pandas as pd

from skser.datasets._files import READABLE_SUFFIXES
from skser.datasets._table_file import decoded

_FIELDS = "type, file, channel, start, duration, spelling, subtype, speaker"


def read_rttm(path, *, root=None):
    r"""Read the speaker turns of an RTTM file.

    The table is what ``segments=`` of `skser.inspection.emotion_timeline` takes. RTTM does not
    say which emotion is spoken: with a column ``emotion`` and with `root`, the table is one for
    `load_table`.

    Parameters
    ----------
    path : path-like
        RTTM file, in UTF-8, UTF-16 or cp1252. Lines of other types than SPEAKER and comments
        (``;;``) are passed over.
    root : path-like or None, default=None
        Folder of the recordings; None leaves out the column ``audio``.

    Returns
    -------
    DataFrame of shape (n_turns, 4 to 6)
        Columns ``recording`` (the file's name in RTTM), ``start`` and ``end`` in seconds and
        ``speaker``; ``channel``, from 0, where the turns of a recording are on several channels;
        and ``audio``, the paths, with `root`. The index counts lines of the file.

    Raises
    ------
    FileNotFoundError
        If the file or, with `root`, a recording is missing.
    ValueError
        If there is no turn, or a line has too few fields or no times, naming the line.

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
        raise FileNotFoundError(f"There is no RTTM file {path}.")
    rows, lines = [], []
    for number, line in enumerate(decoded(path).splitlines(), 1):
        fields = line.split()
        if fields and fields[0] == "SPEAKER":
            rows.append(_turn(fields, f"{path}, line {number}"))
            lines.append(number)
    if not rows:
        raise ValueError(
            f"{path} holds no line of the type SPEAKER: write one per turn, with the fields "
            f"{_FIELDS}."
        )
    table = pd.DataFrame(rows, index=pd.Index(lines, name="line"))
    # Tools write a number there for mono files and for mixtures too: alone, it chooses nothing.
    if (table.groupby("recording")["channel"].nunique() > 1).any():
        table["channel"] = [_channel(c, f"{path}, line {n}") for n, c in table["channel"].items()]
    else:
        table = table.drop(columns="channel")
    if root is not None:
        table.insert(0, "audio", _recordings(table["recording"], Path(root).expanduser(), path))
    return table


def _turn(fields, where):
    if len(fields) < 8:
        raise ValueError(f"{where}: {len(fields)} fields, where a turn has at least 8: {_FIELDS}.")
    try:
        start, duration = float(fields[3]), float(fields[4])
    except ValueError:
        start = duration = math.nan
    if not (0 <= start < math.inf and 0 < duration < math.inf):
        raise ValueError(
            f"{where}: start {fields[3]!r} and duration {fields[4]!r} are no stretch of time: "
            "write seconds, of which the duration is above 0."
        )
    # Of decimal fractions, so that 0.1 + 0.2 is 0.3.
    end = round(start + duration, 9)
    return {"recording": fields[1], "start": start, "end": end, "speaker": fields[7],
            "channel": fields[2]}  # fmt: skip


def _channel(written, where):
    if written in ("A", "B"):
        return "AB".index(written)
    if written.isdigit() and int(written) > 0:
        return int(written) - 1
    raise ValueError(f"{where}: channel {written!r} is not 1, 2, …: correct the field.")


def _recordings(names, root, path):
    found = {}
    for number, name in names.items():
        if name not in found:
            places = [root / name, *(root / f"{name}{suffix}" for suffix in _SUFFIXES)]
            found[name] = next((str(place) for place in places if place.is_file()), None)
        if found[name] is None:
            raise FileNotFoundError(
                f"{path}, line {number}: {root} holds no recording {name}, such as {name}.wav; "
                "for another folder, give root=."
            )
    return [found[name] for name in names]


_SUFFIXES = (".wav", *sorted(READABLE_SUFFIXES - {".wav"}))
