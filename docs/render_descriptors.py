"""Table of the agreement of descriptors with openSMILE and Praat."""

import json

from render_results import list_table

UNITS = {"F0": "semitones", "alpha_ratio": "dB", "hammarberg": "dB", "slope0-500": "dB per Hz",
         "slope500-1500": "dB per Hz", "jitter": "", "shimmer": "", "HNR": "dB", "F1": "Hz",
         "F1_bandwidth": "Hz", "F2": "Hz", "F3": "Hz"}  # fmt: skip


def number(value):
    """Return a number with about three digits."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2g}"


def write_descriptors(docs):
    """Write a table for each program into ``generated/``."""
    path = docs.parent / "benchmarks/results/descriptors.json"
    for program in ("openSMILE", "Praat"):
        target = docs / f"generated/descriptors_{program.lower()}.rst"
        if not path.exists():
            target.write_text("Not measured yet.\n")
            continue
        result = json.loads(path.read_text())
        rows = [["descriptor", f"column of {program}", "unit", "frames", "r", "median",
                 f"median of {program}", "median absolute difference"]]  # fmt: skip
        if program == "Praat":
            del rows[0][1]
        for name, found in result[program].items():
            same = found["median_error"] is not None
            row = [
                f"``{name}``",
                f"``{found['column']}``",
                UNITS.get(name, "differs") if same else "differs",
                f"{found['n_frames']:,}",
                f"{found['r']:.3f}",
                number(found["median_ours"]),
                number(found["median_theirs"]),
                number(found["median_error"]) if same else "",
            ]
            if program == "Praat":
                del row[1]
            rows.append(row)
        version = result["versions"][
            {"openSMILE": "opensmile", "Praat": "praat-parselmouth"}[program]
        ]
        library = {"openSMILE": "opensmile", "Praat": "praat-parselmouth"}[program]
        text = f"Measured on {result['corpus']}, with {library} {version}.\n"
        target.write_text(f"{list_table(rows)}\n{text}")
