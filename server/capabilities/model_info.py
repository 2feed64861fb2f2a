"""MODEL_INFO: the models of this installation, from their cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from server.capabilities.base import Capability, Outcome
from server.model_facts import all_models, details, find, summary
from server.settings import Settings
from udfs.catalogue_deciding import MODEL_INFO
from udfs.errors import NotReady, ShopsheetError

RETRY_S = 2.0
MODELS = "models"  # what `resolve` adds to the arguments
LOADED = "loaded"  # what the engine does


class ModelInfo(Capability):
    """A table of all models, or all that is known of one. Nothing is stored: models change."""

    name = stored_as = "model_info"
    model = "decisions"
    needs_models = True

    def resolve(self, args: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
        loading = [entry["name"] for entry in args[LOADED] if entry["state"] == "loading"]
        if loading:
            raise NotReady(
                f"The model {', '.join(loading)} is loading. Try again in a few seconds.", RETRY_S
            )
        return {**args, MODELS: all_models(args[LOADED], settings)}

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        return []

    def run(self, model: Any, items: Sequence[str]) -> list[bytes | ShopsheetError]:
        raise AssertionError("there is nothing to compute")

    def is_intact(self, model: Any, stored: bytes) -> bool:
        return False

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        models = args[MODELS]
        name = args["model"]
        rows = [summary(one) for one in models] if name is None else details(find(models, name))
        return [list(MODEL_INFO.columns(args)), *rows]
