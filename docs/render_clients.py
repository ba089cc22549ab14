"""Table of the compatibility tests with other libraries."""

import json

from render_results import list_table


def write_clients(docs):
    """Write the table into ``generated/``."""
    results = json.loads((docs.parent / "benchmarks/results/clients.json").read_text())
    rows = [["library", "class or function", "input", "result"]]
    for result in results:
        library = f"{result['library']} {result['version']}"
        outcome = result["outcome"] + (f". {result['instead']}" if "instead" in result else "")
        rows.append([library, result["client"], result["given"], outcome])
    works = sum(result["outcome"] == "works" for result in results)
    text = f"{works} of {len(results)} work with the given input.\n\n{list_table(rows)}"
    (docs / "generated" / "clients.rst").write_text(text)
