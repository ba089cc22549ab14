"""Reading of tables with any usual delimiter, encoding and names of columns."""

import csv
import io
import re
import warnings
from pathlib import Path

import pandas as pd

from skser._column_names import (
    ALIASES,
    OTHER_DURATION,
    OTHER_TIMES,
    like_ends,
    plain_names,
    unused_times,
)
from skser.datasets._table_checks import require_unique_columns

# Columns that stay text even if all their values look like numbers.
TEXT_COLUMNS = ("audio", "emotion", "speaker", "sex", "sentence", "transcript")
# Columns that are numbers, however they are written; others may be names of sessions or calls.
_NUMERIC_COLUMNS = ("start", "end", "duration", "channel", "valence", "activation", "dominance")
_MOST_EXACT = 2**53  # beyond it, not all integers are floats
# First bytes of other formats, and the function of pandas that reads them.
_OTHER_FORMATS = {
    b"PK\x03\x04": ("an Excel file (or another ZIP archive)", "read_excel"),
    b"\xd0\xcf\x11\xe0": ("an Excel file", "read_excel"),
    b"PAR1": ("a Parquet file", "read_parquet"),
    b"ARROW1": ("a Feather file", "read_feather"),
    b"\x1f\x8b": ("compressed by gzip", "read_csv"),
    b"BZh": ("compressed by bzip2", "read_csv"),
    b"\xfd7zXZ": ("compressed by xz", "read_csv"),
    b"{": ("a JSON file", "read_json"),
    b"[": ("a JSON file", "read_json"),
}
_MISSING = {"", "na", "n/a", "nan", "none", "null"}


def read_any_table(path):
    """Read a CSV file of unknown delimiter and encoding as text.

    Parameters
    ----------
    path : path-like
        CSV file with a line of headings.

    Returns
    -------
    DataFrame of str
        Table without empty rows; the index holds the line on which each row begins.

    Raises
    ------
    ValueError
        If the file is of another format, empty or has only headings, if a row has more values
        than there are headings, if quotes are not closed or a pair of them encloses further
        rows, or if two columns have the same name.
    """
    _check_format(path)
    text = decoded(path)
    # Excel's own first line, which states the delimiter.
    stated = re.match(r'"?sep=(.)"?[^\S\n]*(?=\n|$)', text)
    text = text[stated.end() :] if stated else text
    if not text.strip():
        raise ValueError(f"{path} is empty. Write a line of headings and one row per utterance.")
    delimiter = stated[1] if stated else _delimiter(text)
    # Rows are not lines: a quoted text may extend over several lines.
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
            f"{path}, line {begins}: the quotes around a value are not closed ({error}). Close "
            "them, and double each quote inside a value."
        ) from error
    heading, rows, lines = rows[0], rows[1:], lines[1:]
    n_values = len(heading)
    # Spreadsheets often add empty columns at the right.
    while heading and not heading[-1] and not any(len(r) >= len(heading) and r[-1] for r in rows):
        heading = heading[:-1]
    if not rows:
        raise ValueError(f"{path} has headings but no rows. Write one row per utterance.")
    for row, line in zip(rows, lines, strict=True):
        if len(row) > n_values or any(row[len(heading) :]):
            raise ValueError(
                f"{path}, line {line}: {len(row)} values for {len(heading)} headings. Put quotes "
                f"around values that hold {delimiter!r}. If rows only end in empty values, let the "
                "headings end in as many."
            )
        _refuse_swallowed_rows(row, n_values, delimiter, f"{path}, line {line}")
    rows = [(row + [""] * len(heading))[: len(heading)] for row in rows]
    table = pd.DataFrame(rows, columns=heading, index=pd.Index(lines, name="line"), dtype=object)
    require_unique_columns(table, str(path))
    return table


def _refuse_swallowed_rows(row, n_values, delimiter, where):
    """Raise ValueError if a quoted value of several lines seems to hold other rows.

    It does if each of its lines has as many values as a row, and, with commas, which texts have
    too, if one of them is a file like that of this row.
    """
    for column, value in enumerate(row):
        inner = [line.split(delimiter) for line in lines_of(value)[1:]]
        # The last line ends within its row, at the closing quote.
        expected = [n_values] * (len(inner) - 1) + [column + 1]
        if not inner or [len(cells) for cells in inner] != expected or expected == [1]:
            continue
        suffixes = [Path(cell).suffix.lower() for cell in row[:column]]
        has_files = any(
            suffix and Path(cells[i].strip()).suffix.lower() == suffix
            for cells in inner
            for i, suffix in enumerate(suffixes)
            if i < len(cells)
        )
        if has_files or delimiter == "\t":
            raise ValueError(
                f"{where}: a value in quotes extends over {len(inner) + 1} lines, which seem to "
                "be rows of their own. Close the quotes on their line, or remove a single one."
            )


def _check_format(path):
    """Raise ValueError if a file is not text in rows, but of another usual format."""
    with open(path, "rb") as file:
        begin = file.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, (what, function) in _OTHER_FORMATS.items():
        if begin.startswith(magic):
            raise ValueError(
                f"{path} is {what}, not a CSV file. Read it with pandas.{function}, and pass the "
                "frame, with root= for the folder of the recordings."
            )


def decoded(path):
    """Return the text of a file in UTF-8, UTF-16 or, if it is neither, cp1252."""
    with open(path, "rb") as file:
        content = file.read()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content[:200]:  # UTF-16 without a byte order mark
        order = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
        return content.decode(order, errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def lines_of(text):
    """Return the lines of a text, which only line feeds and carriage returns end.

    `str.splitlines` also splits at characters that belong to a line, such as U+2028.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _delimiter(text):
    """Return the delimiter that splits the headings into most parts; a comma if none does."""
    heading = next(line for line in lines_of(text) if line.strip())
    heading = re.sub(r'"[^"]*"', "", heading)
    return max(",;\t", key=heading.count)


def with_known_names(table, name):
    """Rename columns with other usual names, and warn about it.

    Parameters
    ----------
    table : DataFrame
        Table with any names of columns.
    name : str
        Name of the table, for messages.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If it is unclear what a column of times means.

    Warns
    -----
    UserWarning
        If columns were renamed; the message names them.
    """
    plain = plain_names(table.columns)
    found = {}
    for ours, others in ALIASES.items():
        if ours in table.columns:
            continue
        for other in (ours, *others):
            if other in plain and plain[other] not in found:
                found[plain[other]] = ours
                break
    pair = [found.get(plain.get(word)) for word in ("from", "to")]
    if pair != ["start", "end"]:  # only as a pair, "from" and "to" surely mean times
        for word in ("from", "to"):
            if plain.get(word) in found:
                del found[plain[word]]
    ours = {*table.columns, *found.values()}
    if "offset" in plain:
        # "offset" means the start if there is a duration, and the end if there is an onset.
        beside_onset = "start" in ours and not {"end", "duration"} & ours
        if "duration" in ours and "start" not in ours:
            found[plain["offset"]] = "start"
        elif beside_onset and found.get(plain.get("onset")) == "start":
            found[plain["offset"]] = "end"
        elif not {"start", "end"} <= ours:
            raise ValueError(
                f"{name}: the column {plain['offset']!r} may be a start or an end. Rename it to "
                "'start' or 'end'."
            )
        ours |= set(found.values())
    units = [column for key, column in plain.items() if OTHER_TIMES.fullmatch(key)]
    if units:
        raise ValueError(
            f"{name}: the columns {units} are in milliseconds, samples or frames. Convert them to "
            "seconds, and name them 'start' and 'end'."
        )
    lengths = [column for key, column in plain.items() if OTHER_DURATION.fullmatch(key)]
    lengths += like_ends(column for column in table.columns if column not in found)
    if lengths and "start" in ours and not {"end", "duration"} & ours:
        raise ValueError(
            f"{name}: the column {lengths[0]!r} may be the end or the duration of utterances. If "
            "it is, convert it to seconds and name it 'end' or 'duration', or else remove it."
        )
    message = unused_times(found.get(column, column) for column in table.columns)
    if message is not None:
        warnings.warn(f"{name}: {message}", stacklevel=3)
    if "end" in ours and "start" not in ours:
        column = next((old for old, new in found.items() if new == "end"), "end")
        raise ValueError(
            f"{name}: the column {column!r} seems to hold the ends of utterances, but the starts "
            "are missing. Name the columns 'start' and 'end', or remove this one."
        )
    if "start" not in ours:  # a duration without a start is information only
        found = {old: new for old, new in found.items() if new != "duration"}
    renamed = ", ".join(f"{old!r} as {new!r}" for old, new in found.items() if old != new)
    if renamed:
        warnings.warn(f"{name}: columns were read under other names: {renamed}.", stacklevel=3)
    return table.rename(columns=found)


def as_values(table):
    """Convert the columns that contain only numbers; the others stay text.

    Parameters
    ----------
    table : DataFrame of str
        Table as `read_any_table` returns it.

    Returns
    -------
    DataFrame
        Table in which missing values are NaN in columns of numbers and None in columns of text.
        Only empty cells count as missing in text.
    """
    values = {}
    for column in table.columns:
        cells = table[column]
        numbers = None
        if column in _NUMERIC_COLUMNS:
            cells = cells.mask(cells.str.lower().isin(_MISSING), "")
        if column not in TEXT_COLUMNS:
            numbers = _numbers(cells, column not in _NUMERIC_COLUMNS)
        values[column] = cells.where(cells != "", None) if numbers is None else numbers
    return pd.DataFrame(values, index=table.index)


def _numbers(cells, may_be_names):
    """Return the numbers in a column, or None if it contains other values or seems to be names."""
    missing = cells.str.lower().isin(_MISSING)
    kept = cells[~missing]
    if kept.empty or kept.str.fullmatch(r"0\d+").any():  # codes such as 01 are not numbers
        return None
    # Spreadsheets in many languages write a decimal comma.
    if kept.str.fullmatch(r"[-+]?\d+,\d+").any() and not kept.str.contains(".", regex=False).any():
        cells = cells.str.replace(",", ".")
    numbers = pd.to_numeric(cells.where(~missing), errors="coerce")
    if numbers[~missing].isna().any():
        return None
    # Dialogues 1.1 and 1.10, or two long numbers of calls, would become one.
    merges = numbers.nunique() < kept.nunique() or numbers.abs().max() >= _MOST_EXACT
    return None if may_be_names and merges else numbers
