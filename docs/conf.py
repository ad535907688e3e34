"""The documentation as a site: `make docs` writes it to docs/_build/html, and any warning is an error."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from swarm import __version__

project = "Swarm"
author = "the Swarm authors"
copyright = author
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Swarm {__version__}"
html_show_sphinx = False
html_theme_options = {"source_repository": "", "navigation_with_keys": True}
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

PARAMETER = re.compile(r"(\w+(?:, \w+)*): (.+)")


def as_fields(app, what, name, obj, options, lines):  # type: ignore[no-untyped-def]
    """Our docstrings say "name: what it is"; Sphinx wants a field list."""
    found, inside = [], False
    for line in lines:
        if match := PARAMETER.fullmatch(line):
            found += [] if inside or not found else [""]
            found.append(f":param {match[1]}: {match[2]}")
            inside = True
        elif inside and line.strip():
            found.append(f"    {line.strip()}")
        else:
            found.append(line)
            inside = False
    lines[:] = found


def setup(app):  # type: ignore[no-untyped-def]
    app.connect("autodoc-process-docstring", as_fields)
