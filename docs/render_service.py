"""Tables of the start-up time of the command line and of the speed of the web service."""

from render_results import list_table
from stored_results import read_result, write_generated


def write_service_tables(docs):
    """Write the tables into ``generated/``."""
    write_generated(docs / "generated/startup.rst", startup_times, docs)
    write_generated(docs / "generated/service.rst", service_times, docs)


def startup_times(docs):
    """Return the table of processor times."""
    result = read_result(docs.parent / "benchmarks/results/startup.json")
    seconds, ratios = result["seconds"], result["ratios"]
    rows = [["process", "processor time, s", "its libraries alone, s", "ratio"]]
    rows += [
        [name, f"{seconds[key]:.2f}", f"{seconds[bare]:.2f}", f"{ratios[key]:.2f}"]
        for name, key, bare in (
            ("``skser predict file.wav``", "skser predict", "bare onnxruntime"),
            ("loading a network and predicting a file", "saved network", "bare torch"),
        )
    ]
    return (
        f"{list_table(rows)}\nThe libraries are onnxruntime, NumPy and soundfile, and torch, "
        f"scikit-learn and skorch. {result['protocol'].capitalize()} runs (load average "
        f"{result['load_average']:.1f}).\n"
    )


def service_times(docs):
    """Return the times of requests, and the table of calls per second by the number of threads."""
    result = read_result(docs.parent / "benchmarks/results/service.json")
    http, threads, memory = result["http"], result["threads"], result["memory"]
    counts = list(threads["torch"]["calls_per_second"])
    served, shared = result["models"]["served"], result["models"]["shared by threads"]
    rows = [
        [
            f"calls of ``{shared}`` per second",
            *(f"{n} threads" if n != "1" else "1 thread" for n in counts),
        ]
    ]
    rows += [
        [name, *(f"{measured['calls_per_second'][n]:.0f}" for n in counts)]
        for name, measured in threads.items()
    ]
    growth = " and ".join(
        f"{of_one['growth_mb']:.1f} MB ({name})" for name, of_one in memory.items()
    )
    return (
        f"{http['n_requests']} requests in {http['n_threads']} threads, each a file of "
        f"{result['file'].split(',')[0]}, with ``{served}``: median {http['median_ms']:.0f} ms, "
        f"95th percentile {http['p95_ms']:.0f} ms, {http['requests_per_second']:.0f} requests per "
        f"second; {http['n_equal']} answers are equal to those without a server.\n\n"
        f"{list_table(rows)}\n"
        f"Over {memory['torch']['n_calls']:,} calls, the process grew by {growth}. The machine has "
        f"{result['n_cores']} cores (load average {result['load_average']:.1f}).\n"
    )
