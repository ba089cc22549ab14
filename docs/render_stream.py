"""Table of what predicting a stream costs."""

import json

from render_results import list_table


def write_stream_table(docs):
    """Write the table into ``generated/``."""
    result = json.loads((docs.parent / "benchmarks/results/stream.json").read_text())
    rows = [
        [
            "samples per block", "rate in Hz", "minutes of audio", "real-time factor",
            "audio after a window's end, ms", "computing per row, ms (99 %)",
            "growth of memory, MiB",
        ]
    ]  # fmt: skip
    for run in result["runs"]:
        computing = f"{run['computing_ms_median']:.0f} ({run['computing_ms_99_percent']:.0f})"
        rows.append([
            str(run["block_samples"]), str(run["sampling_rate"]), str(run["minutes"]),
            f"{run['real_time_factor']:.3f}", f"{run['audio_beyond_window_ms']:.0f}", computing,
            f"{run['memory_growth_mib']:.1f}",
        ])  # fmt: skip
    (docs / "generated" / "stream.rst").write_text(list_table(rows))
