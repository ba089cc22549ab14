"""Fuzz test of saved models with altered bytes, or with forged contents and valid digests.

    python benchmarks/fuzz_models.py

Needs no data. Loads 2,000 altered files of three small models and of one ONNX export. Files that
load are used for a prediction. Child processes record the seconds and memory of each file, and
every attempt to start a process, to connect, to unpickle or to write. A file must be read, or be
refused with an error that names it. If it was altered without forging its digests and still loads,
its predictions must be unchanged.
"""

import argparse
import io
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
from fuzzed_models import audio, data, exported, models

N_FILES = 2000
SECONDS, BYTES = 10, 2 * 2**30
WATCHED = (
    "os.exec", "os.fork", "os.posix_spawn", "os.remove", "os.rename", "os.system", "pickle.",
    "pty.", "shutil.", "socket.connect", "subprocess.", "webbrowser.", "ctypes.dlopen",
)  # fmt: skip
NAMES = ("os.system", "builtins.eval", "builtins.exec", "subprocess.Popen", "sklearn.svm.SVC",
         "skser.audio.load_audio", "sklearn.utils._bunch.Bunch", "numpy.load", "")  # fmt: skip
VALUES = (None, True, -1, 0, 2**31, 2**63, 10**12, 1e308, "nan", "", "x" * 10_000, [], {}, [[]] * 9)


def members_of(archive):
    """Return the members of an archive, in order."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(members):
    """Return an archive of the members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def forged(members, facts=None):
    """Return an archive of a model's members with valid sizes and digests in its manifest."""
    manifest = {**json.loads(members["manifest.json"]), **(facts or {})}
    manifest["members"] = {
        name: {"size": len(content), "sha256": sha256(content).hexdigest()}
        for name, content in members.items()
        if name != "manifest.json"
    }
    manifest.pop("sha256", None)
    digest = sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    content = json.dumps({**manifest, "sha256": digest}).encode()
    return packed({**members, "manifest.json": content})


def altered(content, draw):
    """Return the bytes with some of them flipped, cut, doubled, blanked or moved."""
    content = bytearray(content)
    at = draw.randrange(len(content))
    end = min(len(content), at + draw.choice((1, 4, 64, 1000)))
    kind = draw.choice(("flip", "flip", "flip", "cut", "double", "blank", "truncate", "splice"))
    if kind == "flip":
        for _ in range(draw.choice((1, 1, 2, 8))):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    elif kind == "cut":
        del content[at:end]
    elif kind == "double":
        content[at:at] = content[at:end]
    elif kind == "blank":
        content[at:end] = bytes([draw.choice((0, 255, 48))]) * (end - at)
    elif kind == "truncate":
        del content[at:]
    else:
        other = draw.randrange(len(content))
        content[at:end] = content[other : other + end - at]
    return bytes(content)


def altered_tree(tree, draw):
    """Return the JSON tree with values, keys or names replaced, or nested in lists."""
    places = []

    def visit(node):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            places.append((node, key))
            if isinstance(value, dict | list):
                visit(value)

    visit(tree)
    for _ in range(draw.choice((1, 1, 1, 3))):
        node, key = draw.choice(places)
        other_node, other_key = draw.choice(places)
        kind = draw.choice(("value", "value", "number", "name", "swap", "delete", "deep"))
        try:
            if kind == "value":
                node[key] = draw.choice(VALUES)
            elif kind == "number" and isinstance(node[key], int | float):
                node[key] = draw.choice((-1, 10, 10**4, 10**9, 0.5)) * node[key] + 1
            elif kind == "name" and isinstance(node[key], str):
                node[key] = draw.choice(NAMES)
            elif kind == "swap":
                node[key] = json.loads(json.dumps(other_node[other_key]))
            elif kind == "delete":
                del node[key]
            elif kind == "deep":
                for _ in range(draw.choice((10, 200, 800))):
                    node[key] = [node[key]]
        except (KeyError, IndexError, RecursionError):
            continue  # an earlier alteration has removed this place
    return tree


def mutant(archive, other, draw):
    """Return one altered archive: its kind, its bytes, and whether its digests were forged."""
    kind = draw.choice(
        ("bytes", "bytes", "member", "tree", "tree", "parts", "parts array", "mixed")
    )
    if kind == "bytes":
        return kind, altered(archive, draw), False
    members = members_of(archive)
    if kind == "mixed":
        name = draw.choice(list(members))
        taken = members_of(other).get(name, b"")
        return kind, (forged if draw.random() < 0.5 else packed)({**members, name: taken}), True
    if kind.startswith("parts") and "sklearn.skops" in members:
        parts = members_of(members["sklearn.skops"])
        name = "schema.json" if kind == "parts" else draw.choice(list(parts))
        parts[name] = _altered_member(name, parts[name], draw)
        members["sklearn.skops"] = packed(parts)
        return kind, forged(members), True
    if kind == "tree":
        members["model.json"] = _altered_member("model.json", members["model.json"], draw)
        return kind, forged(members), True
    name = draw.choice([name for name in members if name != "manifest.json"])
    return "member", forged({**members, name: altered(members[name], draw)}), True


def mutant_onnx(content, draw):
    """Return one altered ONNX file, in the same form as `mutant`."""
    if draw.random() < 0.4:
        return "onnx bytes", altered(content, draw), False
    import onnx

    model = onnx.load_from_string(content)
    del model.metadata_props[-1]  # the seal
    entry = model.metadata_props[0]
    entry.value = _altered_member("description.json", entry.value.encode(), draw).decode()
    return "onnx metadata", sealed(model.SerializeToString()), True


def sealed(model):
    """Return the bytes of an ONNX model, followed by their valid digest."""
    from skser.export._file import _SEAL

    return model + _SEAL + sha256(model).hexdigest().encode()


def _altered_member(name, content, draw):
    if not name.endswith(".json"):
        return altered(content, draw)
    try:
        return json.dumps(altered_tree(json.loads(content), draw)).encode()
    except RecursionError:
        return b"[" * 10**5


def watch():
    """Return a list to which all following events of WATCHED are appended."""
    seen = []

    def hook(event, arguments):
        writes = (
            event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        )
        if event.startswith(WATCHED) or writes:
            seen.append(f"{event} {arguments!r:.100}")

    sys.addaudithook(hook)
    return seen


def verdict(path, X, expected, is_forged, seen):
    """Load a file and return the outcome, and a description of the failure or None."""
    import skser

    del seen[:]
    try:
        onnx = path.suffix == ".onnx"
        model = skser.load_onnx(path, n_threads=1) if onnx else skser.load(path)
        outcome = "read"
    except skser.persistence.SavedModelError as error:
        outcome = "refused"
        if os.fspath(path) not in str(error):
            return outcome, f"refused without its name: {error}"
    if outcome == "read":
        try:
            found = model.predict(X)
        except Exception:  # a forged model may predict anything or raise any error
            outcome = "read, cannot predict"
            if not is_forged:
                return outcome, "damaged, and not noticed"
        else:
            if not is_forged and not np.array_equal(found, expected):
                return outcome, "damaged, and predicts something else"
    return outcome, f"did {seen[0]}" if seen else None


def _child(jobs, first, folder, connection):
    import onnx  # noqa: F401 - imported before events are watched

    import skser
    import skser.neural_network

    warnings.simplefilter("ignore")
    originals = {}
    for name in ("network", "compiled", "nested"):
        path = folder / f"{name}.skser"
        frames, vectors, _ = data()
        X = frames if name == "network" else vectors
        originals[name] = (path.read_bytes(), X, skser.load(path).predict(X))
    path, (X, _) = folder / "exported.onnx", audio()
    onnx_original = (path.read_bytes(), X, skser.load_onnx(path, n_threads=1).predict(X))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    seen = watch()
    for i in range(first, jobs):
        draw = random.Random(i)
        name = draw.choice([*originals, "onnx"])
        if name == "onnx":
            content, X, expected = onnx_original
            kind, content, is_forged = mutant_onnx(content, draw)
            path = folder / f"{i}.onnx"
        else:
            archive, X, expected = originals[name]
            other = originals[draw.choice(list(originals))][0]
            kind, content, is_forged = mutant(archive, other, draw)
            path = folder / f"{i}.skser"
        path.write_bytes(content)
        connection.send(("begins", i, name, kind))
        signal.alarm(SECONDS)  # kills the child if the file takes too long
        begin = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome, wrong = verdict(path, X, expected, is_forged, seen)
        seconds = time.perf_counter() - begin
        signal.alarm(0)
        path.unlink()
        connection.send(("ends", i, outcome, wrong, seconds, _resident()))
    connection.send(None)


def _resident():
    """Return the peak resident memory so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(n_files, folder):
    """Load altered files in child processes and count the outcomes."""
    from skser import save

    for name, (model, _) in models().items():
        save(model, folder / f"{name}.skser")
    exported(folder / "exported.onnx")
    outcomes, failures, slowest, most = Counter(), [], (0.0, None), 0
    first, begun = 0, ("", "")
    while first < n_files:
        receiving, sending = multiprocessing.Pipe(duplex=False)
        spawn = multiprocessing.get_context("spawn")
        child = spawn.Process(target=_child, args=(n_files, first, folder, sending))
        child.start()
        sending.close()
        before = first
        while True:
            try:
                message = receiving.recv()
            except EOFError:
                child.join()
                failures.append({"file": first, "of": begun, "wrong": f"exit {child.exitcode}"})
                first += 1
                break
            if message is None:
                first = n_files
                break
            if message[0] == "begins":
                first, begun = message[1], message[2:]
                continue
            _, _, outcome, wrong, seconds, memory = message
            outcomes[f"{begun[1]}: {outcome}"] += 1
            slowest, most = max(slowest, (seconds, first)), max(most, memory)
            if wrong:
                failures.append({"file": first, "of": begun, "wrong": wrong})
        child.join()
        if first == before + 1 and first == 1 and failures:
            raise RuntimeError(f"The child process failed on its first file: {failures}.")
    return {
        "n_files": n_files,
        "outcomes": dict(sorted(outcomes.items())),
        "failures": failures,
        "slowest_seconds": round(slowest[0], 3),
        "slowest_file": slowest[1],
        "largest_resident_bytes": most,
        "limits": {"seconds": SECONDS, "bytes": BYTES},
    }


def main():
    from provenance import RESULTS, versions, write_result

    parser = argparse.ArgumentParser()
    parser.add_argument("--n-files", type=int, default=N_FILES)
    n_files = parser.parse_args().n_files
    with tempfile.TemporaryDirectory() as folder:
        result = run(n_files, Path(folder))
    result["versions"] = versions(
        "numpy", "scikit-learn", "skops", "safetensors", "onnxruntime", "torch"
    )
    print(json.dumps(result, indent=1))
    write_result(RESULTS / "fuzz_models.json", result)
    if result["failures"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
