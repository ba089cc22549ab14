"""Storage for the results of finished folds."""

import hashlib
import json
from pathlib import Path

from skser._whole_file import whole_file

# Entries of a protocol that are not compared.
_FOR_READERS = ("model", "cv", "corpus", "environment")


class FinishedFolds:
    """Results of finished folds, in memory and optionally in one JSON file each.

    Each file carries a checksum of its content and of the evaluation that it belongs to, so that
    damaged files and files of another evaluation are noticed.

    Parameters
    ----------
    path : path-like or None
        Folder of the files. None keeps results in memory only.
    protocol : dict
        Description of the evaluation. Its entries ``model``, ``cv``, ``corpus`` and
        ``environment`` are for human readers. All others must equal those of the results in the
        folder.

    Raises
    ------
    ValueError
        If the folder holds results of another evaluation, or a broken file.
    """

    def __init__(self, path, protocol):
        self.path = None if path is None else Path(path)
        self.results = {}
        self.evaluation = _checksum(_compared(protocol))
        if path is None:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        about = self.path / "protocol.json"
        if about.exists():
            differing = _differences(_read(about), protocol)
            if differing:
                raise ValueError(
                    f"{self.path} holds results of another evaluation, which differs in "
                    f"{', '.join(differing)}. Use another folder."
                )
        else:
            self._write("protocol.json", protocol)
        for file in sorted(self.path.glob("seed*_fold*.json")):
            self._hold(self._checked(file))

    def _checked(self, file):
        """Return the result in a file, or raise if it is damaged or of another evaluation."""
        stored = _read(file)
        result = stored.get("result")
        if stored.get("checksum") != _checksum([self.evaluation, result]):
            raise ValueError(
                f"{file} does not match its checksum: it was damaged, edited, or copied from "
                "another evaluation. Delete it to run its fold again."
            )
        return result

    def _hold(self, result):
        """Keep a result in memory."""
        self.results[result["seed"], result["fold"]] = result

    def add(self, result):
        """Store a result. A kill leaves either the whole file or none."""
        self._hold(result)
        if self.path is not None:
            checksum = _checksum([self.evaluation, result])
            self._write(
                f"seed{result['seed']}_fold{result['fold']}.json",
                {"checksum": checksum, "result": result},
            )

    def _write(self, name, content):
        with whole_file(self.path / name) as file:
            file.write(json.dumps(content).encode())

    def __contains__(self, key):
        return key in self.results

    def __getitem__(self, key):
        return self.results[key]


def _read(path):
    """Read a JSON file, or raise an error that names it."""
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is not valid JSON ({error}). Delete it to run its fold again."
        ) from error


def _compared(protocol):
    """Return the entries of a protocol that must be equal."""
    return {name: value for name, value in protocol.items() if name not in _FOR_READERS}


def _differences(kept, protocol):
    """Return the names of the entries in which two protocols differ."""
    kept, protocol = _compared(kept), _compared(protocol)
    names = sorted(set(kept) | set(protocol))
    differing = [name for name in names if kept.get(name) != protocol.get(name)]
    return list(dict.fromkeys(name.removesuffix("_hash") for name in differing))


def _checksum(content):
    """Return the SHA-256 of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
