"""Table of the prediction time of exported models."""

import json

from render_results import list_table


def write_onnx_table(docs):
    """Write the table into ``generated/``."""
    result = json.loads((docs.parent / "benchmarks/results/onnx_prediction.json").read_text())
    rows = [["length of the file, s", "torch, ms", "onnxruntime, ms", "ratio"]]
    for seconds, measured in result["seconds"].items():
        elapsed = measured["milliseconds"].values()
        rows.append([seconds, *(f"{ms:.1f}" for ms in elapsed), f"{measured['ratio']:.2f}"])
    difference = max(measured["largest_difference"] for measured in result["seconds"].values())
    text = (
        f"{list_table(rows)}\nThe probabilities differ by at most {difference:.0e}. The size "
        f"of the file is {result['bytes'] / 1e6:.1f} MB, mostly for the Fourier transform, and "
        f"writing it took {result['export_seconds']:.1f} s (load average "
        f"{result['load_average']:.1f}).\n"
    )
    (docs / "generated" / "onnx_prediction.rst").write_text(text)
