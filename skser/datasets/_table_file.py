"""Tables as spreadsheets and people write them: any delimiter, encoding, names of columns."""

import csv
import io
import re
import warnings

import pandas as pd

# Names that tables elsewhere give to the columns, most usual first.
_ALIASES = {
    "audio": ("file", "path", "wav", "filepath", "filename", "audiopath", "audiofile", "wavpath",
              "wavfile", "clip", "recording"),
    "emotion": ("label", "labels", "emotionlabel", "class", "category", "target"),
    "speaker": ("speakerid", "spk", "spkid", "spkrid", "speakername"),
    "sex": ("gender",),
    "sentence": ("sentenceid",),
    "transcript": ("text", "transcription"),
    "start": ("begin", "onset", "starttime", "startsec", "starts", "tstart", "begintime", "from"),
    "end": ("stop", "endtime", "endsec", "ends", "tend", "stoptime", "to"),
    "channel": ("audiochannel",),
    "valence": (),
    "activation": ("arousal",),
    "dominance": (),
}  # fmt: skip
# Columns whose values are names or words, whatever they look like.
TEXT_COLUMNS = ("audio", "emotion", "speaker", "sex", "sentence", "transcript")
_MISSING = {"", "na", "n/a", "nan", "none", "null"}


def read_any_table(path):
    """Read a CSV file of unknown delimiter and encoding as text, and numbers where all are.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    DataFrame
        Rows without any value are left out; the index counts lines of the file.

    Raises
    ------
    ValueError
        If it is empty, holds headings only, or has a row with more values than headings.
    """
    text = decoded(path)
    if not text.strip():
        raise ValueError(f"{path} is empty: a line of headings and a row per utterance are needed.")
    delimiter = _delimiter(text)
    # By the line that each row begins on, since a text in quotes may be several lines long.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines, begins = [], [], 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
                lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{path}, line {begins}: quotes that open a value do not close it ({error}). Close "
            "them, or write each quote in a value twice."
        ) from error
    heading, rows, lines = rows[0], rows[1:], lines[1:]
    while heading and not heading[-1] and not any(len(r) >= len(heading) and r[-1] for r in rows):
        heading = heading[:-1]
    if not rows:
        raise ValueError(f"{path} has headings and no row: write a row per utterance.")
    for row, line in zip(rows, lines, strict=True):
        if any(row[len(heading) :]):
            raise ValueError(
                f"{path}, line {line}: {len(row)} values for {len(heading)} headings. Put quotes "
                f"around values that hold {delimiter!r}."
            )
    rows = [(row + [""] * len(heading))[: len(heading)] for row in rows]
    table = pd.DataFrame(rows, columns=heading, index=pd.Index(lines, name="line"), dtype=object)
    repeated = table.columns[table.columns.duplicated()].unique().tolist()
    if repeated:
        raise ValueError(f"{path} has the columns {repeated} twice: rename one of each.")
    return table


def decoded(path):
    """Text of a file in UTF-8, UTF-16 or, where it is neither, cp1252."""
    with open(path, "rb") as file:
        content = file.read()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content[:200]:  # UTF-16 without its mark
        order = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
        return content.decode(order, errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _delimiter(text):
    """Whichever splits the headings into most; a comma where none does."""
    heading = next(line for line in text.splitlines() if line.strip())
    heading = re.sub(r'"[^"]*"', "", heading)
    return max(",;\t", key=heading.count)


def with_known_names(table, name):
    """Rename columns that are called as elsewhere, and say so.

    Parameters
    ----------
    table : DataFrame
    name : str
        Of the table, for the message.

    Returns
    -------
    DataFrame

    Warns
    -----
    UserWarning
        Naming the columns that were renamed.
    """
    plain = {}
    for column in table.columns:
        plain.setdefault(re.sub(r"[\W_]+", "", str(column)).lower(), column)
    found = {}
    for ours, others in _ALIASES.items():
        if ours in table.columns:
            continue
        for other in (ours, *others):
            if other in plain and plain[other] not in found:
                found[plain[other]] = ours
                break
    pair = [found.get(plain.get(word)) for word in ("from", "to")]
    if pair != ["start", "end"]:  # either alone may be anything
        for word in ("from", "to"):
            if plain.get(word) in found:
                del found[plain[word]]
    ours = {*table.columns, *found.values()}
    if "offset" in plain:
        # From the start of the file where there is a duration; beside an onset, the end.
        beside_onset = "start" in ours and "end" not in ours and "duration" not in plain
        if "duration" in plain and "start" not in ours:
            found[plain["offset"]] = "start"
        elif beside_onset and found.get(plain.get("onset")) == "start":
            found[plain["offset"]] = "end"
        elif not {"start", "end"} <= ours:
            raise ValueError(
                f"{name}: the column {plain['offset']!r} may be a start or an end: rename it."
            )
        ours |= set(found.values())
    units = [column for key, column in plain.items() if re.fullmatch("(start|end|begin)ms", key)]
    if units:
        raise ValueError(f"{name}: the columns {units} are in milliseconds: give seconds.")
    if "end" in found.values() and "start" not in ours:
        said = next(old for old, new in found.items() if new == "end")
        raise ValueError(
            f"{name}: the column {said!r} looks like ends of utterances, and there are no starts: "
            "name both 'start' and 'end', or leave it out."
        )
    if "start" in ours and "end" not in ours and "duration" in plain:
        found[plain["duration"]] = "duration"
    said = ", ".join(f"{old!r} as {new!r}" for old, new in found.items() if old != new)
    if said:
        warnings.warn(f"{name}: columns were taken for others: {said}.", stacklevel=3)
    return table.rename(columns=found)


def as_values(table):
    """Turn text of a file into numbers where a whole column is numbers; the rest stays text.

    Parameters
    ----------
    table : DataFrame of str

    Returns
    -------
    DataFrame
        Missing values are NaN in numbers and None in text, where only an empty cell is missing.
    """
    values = {}
    for column in table.columns:
        cells = table[column]
        numbers = None if column in TEXT_COLUMNS else _numbers(cells)
        values[column] = cells.where(cells != "", None) if numbers is None else numbers
    return pd.DataFrame(values, index=table.index)


def _numbers(cells):
    missing = cells.str.lower().isin(_MISSING)
    kept = cells[~missing]
    if kept.empty or kept.str.fullmatch(r"0\d+").any():  # codes, such as 01
        return None
    # A decimal comma, as spreadsheets of half of Europe write it.
    if kept.str.fullmatch(r"[-+]?\d+,\d+").any() and not kept.str.contains(".", regex=False).any():
        cells = cells.str.replace(",", ".")
    numbers = pd.to_numeric(cells.where(~missing), errors="coerce")
    return None if numbers[~missing].isna().any() else numbers
