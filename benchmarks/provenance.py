"""Origin of results: which code made a result file, on which machine, and how.

`write_result` adds a record of the origin to every result. Its hash is over the syntax trees of the
script and of all modules that it imports from the package and from this folder, without docstrings,
descriptions of parameters, comments and the messages of errors and warnings. A result whose hash
differs from that of the code today was made by other code; `make results-check` lists such results,
and the documentation marks their tables.
"""

import ast
import functools
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import skser

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = Path(os.environ.get("SKSER_RESULTS", HERE / "results"))
PACKAGES = ("skser", "numpy", "scipy", "scikit-learn", "torch", "librosa", "joblib")


def write_result(path, result, *, seeds=None, inputs=()):
    """Write a result file with its origin, in one step: a kill leaves the old one or the new one.

    Parameters
    ----------
    path : Path
        Path of the JSON file.
    result : dict
        Result to write. Its entry "origin" is replaced.
    seeds : list of int or None, default=None
        Seeds that the result depends on. None means those of the result's fits.
    inputs : list of Path, default=()
        Result files that this result is made of. It is out of date if one of them is.
    """
    if seeds is None:
        seeds = sorted({fit["seed"] for fit in result.get("fits", ()) if "seed" in fit}) or None
    path = Path(path)
    part = path.with_suffix(".part")
    record = origin(main_script(), seeds)
    if inputs:
        record["inputs"] = [Path(file).name for file in inputs]
    before = json.loads(path.read_text("utf-8")).get("origin", {}) if path.exists() else {}
    if result.get("fits") and _is_reproduced(before, record["code_hash"]):
        record["continues"] = before.get("continues", [])
        if before["code_hash"] != record["code_hash"]:
            kept = ("code_hash", "commit", "date", "reproduced")
            record["continues"].append({key: before[key] for key in kept})
    part.write_text(as_text(result | {"origin": record}))
    part.replace(path)


def as_text(result):
    """Return a result as JSON with one entry per line, so that versions can be compared.

    Parameters
    ----------
    result : dict
        Content of the file.

    Returns
    -------
    str
    """
    lines = []
    for name, value in result.items():
        entry = json.dumps(value)
        if isinstance(value, list) and any(isinstance(item, dict) for item in value):
            entry = "[\n  " + ",\n  ".join(json.dumps(item) for item in value) + "\n ]"
        elif isinstance(value, dict) and value:
            pairs = (f"{json.dumps(key)}: {json.dumps(item)}" for key, item in value.items())
            entry = "{\n  " + ",\n  ".join(pairs) + "\n }"
        lines.append(f" {json.dumps(name)}: {entry}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def origin(script, seeds=None):
    """Describe the code, the machine and the run that make a result.

    Parameters
    ----------
    script : Path
        Script that makes the result.
    seeds : list of int or None, default=None
        Seeds that the result depends on.

    Returns
    -------
    dict
    """
    return {
        "script": script.relative_to(ROOT).as_posix(),
        "code_hash": code_hash(script),
        "commit": _commit(),
        "versions": versions(*PACKAGES),
        "machine": machine(),
        "command": shlex.join(["python", script.relative_to(ROOT).as_posix(), *sys.argv[1:]]),
        "seeds": seeds,
        "date": time.strftime("%Y-%m-%d"),
    }


def main_script():
    """Return the path of the script that is running."""
    return Path(sys.modules["__main__"].__file__).resolve()


def kept_result(path):
    """Return a stored result if the running script made it with the same code.

    Parameters
    ----------
    path : Path
        Path of the JSON file.

    Returns
    -------
    dict or None
        Content of the file. None if there is no such file, or other code made it that the present
        code was not found to reproduce (reproduce.py).
    """
    if not path.exists():
        return None
    stored = json.loads(path.read_text("utf-8"))
    record, present = stored.get("origin", {}), code_hash(main_script())
    is_ours = record.get("code_hash") == present or _is_reproduced(record, present)
    return stored if is_ours else None


def _is_reproduced(record, present):
    """Return whether the code with a hash gave the same first fold as that of a record."""
    if record.get("code_hash") == present:
        return "continues" in record
    return record.get("reproduced", {}).get("code_hash") == present


def cache_folder(script):
    """Return a folder for intermediate results, which another one replaces if the code changes.

    Parameters
    ----------
    script : path-like
        Script that makes the intermediate results, mostly ``__file__``.

    Returns
    -------
    Path
        Subfolder of the system's folder for temporary files.
    """
    path = Path(script).resolve()
    return Path(tempfile.gettempdir()) / f"skser_{path.stem}_{code_hash(path)[:16]}"


def versions(*packages):
    """Return the versions of Python and of installed packages; None for those that are missing."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def machine():
    """Return the processor, the number of processors and threads, and the BLAS library."""
    from threadpoolctl import threadpool_info

    pools = {pool["internal_api"]: pool for pool in threadpool_info()}
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "n_processors": os.cpu_count(),
        "n_threads": {name: pool["num_threads"] for name, pool in pools.items()},
        "blas": {name: pool["version"] for name, pool in pools.items() if name != "openmp"},
    }


def _processor():
    """Return the name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _commit():
    """Return the commit, with "+changes" if tracked files differ from it; None without Git."""
    try:
        commit, changes = (
            subprocess.run(
                ["git", *arguments], capture_output=True, text=True, check=True, cwd=ROOT
            ).stdout.strip()
            for arguments in (
                ["rev-parse", "HEAD"],
                ["status", "--porcelain", "--untracked-files=no", "--", "skser", "benchmarks/*.py"],
            )
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+changes" if changes else "")


@functools.cache
def code_hash(script):
    """Return a hash of a script and of the code that it imports from the package and this folder.

    Parameters
    ----------
    script : Path
        Script to start from.

    Returns
    -------
    str
        Hexadecimal SHA-256. Docstrings, descriptions of parameters, comments, formatting, and the
        messages of errors and warnings do not change it.
    """
    digest = hashlib.sha256()
    for path in sorted(imported_files(Path(script).resolve())):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + _tree(path).encode())
    return digest.hexdigest()


def imported_files(script):
    """Find the files of the package and of this folder that a script imports, itself included.

    A name that is imported from a room leads to the file that defines it, not to the whole room.

    Parameters
    ----------
    script : Path
        Script to start from.

    Returns
    -------
    set of Path
    """
    found, waiting = set(), [script]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for module, name in _imports(path):
            waiting += _files_of(module, name)
    return found


@functools.cache
def _imports(path):
    """Return the modules that a file imports, each with a name imported from it or None."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names if alias.name != "skser"]
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == "skser":
            found.append(("skser", node.attr))
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found += [(node.module, alias.name) for alias in node.names]
    return found


def _files_of(module, name):
    """Return the files that ``from module import name`` or ``import module`` leads to."""
    base = ROOT / Path(*module.split("."))
    if module.split(".")[0] != "skser":
        own = HERE / f"{module}.py"
        # This module describes results and makes none.
        return [own] if own.exists() and own != Path(__file__).resolve() else []
    if base.with_suffix(".py").exists():
        return [base.with_suffix(".py")]
    if name is None:  # `import skser.room` gives access to all of the room
        return sorted(base.rglob("*.py"))
    if (base / f"{name}.py").exists():
        return [base / f"{name}.py"]
    if (base / name / "__init__.py").exists():
        return sorted((base / name).rglob("*.py"))
    for inner, alias in _imports(base / "__init__.py"):
        if alias == name:
            return _files_of(inner, alias)
    if module == "skser" and name in skser._FUNCTIONS:
        return _files_of(skser._FUNCTIONS[name], name)
    return [base / "__init__.py"]


@functools.cache
def _tree(path):
    """Return the syntax tree of a file as text, without what cannot change a result."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # Strings that stand alone are docstrings, of variables too.
            node.body = [part for part in body if not _is_text(part)] or [ast.Pass()]
        if isinstance(node, ast.Dict):
            # Texts of several lines in a dict are inserted into docstrings.
            node.values = [ast.Constant("") if _has_lines(part) else part for part in node.values]
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            node.exc.args = node.exc.keywords = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn":
            node.args = node.args[1:]
    return ast.dump(tree)


def _is_text(node):
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _has_lines(node):
    return isinstance(node, ast.Constant) and "\n" in str(node.value)


if Path(getattr(sys.modules["__main__"], "__file__", "")).resolve().parent == HERE:
    code_hash(main_script())  # now, as the files may change while a long script runs
