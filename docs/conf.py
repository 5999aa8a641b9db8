"""Settings of the site: `python -m sphinx -W -b html docs BUILD`."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

# Examples run on the synthetic corpus and the machine's processor, whatever is around.
os.environ.setdefault("SKLEARN_SER_DATA", str(HERE / "_build" / "no_corpora"))
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from sklearn_ser import __version__  # noqa: E402  after the environment it reads

project = "sklearn-ser"
author = "the sklearn-ser developers"
copyright = f"2026, {author}"
version = release = __version__
# Where the site is published, for its canonical links; nothing else depends on it.
html_baseurl = os.environ.get("SKLEARN_SER_SITE", "")

extensions = [
    "command_line",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples", "**/README.rst"]
templates_path = ["_templates"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
root_doc = "index"
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = True
numpydoc_show_inherited_class_members = False
numpydoc_class_members_toctree = False
default_role = "code"

# Links to other projects come from their inventories. They need a network, so they are off unless
# asked for: a build without one must pass.
intersphinx_mapping = (
    {
        "librosa": ("https://librosa.org/doc/latest", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }
    if os.environ.get("SKLEARN_SER_INTERSPHINX")
    else {}
)

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_.*\.py",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "doc_module": ("sklearn_ser",),
    "backreferences_dir": None,
    "download_all_examples": False,
    "min_reported_time": 1,
}

html_theme = "pydata_sphinx_theme"
html_title = "sklearn-ser"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {page: [] for page in ("index", "getting_started", "coming_from", "faq")}


def skip_requests(app, what, name, member, skip, options) -> bool | None:
    """Leave out scikit-learn's `set_fit_request` and its like, which refer to its own pages."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def setup(app) -> None:
    """Register what is above with Sphinx."""
    app.connect("autodoc-skip-member", skip_requests)
