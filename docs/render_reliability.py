"""Tables of the fuzz tests, the interrupted trainings and the fresh installation."""

from render_results import list_table
from stored_results import read_result, write_generated


def write_reliability(docs):
    """Write the tables into ``generated/``."""
    for name, table in (
        ("fuzz", fuzz),
        ("killed_training", killed_training),
        ("fresh_install", fresh_install),
    ):
        results = docs.parent / "benchmarks/results"
        write_generated(docs / f"generated/{name}.rst", table, results)


def fuzz(results):
    """Return a table of the fuzz tests of audio files and of saved models."""
    rows = [["kind", "files", "read", "rejected by name", "failures", "slowest", "peak memory"]]
    path = results / "fuzz_audio.json"
    if path.exists():
        found = read_result(path)
        rows.append(
            [
                "audio",
                found["n_done"],
                found["outcomes"].get("read", 0),
                found["outcomes"].get("refused", 0),
                len(found["findings"]),
                f"{found['slowest_seconds']:.1f} s",
                f"{found['most_memory'] / 2**20:.0f} MiB",
            ]
        )
    path = results / "fuzz_models.json"
    if path.exists():
        found = read_result(path)
        outcomes = found["outcomes"]
        rows.append(
            [
                "saved models",
                found["n_files"],
                sum(n for name, n in outcomes.items() if name.split(": ")[1].startswith("read")),
                sum(n for name, n in outcomes.items() if name.endswith("refused")),
                len(found["failures"]),
                f"{found['slowest_seconds']:.1f} s",
                f"{found['largest_resident_bytes'] / 2**20:.0f} MiB",
            ]
        )
    return list_table(rows) if len(rows) > 1 else "Not measured yet.\n"


def killed_training(results):
    """Return a table of kills per system, and the number of unchanged trainings."""
    path = results / "killed_training.json"
    if not path.exists():
        return "Not measured yet.\n"
    found = read_result(path)
    rows = [["system", "kills"], *([name, n] for name, n in found["by_system"].items())]
    return (
        f"{found['trainings']} trainings were killed {found['kills']} times; {found['equal']} of "
        "them ended with exactly the same weights and losses as an uninterrupted training.\n\n"
        f"{list_table(rows)}"
    )


def fresh_install(results):
    """Return a table of the steps in a fresh environment and their results."""
    path = results / "fresh_install.json"
    if not path.exists():
        return "Not measured yet.\n"
    found = read_result(path)
    lengths = ", ".join(f"{seconds:g}" for seconds in found["lengths_s"])
    rows = [
        ["step", "result"],
        ["size of the wheel", f"{found['wheel_kB']} kB"],
        ["`skser predict` on two files", f"{found['predict_two_files_s']:.1f} s"],
        *(
            [f"{row['file']}, predicted by the included model", row["emotion"]]
            for row in found["predicted"]
        ),
        [
            "saved, and loaded in a new process: largest difference in probability",
            f"{found['new_process_difference']:.1e}",
        ],
        [
            f"ONNX without torch, files of {lengths} s: largest difference in probability",
            f"{found['onnx_difference']:.1e}",
        ],
    ]
    return list_table(rows)
