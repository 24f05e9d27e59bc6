"""What importing the package costs and names."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import sls_plugins

PROBE = """
import sys
import sls_plugins
print(*sorted(name.partition(".")[0] for name in sys.modules))
"""


def test_importing_the_package_loads_none_of_the_heavy_libraries():
    """`import sls_plugins` reads no framework, no model library and no database."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    heavy = {
        "chromadb", "langchain_core", "llama_index", "numpy", "onnxruntime", "pydantic", "scipy",
        "sentence_transformers", "sklearn", "sqlalchemy", "tiktoken", "tokenizers", "torch",
    }  # fmt: skip
    assert heavy.isdisjoint(done.stdout.split())


def test_every_public_name_can_be_imported_and_is_known_to_type_checkers():
    """The lazy names of the package are those of its stub."""
    stub = Path(sls_plugins.__file__).with_suffix(".pyi").read_text()
    typed = {
        alias.name
        for node in ast.parse(stub).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    lazy = set(sls_plugins.__all__) - {"__version__"}
    assert lazy == typed
    assert len(lazy) <= 30
    for name in lazy:
        assert getattr(sls_plugins, name) is not None
