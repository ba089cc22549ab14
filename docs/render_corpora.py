"""Table and sections of the corpora for which there is a loader."""

from render_results import list_table

from skser.datasets._registry import CORPORA, HARMONIZED


def write_corpora(docs):
    """Write the table and a section per corpus into ``generated/``."""
    sections = [_section(info) for info in CORPORA.values()]
    text = "\n".join((_table(), _common_names(), *sections))
    (docs / "generated/corpora.rst").write_text(text)


def _table():
    rows = [["corpus", "language", "speech", "utterances", "speakers", "download"]]
    for info in CORPORA.values():
        rows.append(
            [
                f"`{info.name} <{info.url}>`__",
                info.language,
                info.speech,
                f"{info.n_utterances:,}" if info.n_utterances else "depends on release",
                info.n_speakers or "many",
                f"``{info.fetcher}``" if info.fetcher else "from the publisher",
            ]
        )
    return list_table(rows)


def _common_names():
    rows = [["emotion", "common name", "corpora"]]
    for emotion, common in HARMONIZED.items():
        having = [info.name for info in CORPORA.values() if emotion in info.labels.values()]
        rows.append([emotion, common or "dropped", ", ".join(having)])
    return f"Common names\n------------\n\n{list_table(rows)}"


def _section(info):
    labels = ", ".join(f"``{code}`` {emotion}" for code, emotion in info.labels.items())
    facts = [f"**Loader**: :func:`skser.datasets.{info.loader}`", f"**Labels**: {labels}"]
    if info.emotions:
        counts = ", ".join(f"{emotion} {n:,}" for emotion, n in sorted(info.emotions.items()))
        facts.append(f"**Utterances**: {counts}")
    if info.dimension_range:
        low, high = info.dimension_range
        facts.append(f"**Valence, activation, dominance**: {low:g} to {high:g}")
    facts += [f"**License**: {info.license}", f"**Citation**: {info.citation}"]
    facts += info.notes
    listed = "".join(f"* {fact}\n" for fact in facts)
    return f"{info.name}\n{'-' * len(info.name)}\n\n{info.description}\n\n{listed}"
