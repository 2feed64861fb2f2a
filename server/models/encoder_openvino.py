"""Runs the encoder on the CPU with OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov

from server.models.bert_graph import build_graph
from server.models.tokens import Batch


class OpenVinoBackend:
    """A compiled encoder with a few infer requests that work in parallel. One owner at a time."""

    name = "openvino"

    def __init__(
        self,
        config: Mapping[str, Any],
        tensors: Mapping[str, np.ndarray],
        threads: int | None = None,
        streams: int = 2,
    ) -> None:
        core = ov.Core()
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": 64,
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        self._compiled = core.compile_model(build_graph(config, tensors), "CPU", options)
        self._queue = ov.AsyncInferQueue(self._compiled, streams)
        self._queue.set_callback(_keep_answer)

    def run(self, batches: Sequence[Batch]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Logits (B, L) and pooled vectors (B, H) of each batch, float32, in order."""
        answers: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for number, batch in enumerate(batches):
            inputs = {"token_ids": batch.token_ids, "lengths": batch.lengths}
            self._queue.start_async(inputs, (answers, number))
        self._queue.wait_all()
        return [answers[number] for number in range(len(answers))]

    def close(self) -> None:
        """Frees the runtime's memory."""
        self._queue = None
        self._compiled = None


def _keep_answer(request: Any, place: tuple[dict[int, Any], int]) -> None:
    answers, number = place
    answers[number] = (
        request.get_tensor("logits").data.copy(),
        request.get_tensor("pooled").data.copy(),
    )
