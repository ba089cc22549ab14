"""Votes of the single raters of MSP-Podcast, in the layouts of its releases."""

import json
import re

from skser.datasets._files import in_row, number_in, read_table, read_text

_WORDS = {"angry": "A", "sad": "S", "happy": "H", "surprise": "U", "fear": "F", "disgust": "D",
          "contempt": "C", "neutral": "N"}  # fmt: skip
_DIMENSIONS = {"valence": "EmoVal", "activation": "EmoAct", "dominance": "EmoDom"}
_WORKERS = ("Workers", "Worker", "WorkerID")  # one of these, by release
# "WORKER00000021; Happy; Happy,Amused; A:5.000000; V:6.000000; D:4.000000;"; raters' own words
# may hold semicolons, so the ratings are looked for from the end.
_DETAIL = re.compile(
    r"\s*(?P<worker>[^;\s]+)\s*;\s*(?P<emotion>[^;]*?)\s*;.*?"
    r"A:\s*(?P<activation>[^;]*?)\s*;\s*V:\s*(?P<valence>[^;]*?)\s*;\s*D:\s*(?P<dominance>[^;]*?)"
    r"\s*;?\s*",
    re.DOTALL,
)


def podcast_votes(files, info):
    """Return a row for each rater of each utterance, or an empty list without the table.

    Parameters
    ----------
    files : list of Path
        Files of the corpus, of which ``labels_detailed.csv`` and ``labels_detailed.json`` are
        read, the former if both exist.
    info : CorpusInfo
        Facts about the corpus.

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If the file is damaged; the message names the file and the line, or the entry.
    """
    for name, read in (("labels_detailed.csv", _from_csv), ("labels_detailed.json", _from_json)):
        found = [file for file in files if file.name == name]
        if found:
            return list(read(found[0], info))
    return []


def _from_csv(file, info):
    table = read_table(file, ("FileName",))
    if "EmoDetail" in table:
        for i, row in enumerate(table.to_dict("records")):
            where = in_row(file, i)
            match = _DETAIL.fullmatch(row["EmoDetail"])
            if match is None:
                raise ValueError(
                    f"{where} has the EmoDetail {row['EmoDetail']!r}; expected a worker, an "
                    "emotion and the ratings A, V and D, separated by semicolons."
                )
            ratings = {key: match[key] for key in _DIMENSIONS}
            yield _vote(row["FileName"], match["worker"], match["emotion"], ratings, where, info)
        return
    worker = next((name for name in _WORKERS if name in table), _WORKERS[0])
    columns = ("FileName", worker, "EmoClass_Major", *_DIMENSIONS.values())
    for i, row in enumerate(read_table(file, columns).to_dict("records")):
        ratings = {key: row[column] for key, column in _DIMENSIONS.items()}
        emotion = row["EmoClass_Major"]
        yield _vote(row["FileName"], row[worker], emotion, ratings, in_row(file, i), info)


def _from_json(file, info):
    try:
        content = json.loads(read_text(file))
    except ValueError as error:
        raise ValueError(f"{file} cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file} holds a {type(content).__name__}; expected a JSON object.")
    for name, workers in content.items():
        where = f"{file}, entry {name!r},"
        if isinstance(workers, dict) and isinstance(workers.get("Workers"), list):
            workers = {
                entry.get("Name") if isinstance(entry, dict) else None: entry
                for entry in workers["Workers"]
            }
        if not isinstance(workers, dict):
            raise ValueError(f"{where} holds no raters.")
        for worker, entry in workers.items():
            keys = ("EmoClass_Major", *_DIMENSIONS.values())
            missing = [key for key in keys if not isinstance(entry, dict) or key not in entry]
            if missing or worker is None:
                raise ValueError(f"{where} lacks {missing or ['Name']} of a rater.")
            ratings = {key: entry[column] for key, column in _DIMENSIONS.items()}
            yield _vote(name, worker, entry["EmoClass_Major"], ratings, where, info)


def _vote(file_name, worker, emotion, ratings, where, info):
    """Return the row of a vote; empty cells are missing."""
    code = _WORDS.get(str(emotion).strip().lower(), str(emotion).strip())
    return {
        "utterance": file_name.rpartition(".")[0] or file_name,
        "rater": worker or None,
        "emotion": info.labels.get(code, "other") if code else None,
        **{
            key: number_in(value, float, where, _DIMENSIONS[key]) if value != "" else None
            for key, value in ratings.items()
        },
    }
