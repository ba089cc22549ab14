"""Tables of extractions and trainings on large corpora."""

from render_results import list_table
from stored_results import read_result, write_generated

PLACES = {
    "0": "this machine, one process",
    "1": "Dask, one worker process",
    "2": "Dask, two worker processes",
}


def write_scale_tables(docs):
    """Write the tables into ``generated/``."""
    write_generated(docs / "generated/scale.rst", scale, docs)
    write_generated(docs / "generated/growth.rst", growth, docs)


def scale(docs):
    """Return a table of time and memory with a block that is larger than memory."""
    path = docs.parent / "benchmarks/results/scale.json"
    if not path.exists():
        return "Not measured yet.\n"
    result = read_result(path)
    titles = {
        "extraction": f"extraction to disk, ``n_jobs={result['n_jobs']}``",
        "epoch": f"one epoch of ``AttentionFCNClassifier``, ``n_threads={result['n_threads']}``",
        "pipeline": "``SequenceScaler`` and one epoch",
    }
    rows = [["operation", "seconds", "peak anonymous memory, MB"]]
    rows += [
        [
            title,
            f"{result[name]['seconds']:.0f}",
            f"{result[name]['peak_anonymous_megabytes']:.0f}",
        ]
        for name, title in titles.items()
        if name in result
    ]
    text = (
        f"The data are {result['hours_of_speech']:.1f} hours of speech in "
        f"{result['n_utterances']:,} utterances, which give a block of "
        f"{result['block_gigabytes']:.1f} GB.\n\n{list_table(rows)}"
    )
    if "kill" in result:
        kill = result["kill"]
        same = "the same bytes" if kill["same_bytes"] else "DIFFERENT BYTES"
        text += (
            f"\nAn extraction that was killed after {kill['finished_when_killed']:,} utterances "
            f"and started again gave {same}; {kill['computed_again']} utterances were computed "
            "twice.\n"
        )
    return text


def growth(docs):
    """Return a table of time, memory and disk by the number of utterances."""
    path = docs.parent / "benchmarks/results/growth.json"
    if not path.exists():
        return "Not measured yet.\n"
    result = read_result(path)
    rows = [["where", "utterances", "utterances/s", "time", "memory", "disk", "exponent"]]
    for n_workers, runs in result["runs"].items():
        fit = result["fits"][n_workers]
        for size in sorted(runs, key=int):
            rows.append([PLACES[n_workers], *_cells(int(size), runs[size]), ""])
        rows.append(
            ["*the same, fitted*", *_cells(fit["n_utterances"], fit), f"{fit['exponent']:.2f}"]
        )
    more = result["more_workers"]
    for n_workers, rate in more["utterances_per_second"].items():
        n_utterances = more["n_utterances"]
        where = f"*Dask, {n_workers} worker processes, fitted*"
        rows.append([where, f"{n_utterances:,}", f"{rate:,.0f}", *[""] * 4])
    return (
        f"{list_table(rows)}\nRows in italics were not measured. Those of "
        f"{fit['n_utterances']:,} utterances continue the measured ones of the same place: time as "
        "a power of the number of utterances, with the exponent in the last column, memory and "
        "disk along a straight line. Those of more workers continue the time of one and two, as "
        f"a power of the number of workers with the exponent {more['exponent']:.2f}; one machine "
        "has too few processors to measure them.\n"
    )


def _cells(n_utterances, measured):
    seconds = measured["seconds"]
    time = f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
    sizes = [_size(measured[name]) for name in ("megabytes", "disk_megabytes")]
    return [f"{n_utterances:,}", f"{n_utterances / seconds:,.0f}", time, *sizes]


def _size(megabytes):
    return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"
