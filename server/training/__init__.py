"""Trains and evaluates the models; needs the `train` extra."""

import importlib.util

from udfs.errors import ModelFailed


def needs_torch() -> None:
    """Raises: ModelFailed, with what to install, when the `train` extra is not there."""
    missing = [n for n in ("torch", "transformers", "pandas") if not importlib.util.find_spec(n)]
    if missing:
        raise ModelFailed(
            f"Training needs {', '.join(missing)}. Install with: "
            'pip install -c requirements.lock -e ".[train]"'
        )
