"""The notebooks run from top to bottom, in a kernel of this Python."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

nbclient: Any = importlib.import_module("nbclient")
nbformat: Any = importlib.import_module("nbformat")

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples" / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") for cell in notebook.cells), "outputs are not committed"
    place = {"metadata": {"path": str(path.parent)}}
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place)
    client.execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert shown and not [output for output in shown if output["output_type"] == "error"]
    if path.stem == "write-a-detector":
        # A run shows its course while it goes on.
        assert [output for output in shown if output["output_type"] == "display_data"]
