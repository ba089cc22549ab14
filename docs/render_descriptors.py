"""Table of the agreement of descriptors with openSMILE and Praat."""

from render_results import list_table
from stored_results import read_result, write_generated

LIBRARIES = {"openSMILE": "opensmile", "Praat": "praat-parselmouth"}
UNITS = {"F0": "semitones", "alpha_ratio": "dB", "hammarberg": "dB", "slope0-500": "dB per Hz",
         "slope500-1500": "dB per Hz", "jitter": "", "shimmer": "", "HNR": "dB", "F1": "Hz",
         "F1_bandwidth": "Hz", "F2": "Hz", "F3": "Hz"}  # fmt: skip


def number(value):
    """Return a number with about three digits."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2g}"


def write_descriptors(docs):
    """Write a table for each program into ``generated/``."""
    path = docs.parent / "benchmarks/results/descriptors.json"
    for program in LIBRARIES:
        target = docs / f"generated/descriptors_{program.lower()}.rst"
        write_generated(target, table, path, program)


def table(path, program):
    """Return the table of the agreement with a program."""
    if not path.exists():
        return "Not measured yet.\n"
    result = read_result(path)
    rows = [["descriptor", f"column of {program}", "unit", "frames", "r", "median",
             f"median of {program}", "median absolute difference"]]  # fmt: skip
    for name, found in result[program].items():
        same = found["median_error"] is not None
        rows.append(
            [
                f"``{name}``",
                f"``{found['column']}``",
                UNITS.get(name, "differs") if same else "differs",
                f"{found['n_frames']:,}",
                f"{found['r']:.3f}",
                number(found["median_ours"]),
                number(found["median_theirs"]),
                number(found["median_error"]) if same else "",
            ]
        )
    if program == "Praat":
        rows = [row[:1] + row[2:] for row in rows]
    library = LIBRARIES[program]
    text = f"Measured on {result['corpus']}, with {library} {result['versions'][library]}.\n"
    return f"{list_table(rows)}\n{text}"
