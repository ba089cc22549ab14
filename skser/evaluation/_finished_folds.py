"""Results of folds, kept on disk as they come."""

import json
from pathlib import Path

from skser._whole_file import whole_file


class FinishedFolds:
    """Finished folds, in memory and, if there is a folder, in a JSON file each.

    Parameters
    ----------
    path : path-like or None
    protocol : dict
        What they are results of. Its entries ``model``, ``cv`` and ``corpus`` are for people;
        all others must be equal.

    Raises
    ------
    ValueError
        If the folder holds the results of something else, or a file that is not whole.
    """

    def __init__(self, path, protocol):
        self.path = None if path is None else Path(path)
        self.results = {}
        if path is None:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        about = self.path / "protocol.json"
        if about.exists():
            differing = _differences(_read(about), protocol)
            if differing:
                raise ValueError(
                    f"{self.path} holds the results of something else; it differs in "
                    f"{', '.join(differing)}. Give another folder."
                )
        else:
            self._write("protocol.json", protocol)
        for file in sorted(self.path.glob("seed*_fold*.json")):
            self._hold(_read(file))

    def _hold(self, result):
        self.results[result["seed"], result["fold"]] = result

    def add(self, result):
        """Keep a result, in one step: a kill leaves the whole file or none."""
        self._hold(result)
        if self.path is not None:
            self._write(f"seed{result['seed']}_fold{result['fold']}.json", result)

    def _write(self, name, content):
        with whole_file(self.path / name) as file:
            file.write(json.dumps(content).encode())

    def __contains__(self, key):
        return key in self.results

    def __getitem__(self, key):
        return self.results[key]


def _read(path):
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is broken ({error}): delete it, and its fold runs again."
        ) from error


def _differences(kept, protocol):
    names = sorted((set(kept) | set(protocol)) - {"model", "cv", "corpus"})
    return [name.removesuffix("_hash") for name in names if kept.get(name) != protocol.get(name)]
