import sys
from pathlib import Path

import skser

project = "skser"
author = "the skser developers"
copyright = "2026, the skser developers"
release = version = skser.__version__

extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
templates_path = ["_templates"]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_title = "skser"
default_role = "code"

sys.path.insert(0, str(Path(__file__).parent))
from render_adversarial import write_adversarial_tables  # noqa: E402
from render_leaderboard import write_leaderboard  # noqa: E402
from render_pretrained import write_pretrained_tables  # noqa: E402
from render_results import write_tables  # noqa: E402

write_tables(Path(__file__).parent)
write_adversarial_tables(Path(__file__).parent)
write_pretrained_tables(Path(__file__).parent)
write_leaderboard(Path(__file__).parent)
