"""Table of the cost of predicting a stream."""

from render_results import list_table
from stored_results import read_result, write_generated


def write_stream_table(docs):
    """Write the table into ``generated/``."""
    write_generated(docs / "generated/stream.rst", stream, docs)


def stream(docs):
    """Return the table of costs, by size of the blocks."""
    result = read_result(docs.parent / "benchmarks/results/stream.json")
    rows = [
        [
            "samples per block", "rate, Hz", "minutes of audio", "real-time factor",
            "audio needed after a window, ms", "computing time per row, ms (99th percentile)",
            "memory growth, MiB",
        ]
    ]  # fmt: skip
    for run in result["runs"]:
        computing = f"{run['computing_ms_median']:.0f} ({run['computing_ms_99_percent']:.0f})"
        rows.append([
            str(run["block_samples"]), str(run["sampling_rate"]), str(run["minutes"]),
            f"{run['real_time_factor']:.3f}", f"{run['audio_beyond_window_ms']:.0f}", computing,
            f"{run['memory_growth_mib']:.1f}",
        ])  # fmt: skip
    return list_table(rows)
