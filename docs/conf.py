import os
import sys
from pathlib import Path

import matplotlib

import skser

project = "skser"
author = "the skser developers"
copyright = "2026, the skser developers"
release = version = skser.__version__

extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx-mathjax-offline",
    "sphinx.ext.viewcode",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
templates_path = ["_templates"]
exclude_patterns = ["_build", "generated/*/sg_execution_times.rst"]
html_theme = "pydata_sphinx_theme"
html_title = "skser"
html_theme_options = {"navigation_with_keys": False, "show_toc_level": 2}
html_show_sourcelink = False
default_role = "code"

matplotlib.use("Agg")
os.environ.pop("SKSER_DATA", None)  # tutorials must not depend on corpora of this machine
os.environ.pop("SKSER_MODELS", None)
os.environ["OMP_NUM_THREADS"] = "1"
sphinx_gallery_conf = {
    "examples_dirs": ["../examples/tutorials", "../examples/gallery"],
    "gallery_dirs": ["generated/tutorials", "generated/gallery"],
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skser",),
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "copyfile_regex": r"",
    "capture_repr": ("_repr_html_",),
    "plot_gallery": True,
}

sys.path.insert(0, str(Path(__file__).parent))
from draw_architecture import draw_architecture  # noqa: E402
from draw_features import draw_features  # noqa: E402
from draw_systems import draw_systems  # noqa: E402
from render_adaptation import write_adaptation  # noqa: E402
from render_adversarial import write_adversarial_tables  # noqa: E402
from render_clients import write_clients  # noqa: E402
from render_corpora import write_corpora  # noqa: E402
from render_descriptors import write_descriptors  # noqa: E402
from render_front import write_front  # noqa: E402
from render_leaderboard import write_leaderboard  # noqa: E402
from render_onnx import write_onnx_table  # noqa: E402
from render_pretrained import write_pretrained_tables  # noqa: E402
from render_reliability import write_reliability  # noqa: E402
from render_results import write_tables  # noqa: E402
from render_robustness import write_robustness  # noqa: E402
from render_scale import write_scale_tables  # noqa: E402
from render_service import write_service_tables  # noqa: E402
from render_shared_speakers import write_shared_speakers  # noqa: E402
from render_stream import write_stream_table  # noqa: E402

HERE = Path(__file__).parent
write_tables(HERE)
write_adaptation(HERE)
write_adversarial_tables(HERE)
write_clients(HERE)
write_corpora(HERE)
write_descriptors(HERE)
write_front(HERE)
write_leaderboard(HERE)
write_onnx_table(HERE)
write_pretrained_tables(HERE)
draw_architecture(HERE)
autosummary_context = {"pictures": draw_features(HERE)}
draw_systems(HERE)
write_reliability(HERE)
write_robustness(HERE)
write_scale_tables(HERE)
write_service_tables(HERE)
write_shared_speakers(HERE)
write_stream_table(HERE)
