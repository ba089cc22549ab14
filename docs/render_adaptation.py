"""Tables of adaptation without labels."""

from render_results import TITLES, list_table
from stored_results import read_result, write_generated


def write_adaptation(docs):
    """Write the tables into ``generated/``."""
    path = docs.parent / "benchmarks/results/adaptation.json"
    for name, make in (
        ("prior_weights", prior_weights),
        ("emotions", emotions),
        ("network", network),
        ("speakers", speakers),
    ):
        write_generated(docs / f"generated/adaptation_{name}.rst", make, path)


def percent(scores):
    """Return a mean and its standard deviation in percent."""
    return f"{100 * scores['mean']:.1f} ± {100 * scores['sd']:.1f}"


def prior_weights(path):
    """Return the table of scores by number of recordings and prior weight."""
    if not path.exists():
        return "Not measured yet.\n"
    result = read_result(path)
    found = {(entry["n"], entry["prior_weight"]): entry for entry in result["prior_weights"]}
    numbers, weights = (list(dict.fromkeys(values)) for values in zip(*found, strict=True))
    rows = [["recordings", *(f"weight {weight}" for weight in weights)]]
    rows += [[n, *(percent(found[n, weight]) for weight in weights)] for n in numbers]
    unadapted = 100 * result["emotions"]["inductive"]["emodb"]
    return f"{list_table(rows)}\nWithout adaptation, UAR is {unadapted:.1f} %.\n"


def emotions(path):
    """Return the table of scores by emotion of the recordings."""
    if not path.exists():
        return "Not measured yet.\n"
    result = read_result(path)["emotions"]
    rows = [["recordings", "EmoDB, unheard speakers", "RAVDESS"]]
    rows.append(
        ["none", *(f"{100 * result['inductive'][name]:.1f}" for name in ("emodb", "ravdess"))]
    )
    for entry in result["choices"]:
        name = f"{result['n']} of {entry['emotion'] or 'all emotions'}"
        rows.append([name, percent(entry["emodb"]), percent(entry["ravdess"])])
    return list_table(rows)


def network(path):
    """Return the table of scores of a network by number of recordings."""
    if not path.exists():
        return "Not measured yet.\n"
    result = read_result(path)["network"]
    rows = [["recordings", "UAR"], ["none", f"{100 * result['inductive']:.1f}"]]
    rows += [[n, percent(scores)] for n, scores in result["adapted"].items()]
    return list_table([*rows, ["all", f"{100 * result['all']:.1f}"]])


def speakers(path):
    """Return the table of scores with adaptation to each speaker."""
    if not path.exists():
        return "Not measured yet.\n"
    result = read_result(path)
    rows = [["protocol", "UAR, inductive", "UAR, adapted to each speaker (transductive)"]]
    for name, found in result["per_speaker"].items():
        scores = [f"{100 * found[kind]:.1f}" for kind in ("inductive", "per_speaker")]
        rows.append([TITLES[name], *scores])
    return list_table(rows)
