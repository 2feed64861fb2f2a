"""One execution of a recipe: its folder, log, checkpoints and clock."""

import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from udfs.errors import BadInput

CHECKPOINT = "checkpoint.pt"
CHECKPOINT_EVERY_S = 480


class Run:
    """A folder with `log.jsonl` and the newest checkpoint; says where to go on after a stop."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._saved_at = time.monotonic()

    def log(self, **facts: Any) -> None:
        """Appends one JSON line and shows it."""
        line = json.dumps({"time": time.strftime("%H:%M:%S"), **facts}, ensure_ascii=False)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        print(line, flush=True)

    def load_checkpoint(self, steps: int) -> dict[str, Any] | None:
        """The newest checkpoint of a run of so many steps; None if there is none.

        Raises: BadInput if it belongs to another recipe or other data.
        """
        path = self.folder / CHECKPOINT
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, weights_only=True)
        if state.get("steps") != steps:
            raise BadInput(
                f"{path} is of a run of {state.get('steps')} steps; this recipe and data make "
                f"{steps}. Use the recipe it was begun with, or another folder for --run."
            )
        return state

    def save_checkpoint(self, state: dict[str, Any], *, force: bool = False) -> None:
        """Saves when the last save is old enough, or when forced; the old one lives until then."""
        if not force and time.monotonic() - self._saved_at < CHECKPOINT_EVERY_S:
            return
        part = self.folder / (CHECKPOINT + ".part")
        torch.save(state, part)
        part.replace(self.folder / CHECKPOINT)
        self._saved_at = time.monotonic()


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
