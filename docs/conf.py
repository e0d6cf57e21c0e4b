"""How Sphinx makes the site of these pages: ``./dev docs``."""

import sys
from pathlib import Path

import backpropc

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "extensions"))

project = "backpropc"
author = "The backpropc developers"
project_copyright = author
version = release = backpropc.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "definition_tables",
    "plot",
]
# Decisions are for those who change the code, and read where they stand.
exclude_patterns = ["decisions", "extensions", "style"]
nitpicky = True
# numpydoc takes the words of "array_like, shape (n, fan_in)" for names of types; only roles are links here.
numpydoc_xref_param_type = False
numpydoc_show_class_members = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"

myst_enable_extensions = ["colon_fence", "dollarmath", "fieldlist"]
myst_heading_anchors = 3

copybutton_exclude = ".linenos, .gp, .go"

html_theme = "pydata_sphinx_theme"
html_title = f"backpropc {release}"
html_static_path = ["style"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"index": [], "tutorial": []}  # which have no section to lead through
html_theme_options = {
    "navigation_with_keys": True,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "show_nav_level": 2,
}
