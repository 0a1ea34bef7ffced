"""In which interpreter this is."""

from __future__ import annotations

import importlib
from typing import Any


def require_main_interpreter() -> None:
    """Raises ImportError in a sub-interpreter: threads of the engine would call Python in the wrong one."""
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            module: Any = importlib.import_module(name)
        except ImportError:
            continue
        if module.get_current() != module.get_main():
            raise ImportError("chaos_handler is for the main interpreter; subinterpreters are not supported")
        return
