"""Load saved and exported models that were mutated, or forged with right digests.

    python benchmarks/fuzz_models.py                  (2,000 models and 1,000 ONNX files)
    python benchmarks/fuzz_models.py --number 4711    (one file again)

Needs no data. Each file is loaded, and used for a prediction if it loads, in a child of its own
with a limit on memory, forked from a process that has imported everything and computed nothing;
such a process forks a hundred children at most, after which the result so far is written. A file
must be refused by its name or read, without a crash, within 10 s of the processor and 2 GB, and
without starting a process, connecting, unpickling or writing. File n is always the same, so that
a finding can be repeated. An interrupted run resumes from the result file, with every parent that
has finished.
"""

import argparse
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

N_MODELS, N_ONNX = 2000, 1000
SECONDS, BYTES = 10, 2 * 2**30
CHILDREN = 100  # of one parent
WATCHED = (
    "os.exec", "os.fork", "os.posix_spawn", "os.remove", "os.rename", "os.system", "pickle.",
    "pty.", "shutil.", "socket.connect", "subprocess.", "webbrowser.", "ctypes.dlopen",
)  # fmt: skip
NAMES = ("os.system", "builtins.eval", "subprocess.Popen", "sklearn.svm._classes.SVC",
         "sklearn.tree._tree.Tree", "sklearn.utils._bunch.Bunch", "numpy.ndarray",
         "sklearn.pipeline.Pipeline", "")  # fmt: skip
VALUES = (None, True, -1, 0, 2**31, 2**63, 10**12, 1e308, "nan", "", "x" * 10_000, [], {}, [[]] * 9)
JSON_VALUES = ("null", "true", "-1", "0", "1e9", "2147483648", '"x"', "[]", "NaN", "x")


def members_of(archive):
    """Return the members of an archive, in order."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(members):
    """Return the archive of some members, with the right checksums."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def altered(content, draw):
    """Return bytes with some of them flipped, cut, doubled, blanked or moved."""
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


def places_of(tree):
    """Return every container in a tree of JSON with each of its keys."""
    places, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            places.append((node, key))
            if isinstance(value, dict | list):
                waiting.append(value)
    return places


def altered_tree(tree, draw):
    """Return JSON with a value replaced, swapped, deleted, or buried in lists."""
    places = places_of(tree)
    for _ in range(draw.choice((1, 1, 1, 3))):
        node, key = draw.choice(places)
        other_node, other_key = draw.choice(places)
        kind = draw.choice(("value", "number", "text", "swap", "delete", "deep"))
        try:
            if kind == "value":
                node[key] = draw.choice(VALUES)
            elif kind == "number" and isinstance(node[key], int | float):
                node[key] = draw.choice((-1, 10, 10**4, 10**9, 0.5)) * node[key] + 1
            elif kind == "text" and isinstance(node[key], str):
                node[key] = draw.choice((*NAMES, *JSON_VALUES))
            elif kind == "swap":
                node[key] = json.loads(json.dumps(other_node[other_key]))
            elif kind == "delete":
                del node[key]
            elif kind == "deep":
                for _ in range(draw.choice((10, 200, 800))):
                    node[key] = [node[key]]
        except (KeyError, IndexError, RecursionError):
            continue  # an earlier change took this place away
    return tree


def forged_schema(schema, members, draw):
    """Change types, parameters, references and arrays in skops' schema, in place."""
    nodes = [node[key] for node, key in places_of(schema) if isinstance(node[key], dict)]
    nodes = [node for node in nodes if "__loader__" in node]
    of_kind = {}
    for node in nodes:
        of_kind.setdefault(node["__loader__"], []).append(node)
    kind = draw.choice(("type", "value", "value", "reference", "share", "array", "array", "graft"))
    objects = of_kind["ObjectNode"]
    if kind == "type":
        one, other = draw.choice(objects), draw.choice(objects)
        if draw.random() < 0.3:
            module, _, name = draw.choice(NAMES).rpartition(".")
            other = {"__module__": module, "__class__": name}
        one.update({key: other[key] for key in ("__module__", "__class__")})
    elif kind == "value":
        for _ in range(draw.choice((1, 1, 3))):
            draw.choice(of_kind["JsonNode"])["content"] = draw.choice(JSON_VALUES)
    elif kind == "reference":
        numbers = [node["__id__"] for node in nodes if "__id__" in node]
        node = draw.choice(nodes)
        node.clear()
        node.update(__loader__="CachedNode", __id__=draw.choice((*numbers, 10**9, -1)))
    elif kind == "share":
        lists = of_kind.get("ListNode", []) + of_kind.get("TupleNode", [])
        node = draw.choice(lists)
        part = draw.choice(nodes)
        node["content"] = [*node["content"], *[part] * draw.choice((1, 10, 5000))]
    elif kind == "array":
        node = draw.choice([n for n in of_kind["NdArrayNode"] if "file" in n])
        members["forged.npy"] = resized(members[node["file"]], draw)
        node["file"] = "forged.npy"
    else:
        one, other = draw.choice(nodes), draw.choice(nodes)
        copied = json.loads(json.dumps(other))
        one.clear()
        one.update(copied)
    return kind


def resized(data, draw):
    """Return an array of another length, shape or type as the bytes of an .npy file."""
    array = np.load(io.BytesIO(data))
    choice = draw.randrange(7)
    if choice == 0:
        array = np.resize(array, draw.choice((0, 1, array.size + 1, 60_000)))
    elif choice == 1:
        array = np.resize(array, (draw.choice((1, 3, 1000)), draw.choice((1, 5, 400))))
    elif choice == 2:
        array = array.reshape(-1)[:, None]
    elif choice == 3 and array.dtype.kind in "biuf":
        array = array.astype(draw.choice(("i8", "u1", "f2", ">f4", "c8", "?")))
    elif choice == 4 and array.dtype.kind in "biuf":
        array = np.full(array.shape, draw.choice((np.inf, np.nan, -1, 2**31, 1e300)))
    elif choice == 5:
        array = np.array(["x" * 400] * 9)
    else:
        array = array.T
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    data = buffer.getvalue()
    if draw.random() < 0.1:
        data = data.replace(b"(", b"(9", 1)  # a header that promises more
    return data


def mutant(archive, draw):
    """Return the kind and the bytes of a mutated archive, and whether it was forged."""
    kind = draw.choice(("bytes", "member", "tree", "schema", "schema", "schema", "schema"))
    if kind == "bytes":
        return kind, altered(archive, draw), False
    members = members_of(archive)
    if kind == "member":
        name = draw.choice(list(members))
        members[name] = altered(members[name], draw)
    else:
        name = "schema.json" if kind == "schema" or draw.random() < 0.7 else "skser.json"
        tree = json.loads(members[name])
        if kind == "schema":
            kind = f"schema {forged_schema(tree, members, draw)}"
        else:
            tree = altered_tree(tree, draw)
        try:
            members[name] = json.dumps(tree).encode()
        except (RecursionError, ValueError):
            members[name] = b"[" * 10**5
    return kind, packed(members), True


def mutant_onnx(content, draw):
    """Return the kind and the bytes of a mutated ONNX file, and whether it was forged."""
    kind = draw.choice(("bytes", "description", "operator", "attribute", "tensor", "graph"))
    if kind == "bytes":
        return "onnx bytes", altered(content, draw), False
    import onnx

    model = onnx.load_from_string(content)
    del model.metadata_props[-1]  # the seal
    graph = model.graph
    node, other = draw.choice(graph.node), draw.choice(graph.node)
    tensor = draw.choice(graph.initializer)
    if kind == "description":
        entry = model.metadata_props[0]
        try:
            entry.value = json.dumps(altered_tree(json.loads(entry.value), draw))
        except (RecursionError, ValueError):
            entry.value = "[" * 10**5
    elif kind == "operator":
        node.op_type = draw.choice(
            ("Range", "Expand", "ConstantOfShape", "Tile", "Loop", "Resize", "Pad", other.op_type)
        )
    elif kind == "attribute":
        attribute = draw.choice([a for n in graph.node for a in n.attribute])
        value = draw.choice((-1, 0, 2, 2**31, 2**62))
        if attribute.ints:
            attribute.ints[draw.randrange(len(attribute.ints))] = value
        elif attribute.s:
            attribute.s = draw.choice((b"", b"edge", b"reflect", b"x" * 100))
        else:
            attribute.i = value
    elif kind == "tensor":
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype == np.int64 and draw.random() < 0.7:
            array = array * 0 + draw.choice((-1, 0, 3, 2**31, 2**62))
        else:
            array = np.load(io.BytesIO(_valid(array, draw)))
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    elif draw.random() < 0.5:
        node.input[draw.randrange(len(node.input))] = draw.choice(
            [*other.output, *other.input, tensor.name, "nothing"]
        )
    else:
        for _ in range(draw.choice((1, 30))):  # doubles what flows through it
            node = graph.node[-1]
            name = node.output[0]
            node.output[0] = f"{name}_{len(graph.node)}"
            graph.node.append(onnx.helper.make_node("Concat", [node.output[0]] * 2, [name], axis=0))
    return f"onnx {kind}", sealed(model.SerializeToString()), True


def _valid(array, draw):
    while True:
        data = resized(_npy(array), draw)
        try:
            loaded = np.load(io.BytesIO(data))
        except ValueError:
            continue
        if loaded.dtype.kind != "U" and loaded.dtype.isnative:
            return data


def _npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def sealed(model):
    """Return the bytes of an ONNX model with the right digest after them."""
    from skser.export._file import seal

    return model + seal(model)


# A child reads one file -----------------------------------------------------------------


def watch():
    """Return a list that fills with the events of WATCHED as they happen from now on."""
    seen = []

    def hook(event, arguments):
        writes = (
            event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        )
        if event.startswith(WATCHED) or (writes and "__pycache__" not in str(arguments[0])):
            seen.append(f"{event} {arguments!r:.100}")

    sys.addaudithook(hook)
    return seen


def verdict(path, X, expected, is_forged, seen):
    """Return what became of a file in a word, and what was wrong with that, if anything."""
    import skser

    del seen[:]
    try:
        onnx = path.suffix == ".onnx"
        model = skser.load_onnx(path, n_threads=1) if onnx else skser.load(path)
    except skser.persistence.SavedModelError as error:
        if os.fspath(path) not in str(error):
            return "refused", f"refused without its name: {error}"
        return "refused", f"did {seen[0]}" if seen else None
    outcome = "read"
    try:
        found = model.predict(X)
    except MemoryError:
        outcome = "read, cannot predict"
    except Exception:  # a forged model may predict nonsense, or say that it cannot
        outcome = "read, cannot predict"
        if not is_forged:
            return outcome, "damaged, and not noticed"
    else:
        if not is_forged and not np.array_equal(found, expected):
            return outcome, "damaged, and predicts something else"
    return outcome, f"did {seen[0]}" if seen else None


def _judged(number, folder):
    """Fork a child that reads the file of a number; return its report."""
    originals = sorted(path for path in folder.glob("*.npz"))
    draw = random.Random(number)
    chosen = [p for p in originals if (p.stem == "exported") == (number % 3 == 2)]
    original = draw.choice(chosen)
    content = original.with_suffix("").read_bytes()
    make = mutant_onnx if original.stem == "exported" else mutant
    kind, content, is_forged = make(content, draw)
    path = folder / f"file {number}{'.onnx' if make is mutant_onnx else '.skser'}"
    path.write_bytes(content)
    reading, writing = os.pipe()
    begin = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.close(reading)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        signal.alarm(10 * SECONDS)  # ends a child that sleeps
        kept = np.load(original)
        X = list(kept["X"]) if original.stem == "exported" else kept["X"]
        warnings.simplefilter("ignore")
        seen = watch()
        try:
            outcome, wrong = verdict(path, X, kept["expected"], is_forged, seen)
        except BaseException as error:
            outcome, wrong = "finding", f"{type(error).__name__}: {error}"
        used = resource.getrusage(resource.RUSAGE_SELF)
        report = outcome, wrong, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
        os.write(writing, json.dumps(report).encode()[:60_000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    path.unlink()
    if status or not answer:
        code = os.waitstatus_to_exitcode(status)
        hung = -code in (signal.SIGKILL, signal.SIGXCPU, signal.SIGALRM)
        answer = json.dumps(
            ("hang" if hung else "crash", f"exit {code}", time.perf_counter() - begin, 0)
        )
    return number, original.stem, kind, *json.loads(answer)


def _parent(folder, first, last):
    import librosa  # noqa: F401
    import numba  # noqa: F401
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401

    import skser
    import skser.feature_extraction
    import skser.neural_network
    import skser.preprocessing  # noqa: F401

    for number in range(first, last):
        report = _judged(number, folder)
        if f"exit {-signal.SIGALRM}" in report:
            # Threads of the parent may have held a lock during the fork; then it passes now.
            report = _judged(number, folder)
        print(json.dumps(report), flush=True)


def run(numbers, folder, report=None, before=None):
    """Judge the files of some numbers, and count what became of them.

    Parameters
    ----------
    numbers : range
        A third of them are ONNX files.
    folder : Path
        Empty folder to work in.
    report : callable or None, default=None
        Function that is given the result so far after each parent.
    before : dict or None, default=None
        Result of the first numbers, to which the others are added.

    Returns
    -------
    dict
    """
    from fuzzed_models import write_originals

    write_originals(folder)
    result = before or {
        "n_files": 0, "outcomes": {}, "failures": [], "slowest_seconds": 0.0, "slowest_file": None,
        "largest_resident_bytes": 0,
    }  # fmt: skip
    outcomes, findings = Counter(result["outcomes"]), result["failures"]
    slowest = result["slowest_seconds"], result["slowest_file"]
    most = result["largest_resident_bytes"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for first in range(numbers.start + result["n_files"], numbers.stop, CHILDREN):
        last = min(first + CHILDREN, numbers.stop)
        command = [sys.executable, __file__, "--parent", str(folder), str(first), str(last)]
        parent = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, env=environment, check=True
        )
        for line in parent.stdout.splitlines():
            number, original, kind, outcome, wrong, seconds, memory = json.loads(line)
            outcomes[f"{kind}: {outcome}"] += 1
            slowest, most = max(slowest, (seconds, number)), max(most, memory)
            if wrong or seconds > SECONDS or memory > BYTES:
                findings.append({"file": number, "of": [original, kind], "wrong": wrong})
                print(findings[-1], file=sys.stderr, flush=True)
        done = range(numbers.start, last)
        result = {
            "n_files": len(done),
            "n_onnx": sum(number % 3 == 2 for number in done),
            "outcomes": dict(sorted(outcomes.items())),
            "failures": findings,
            "slowest_seconds": round(slowest[0], 3),
            "slowest_file": slowest[1],
            "largest_resident_bytes": most,
            "limits": {"seconds": SECONDS, "bytes": BYTES},
        }
        if report is not None:
            report(result)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--n-files", type=int, default=N_MODELS + N_ONNX)
    parser.add_argument("--number", type=int, help="only this file")
    parser.add_argument("--parent", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.parent:
        folder, first, last = arguments.parent
        _parent(Path(folder), int(first), int(last))
        return
    numbers = range(arguments.n_files)
    if arguments.number is not None:
        numbers = range(arguments.number, arguments.number + 1)
    report = before = None
    if arguments.number is None:
        from provenance import RESULTS, kept_result, versions, write_result

        path = RESULTS / "fuzz_models.json"
        found = versions("numpy", "scikit-learn", "skops", "onnxruntime", "torch")
        if (kept := kept_result(path)) and kept["versions"] == found:
            before = kept if kept["n_files"] < arguments.n_files else None

        def report(result):
            write_result(path, result | {"versions": found})

    with tempfile.TemporaryDirectory() as folder:
        result = run(numbers, Path(folder), report, before)
    print(json.dumps(result, indent=1))
    if result["failures"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
