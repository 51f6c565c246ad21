"""Settings of the site: `python -m sphinx -W docs docs/_build`."""

import configparser
import inspect
import os
import warnings
from importlib import import_module
from pathlib import Path

from docutils import nodes
from sphinx_gallery.sorting import ExplicitOrder

# Of the examples: small products are slower in several threads. Before NumPy is loaded.
for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(pool, "1")

import dbn

ROOT = Path(__file__).parent.parent
ROOMS = (
    *("dbn", "dbn.boltzmann", "dbn.feedforward", "dbn.training", "dbn.estimators"),
    *("dbn.datasets", "dbn.evaluation"),
)

metadata = configparser.ConfigParser()
metadata.read(ROOT / "setup.cfg", encoding="utf-8")
# Where the package is published. While it is empty, no page links there.
url = metadata["metadata"]["url"].strip()

project = "dbn"
author = copyright = "The dbn developers"
version = release = dbn.__version__
language = "en"

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "examples"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
highlight_language = "none"  # what has no language is what was printed
nitpicky = False  # types in docstrings are words

# --- reference ------------------------------------------------------------------------

default_role = "py:obj"
add_module_names = False
autodoc_typehints = "none"
# A class page is read for what can be called, and then for attributes.
autodoc_member_order = "groupwise"
# The list beside a page has no room for the name of the class before each method.
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False


def members_of_the_package(app, what, name, obj, skip, options):
    """What a class has from scikit-learn or Python is documented there."""
    owner = obj.fget if isinstance(obj, property) else obj
    module = str(getattr(owner, "__module__", None) or "")
    return True if module.startswith(("sklearn", "builtins")) else None


def public_names():
    """Documented objects by all paths under which they can be imported, and by name."""
    pages = {}
    for room in ROOMS:
        module = import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            known = next((p for v, p in pages.values() if v is value), None)
            page = known or f"reference/generated/{room}.{name}"
            pages[f"{room}.{name}"] = value, page
            if inspect.isclass(value) or inspect.isfunction(value):
                pages.setdefault(name, (value, page))
    return {name: page for name, (_, page) in pages.items()}


def link_public_names(app, doctree, page):
    """A public name in `code` leads to its page of the reference."""
    if app.builder.format != "html":
        return
    pages = public_names()
    for literal in list(doctree.findall(nodes.literal)):
        target = pages.get(literal.astext().removesuffix("()"))
        inside = literal.parent
        while inside is not None and not isinstance(
            inside, nodes.reference | nodes.title
        ):
            inside = inside.parent
        if target is None or target == page or inside is not None:
            continue
        uri = app.builder.get_relative_uri(page, target)
        link = nodes.reference("", "", internal=True, refuri=uri)
        literal.replace_self(link)
        link += literal


# --- examples -------------------------------------------------------------------------

ORDER = [
    *("plot_does_pretraining_help", "plot_starts_seen", "plot_loss_curves"),
    *("plot_starts_by_activation", "plot_few_labels", "plot_regression"),
    *("plot_what_an_rbm_learns", "plot_ising", "plot_sequences", "plot_anomalies"),
    *("plot_digits_by_class", "plot_autoencoder", "plot_signals", "plot_sparse_text"),
    "plot_memory_map",
]
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": ExplicitOrder([f"{name}.py" for name in ORDER]),
    "filename_pattern": "plot_",
    "backreferences_dir": "reference/backreferences",
    "doc_module": ("dbn",),
    "reference_url": {"dbn": None},
    "remove_config_comments": True,
    "show_memory": False,
    "parallel": True,  # as many as -j says
    "abort_on_example_error": True,
    "image_srcset": ["2x"],
    "matplotlib_animations": False,
}
warnings.filterwarnings("error", module="dbn")

# --- look -----------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "dbn"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_prev_next": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    # Results have tables of 140 characters, and examples wide pictures.
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        "index": [],
        "results": [],
        **{f"auto_examples/{name}": [] for name in ORDER},
    },
    "footer_start": ["copyright"],
    "footer_end": [],
    "icon_links": [{"name": "Source", "url": url, "icon": "fa-solid fa-code-branch"}]
    if url
    else [],
}
html_sidebars = {
    page: []
    for page in ("index", "getting-started", "results", "faq", "changelog", "design")
}


def setup(app):
    app.connect("autodoc-skip-member", members_of_the_package)
    app.connect("doctree-resolved", link_public_names)
