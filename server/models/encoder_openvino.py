"""Runs the encoder on the CPU with OpenVINO."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov

from server.models.bert_graph import build_graph
from server.models.tokens import Batch


class OpenVinoBackend:
    """A compiled encoder with a few infer requests that work in parallel. One owner at a time.

    No AsyncInferQueue: its callbacks run in threads of the runtime that need Python's lock, and
    freeing the queue holds that lock while it waits for them. On a busy machine that never ends.
    """

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
        self._requests = [self._compiled.create_infer_request() for _ in range(streams)]

    def run(self, batches: Sequence[Batch]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Logits (B, L) and pooled vectors (B, H) of each batch, float32, in order."""
        answers: list[tuple[np.ndarray, np.ndarray]] = []
        waiting: deque[Any] = deque()
        try:
            for number, batch in enumerate(batches):
                if len(waiting) == len(self._requests):
                    answers.append(_answer(waiting.popleft()))
                request = self._requests[number % len(self._requests)]
                request.start_async({"token_ids": batch.token_ids, "lengths": batch.lengths})
                waiting.append(request)
            while waiting:
                answers.append(_answer(waiting.popleft()))
        finally:
            for request in waiting:  # after an error: a request must not be left running
                request.wait()
        return answers

    def close(self) -> None:
        """Frees the runtime's memory."""
        self._requests = []
        self._compiled = None


def _answer(request: Any) -> tuple[np.ndarray, np.ndarray]:
    request.wait()
    return (
        request.get_tensor("logits").data.copy(),
        request.get_tensor("pooled").data.copy(),
    )
