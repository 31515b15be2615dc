"""Configuration of Sphinx: ``make docs`` writes ``docs/_build``."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Importing Airflow writes a configuration file into its home.
_home = tempfile.mkdtemp(prefix="aporia-docs-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = _home

# The directory has an extension, and the package may not be installed.
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

project = "airflow-provider-aporia"
author = "The airflow-provider-aporia authors"
release = re.findall(r'__version__ = "(.*)"', (ROOT / "aporia_provider" / "__init__.py").read_text())[0]
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "metric_tables"]
exclude_patterns = ["_build", "examples"]
html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
# The docstrings say what each parameter takes; many annotations are names of other libraries.
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "exclude-members": "model_config"}

# Modules that are not in the reference. tests/test_docstring_references.py checks that they exist.
nitpick_ignore_regex = [
    (r"py:.*", r"aporia_provider\.(backend|columns|engine|lake|locations|monitoring|redaction)\..*"),
    (r"py:.*", r"aporia_provider\.(client|sdk)\..*"),
    (r"py:.*", r"airflow\..*"),
    (r"py:func", r"type_differences\..*"),
    (r"py:mod", r"logging"),
]
