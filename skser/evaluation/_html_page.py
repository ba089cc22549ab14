"""HTML page of a report, which needs no other file."""

import base64
import io

import numpy as np

from skser._optional import import_optional
from skser.audio import read_utterance

_RATE = 16000  # of the sound in the players, in Hz

TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{{ title }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c1c1c; background: #fff; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: 0.25rem 0.8rem; text-align: left; border-bottom: 1px solid #e4e4e4; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; }
figcaption { color: #555; } pre { white-space: pre-wrap;
  overflow-wrap: anywhere; background: #f5f5f5; padding: 0.8rem; }
.warn { border-left: 4px solid #c33; padding-left: 0.8rem; } audio { height: 2rem; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>{{ abstract }}</p>
{% for section in sections %}
<h2>{{ section.title }}</h2>
{% for paragraph in section.paragraphs %}<p{% if section.warn %} class="warn"{% endif %}>
{{- paragraph }}</p>{% endfor %}
{% for picture in section.pictures %}
<figure><img src="{{ picture.source }}" alt="{{ picture.caption }}">
<figcaption>{{ picture.caption }}</figcaption></figure>
{% endfor %}
{% for table in section.tables %}
<table>
<thead><tr>{% for name in table.columns %}<th>{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in table.rows %}<tr>{% for cell in row %}
<td{% if cell.number %} class="number"{% endif %}>
{%- if cell.audio %}<audio controls preload="metadata" src="{{ cell.audio }}"></audio>
{%- else %}{{ cell.text }}{% endif %}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>
{% endfor %}
{% if section.text %}<pre>{{ section.text }}</pre>{% endif %}
{% endfor %}
</body>
</html>
"""


def cell(value):
    """Format a value for a cell of a table; numbers are aligned to the right."""
    if isinstance(value, float | np.floating):
        return {"text": "–" if np.isnan(value) else f"{value:.1f}", "number": True}
    return {"text": str(value), "number": isinstance(value, int | np.integer)}


def table(frame):
    """Format a DataFrame for the template."""
    rows = [[cell(value) for value in row] for row in frame.itertuples(index=False)]
    return {"columns": list(frame.columns), "rows": rows}


def picture(drawn, caption):
    """Return a figure, or that of a display, as SVG in a data URI, and close it."""
    plt = import_optional("matplotlib.pyplot", extra="report", purpose="A report")
    figure = getattr(drawn, "figure_", drawn)
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    plt.close(figure)
    return {"source": _data_uri("image/svg+xml", file.getvalue()), "caption": caption}


def sound(corpus, item, i):
    """Return an utterance of a corpus as an MP3 file in a data URI."""
    import soundfile

    samples = read_utterance(item, i, corpus.sampling_rate, _RATE)
    file = io.BytesIO()
    # The MP3 encoder clips samples beyond 1.
    samples = samples / max(float(np.abs(samples).max()), 1.0)
    soundfile.write(file, samples, _RATE, format="MP3", subtype="MPEG_LAYER_III")
    return _data_uri("audio/mpeg", file.getvalue())


def _data_uri(kind, content):
    """Return bytes as a data URI, which needs no other file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
