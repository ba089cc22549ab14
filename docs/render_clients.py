"""Table of the compatibility tests with other libraries."""

from render_results import list_table
from stored_results import read_result, write_generated


def write_clients(docs):
    """Write the table into ``generated/``."""
    write_generated(docs / "generated/clients.rst", clients, docs)


def clients(docs):
    """Return the table of clients and outcomes."""
    results = read_result(docs.parent / "benchmarks/results/clients.json")["clients"]
    rows = [["library", "class or function", "input", "result"]]
    for result in results:
        library = f"{result['library']} {result['version']}"
        outcome = result["outcome"] + (f". {result['instead']}" if "instead" in result else "")
        rows.append([library, result["client"], result["given"], outcome])
    works = sum(result["outcome"] == "works" for result in results)
    return f"{works} of {len(results)} work with the given input.\n\n{list_table(rows)}"
