"""Table of the clients of scikit-learn's interface, and how they fared."""

import json

from render_results import list_table


def write_clients(docs):
    """Write the table into ``generated/``."""
    results = json.loads((docs.parent / "benchmarks/results/clients.json").read_text())
    rows = [["library", "client", "given", "outcome"]]
    for result in results:
        library = f"{result['library']} {result['version']}"
        fared = result["outcome"] + (f". {result['instead']}" if "instead" in result else "")
        rows.append([library, result["client"], result["given"], fared])
    works = sum(result["outcome"] == "works" for result in results)
    text = f"{works} of {len(results)} work on what they are given.\n\n{list_table(rows)}"
    (docs / "generated" / "clients.rst").write_text(text)
