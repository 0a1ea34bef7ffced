"""What the tests share: where the recorded incidents are, and a Python of its own for what ends one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "incidents"


@pytest.fixture
def recorded() -> Path:
    """A recorded incident: a busy CPU."""
    return EXAMPLES / "cpu_spike"


@pytest.fixture
def examples() -> Path:
    """All recorded incidents."""
    return EXAMPLES


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a program in a Python of its own."""

    def start(text: str, **environment: str) -> "subprocess.Popen[str]":
        file = tmp_path / "program.py"
        file.write_text(text)
        return subprocess.Popen(
            [sys.executable, str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "EXAMPLES": str(EXAMPLES), **environment},
        )

    return start
