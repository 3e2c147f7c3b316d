"""Sphinx' settings for the site of the documents; `make docs` builds it into site/.

Sphinx with MyST and Furo, because all three are maintained: MkDocs 1 has had no release since
2024, its second version takes no plugins, and Material for MkDocs gets no new features. Sphinx
also checks every link between documents, keeps an inventory of every public name, and its search
runs in the browser.

The repository's root is the folder of sources, so that links between README.md, docs/ and results/
are the same here as on disk. What is made of the code lies in docs/site/pages, out of git.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from places import REPORT, ROOT, address

import depthjax

project = "depthjax"
author = "The depthjax developers"
copyright = "the depthjax developers, Apache-2.0"
version = release = depthjax.__version__
language = "en"

root_doc = "README"
include_patterns = [
    *("README.md", "RESULTS.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
    *("docs/*.md", "docs/site/pages/**.md", "colab/README.md"),
    *("results/*.md", "results/**/README.md"),
]
exclude_patterns = [
    *(".*", "runs", "site", "build", "dist", "*.egg-info"),
    *("depthjax", "experiments", "tests"),
]

extensions = [
    *("myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"),
    "extension",  # ours, beside this file
]
myst_heading_anchors = 4  # as GitHub names them
smartquotes_action = "qe"  # --flags keep their dashes
add_module_names = False
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Fields", "params_style")]
napoleon_use_rtype = False
python_maximum_signature_line_length = 80
pygments_style = "default"
pygments_dark_style = "github-dark"
copybutton_exclude = ".linenos, .gp"

html_theme = "furo"
html_title = "depthjax"
html_static_path = ["style"]
html_css_files = ["site.css"]
html_favicon = "style/icon.svg"
html_extra_path = [str(REPORT)]
html_copy_source = html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
if address():
    html_theme_options |= {"source_repository": address(), "source_branch": "main"}
    html_theme_options["source_directory"] = str(ROOT / "docs")
