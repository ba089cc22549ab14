"""Drawing and table of the imports between the subpackages of skser."""

import ast
import itertools
import textwrap
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path as Curve
from render_results import list_table

WIDTH, HEIGHT = 2.02, 1.16  # of a box, in inches
LANE = 0.3  # room for an arrow that passes a layer
LAYER = 1.7  # distance between the centers of layers
FIGURE_WIDTH = 11.6
COLORS = ("#dfe7f1", "#e3efe2", "#fbf3d4", "#fbe3c8", "#f3dbe4", "#e4e0f0", "#e4e4e4")


def draw_architecture(docs):
    """Write the drawing and the table into ``generated/``."""
    target = docs / "generated"
    target.mkdir(exist_ok=True)
    summaries, imports = read_imports(docs.parent / "skser")
    figure = draw(summaries, imports)
    figure.savefig(target / "architecture.svg", metadata={"Date": None})
    plt.close(figure)
    order = [name for layer in by_layer(imports) for name in layer]
    rows = [["subpackage", "contents", "imports"]]
    rows += [
        [f"``{name}``", summaries[name], ", ".join(sorted(imports[name])) or "—"] for name in order
    ]
    (target / "architecture.rst").write_text(list_table(rows))


def read_imports(package):
    """Return the summary of each public subpackage and the set of those that it imports."""
    sources = {
        path.stem: [path] if path.is_file() else sorted(path.rglob("*.py"))
        for path in sorted(package.iterdir())
        if path.suffix in ("", ".py") and path.stem[0] != "_"
    }
    summaries, imports = {}, {}
    for name, files in sources.items():
        trees = [ast.parse(file.read_text()) for file in files]
        summaries[name] = ast.get_docstring(trees[0]).partition("\n")[0]
        modules = itertools.chain.from_iterable(map(imported_modules, trees))
        imports[name] = {module.split(".")[1] for module in modules} & set(sources) - {name}
    return summaries, imports


def imported_modules(tree):
    """Yield the full name of everything that is imported from skser, at any level of nesting."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.startswith("skser."))


def without_detours(imports):
    """Return the imports that do not also follow from a chain of others."""
    reached = {}
    for name in itertools.chain.from_iterable(by_depth(imports)):
        reached[name] = imports[name].union(*(reached[other] for other in imports[name]))
    return {
        name: {
            other
            for other in others
            if not any(other in reached[between] for between in others - {other})
        }
        for name, others in imports.items()
    }


def by_depth(imports):
    """Return lists of names, each importing only from the lists before it."""
    layers, placed = [], set()
    while len(placed) < len(imports):
        ready = [n for n, others in imports.items() if n not in placed and others <= placed]
        if not ready:
            raise ValueError(f"The imports are circular: {sorted(set(imports) - placed)}.")
        layers.append(ready)
        placed.update(ready)
    return layers


def by_layer(imports):
    """Return lists of names from top to bottom, placed so that arrows are short."""
    edges = without_detours(imports)
    depth = {name: i for i, layer in enumerate(by_depth(imports)) for name in layer}
    for _ in depth:
        for name in depth:
            users = [depth[user] for user, others in edges.items() if name in others]
            # A name with more users than imports moves down to them.
            if len(users) > len(edges[name]):
                depth[name] = min(users) - 1
    layers = [[] for _ in range(1 + max(depth.values()))]
    for name in depth:
        layers[depth[name]].append(name)
    return layers


def with_lanes(layers, edges):
    """Return layers with a lane wherever an arrow passes one, and the places of each arrow."""
    depth = {name: i for i, layer in enumerate(layers) for name in layer}
    layers, routes = [list(layer) for layer in layers], []
    for name, others in edges.items():
        for other in sorted(others):
            between = range(depth[name] - 1, depth[other], -1)
            lanes = [(name, other, i) for i in between]
            for lane, i in zip(lanes, between, strict=True):
                layers[i].append(lane)
            routes.append((name, *lanes, other))
    return layers, routes


def positions(layers):
    """Return the horizontal center of each place, in inches."""
    centers = {}
    for layer in layers:
        widths = [WIDTH if isinstance(place, str) else LANE for place in layer]
        gap = min(0.8, (FIGURE_WIDTH - 0.2 - sum(widths)) / max(1, len(layer) - 1))
        left = (FIGURE_WIDTH - sum(widths) - gap * (len(layer) - 1)) / 2
        for place, width in zip(layer, widths, strict=True):
            centers[place] = left + width / 2
            left += width + gap
    return centers


def length(layers, routes):
    """Return a cost of the arrows: their horizontal extent and, above all, their crossings."""
    centers = positions(layers)
    depth = {place: i for i, layer in enumerate(layers) for place in layer}
    steps = [pair for route in routes for pair in itertools.pairwise(route)]
    cost = sum(abs(centers[one] - centers[other]) for one, other in steps)
    for (a, b), (c, d) in itertools.combinations(steps, 2):
        if depth[a] == depth[c]:
            cost += 3 * ((centers[a] - centers[c]) * (centers[b] - centers[d]) < 0)
    return cost


def untangle(layers, routes, n_starts=8):
    """Return the layers in the best order that swaps of places lead to, from several starts."""
    random, results = np.random.RandomState(0), []
    for _ in range(n_starts):
        order = [[layer[i] for i in random.permutation(len(layer))] for layer in layers]
        best, improved = length(order, routes), True
        while improved:
            improved = False
            for layer in order:
                for i, j in itertools.combinations(range(len(layer)), 2):
                    layer[i], layer[j] = layer[j], layer[i]
                    cost = length(order, routes)
                    if cost < best - 1e-9:
                        best, improved = cost, True
                    else:
                        layer[i], layer[j] = layer[j], layer[i]
        results.append((best, order))
    return min(results, key=lambda result: result[0])[1]


def ends(routes, centers):
    """Return where each arrow starts and ends, spread along the sides of the boxes."""
    shifts = {}
    for side, neighbor in ((0, 1), (-1, -2)):
        by_name = sorted(routes, key=lambda route: (route[side], centers[route[neighbor]]))
        for _, group in itertools.groupby(by_name, key=lambda route: route[side]):
            group = list(group)
            for i, route in enumerate(group):
                step = min(0.35, 0.8 * WIDTH / len(group))
                shifts[route, side] = (i - (len(group) - 1) / 2) * step
    return {
        route: (centers[route[0]] + shifts[route, 0], centers[route[-1]] + shifts[route, -1])
        for route in routes
    }


def draw(summaries, imports):
    """Return a figure with a box for each subpackage and arrows to those that it imports."""
    edges = without_detours(imports)
    layers, routes = with_lanes(by_layer(imports), edges)
    layers = untangle(layers, routes)
    centers = positions(layers)
    height = LAYER * len(layers)
    y = {place: height - LAYER * (i + 0.5) for i, layer in enumerate(layers) for place in layer}
    figure, ax = plt.subplots(figsize=(FIGURE_WIDTH, height))
    figure.subplots_adjust(0, 0, 1, 1)
    ax.set(xlim=(0, FIGURE_WIDTH), ylim=(0, height))
    ax.axis("off")
    sides = ends(routes, centers)
    for route in routes:
        start, end = sides[route]
        lanes = [
            (centers[lane], y[lane] + side * HEIGHT / 2) for lane in route[1:-1] for side in (-1, 1)
        ]
        below, above = y[route[0]] + HEIGHT / 2, y[route[-1]] - HEIGHT / 2
        arrow(ax, [(start, below), *lanes, (end, above)])
    for i, layer in enumerate(layers):
        for name in layer:
            if isinstance(name, str):
                box(ax, centers[name], y[name], name, summaries[name], COLORS[i % len(COLORS)])
    return figure


def box(ax, x, y, name, summary, color):
    """Draw a box with a name and its summary."""
    ax.add_patch(
        FancyBboxPatch(
            (x - WIDTH / 2, y - HEIGHT / 2), WIDTH, HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.08", facecolor=color, edgecolor="#555555",
        )
    )  # fmt: skip
    lines = textwrap.wrap(summary.replace("``", ""), 28, max_lines=4, placeholder=" …")
    ax.text(x, y + 0.38, name, ha="center", va="center", fontsize=12, weight="bold")
    ax.text(x, y - 0.12, "\n".join(lines), ha="center", va="center", fontsize=9.2, linespacing=1.15)


def arrow(ax, points):
    """Draw a smooth arrow upwards through points."""
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (xa, ya), (xb, yb) in itertools.pairwise(points):
        middle = (ya + yb) / 2
        vertices += [(xa, middle), (xb, middle), (xb, yb)]
        codes += [Curve.CURVE4] * 3
    ax.add_patch(PathPatch(Curve(vertices, codes), fill=False, edgecolor="#555555", zorder=0))
    x, y = points[-1]
    tip = FancyArrowPatch(
        (x, y - 0.1), (x, y), arrowstyle="-|>", mutation_scale=11, shrinkA=0, shrinkB=0,
        color="#555555",
    )  # fmt: skip
    ax.add_patch(tip)


if __name__ == "__main__":
    draw_architecture(Path(__file__).parent)
