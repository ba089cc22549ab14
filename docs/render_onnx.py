"""Table of the prediction time of exported models."""

from render_results import list_table
from stored_results import read_result, write_generated


def write_onnx_table(docs):
    """Write the table into ``generated/``."""
    write_generated(docs / "generated/onnx_prediction.rst", prediction_times, docs)


def prediction_times(docs):
    """Return the table of prediction times, by length of the file."""
    result = read_result(docs.parent / "benchmarks/results/onnx_prediction.json")
    rows = [["length of the file, s", "torch, ms", "onnxruntime, ms", "ratio"]]
    for seconds, measured in result["seconds"].items():
        elapsed = measured["milliseconds"].values()
        rows.append([seconds, *(f"{ms:.1f}" for ms in elapsed), f"{measured['ratio']:.2f}"])
    difference = max(measured["largest_difference"] for measured in result["seconds"].values())
    return (
        f"{list_table(rows)}\nThe probabilities differ by at most {difference:.0e}. The size "
        f"of the file is {result['bytes'] / 1e6:.1f} MB, and "
        f"writing it took {result['export_seconds']:.1f} s (load average "
        f"{result['load_average']:.1f}).\n"
    )
