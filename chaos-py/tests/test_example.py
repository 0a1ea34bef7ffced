"""The example that README shows: it runs, two type checkers accept it, and README has it letter by letter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
EXAMPLE = HERE / "example.py"


def test_it_runs() -> None:
    ran = subprocess.run([sys.executable, EXAMPLE], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"^A runaway process saturates the CPU, \d\d% sure$", ran.stdout, re.MULTILINE)
    assert "to do, and not done: kill -TERM 869 (needs_approval)" in ran.stdout
    assert re.search(r"CPU: \d+% in the middle, 100% at most", ran.stdout)


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "chaos-py" / "README.md"], ids=["project", "package"])
def test_readme_shows_it(path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL)
    assert EXAMPLE.read_text() in blocks


def test_mypy_accepts_package_tests_and_example() -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "python/chaos_handler", "tests"]
    ran = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_pyright_accepts_package_and_example() -> None:
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "python/chaos_handler", str(EXAMPLE)]
    ran = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_help_shows_documentation() -> None:
    import chaos_handler as ch

    undocumented = [name for name in ch.__all__ if not (getattr(ch, name).__doc__ or "").strip()]
    assert undocumented == []
    for cls in (ch.Pipeline, ch.Run, ch.Incident, ch.Host, ch.Context, ch.MetricSeries, ch.LogStream, ch.Observation):
        bare = [
            name
            for name, member in vars(cls).items()
            if not name.startswith("_") and not getattr(member, "__doc__", None)
        ]
        assert bare == [], cls
