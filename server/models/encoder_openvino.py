"""Runs the encoder on the CPU with OpenVINO, in the arithmetic that suits the CPU.

Measured with the encoder's shape (6 layers, hidden 384; CPU seconds per 1,000 texts of 55 tokens;
older CPUs imitated by oneDNN's ISA limit on the same machine; int8 while every product was rounded,
now it takes about a quarter longer and flips fewer labels):

    CPU has              f32    int8   bf16
    AMX                  8.2    2.3    2.4     bf16: no label flips, int8: 0.7 %
    AVX-512 with VNNI    8.6    3.5    -
    AVX2 with VNNI      11.0    5.8    -
    AVX-512, no VNNI     8.6    6.1    -       int8 sums overflow: 1.7 % of labels flip
    AVX2, no VNNI       10.8   15.0    -       the same
"""

from __future__ import annotations

import os
import platform
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from server.models.bert_graph import build_graph
from server.models.quantise import Int8Linear
from server.models.tokens import Batch
from udfs.errors import ModelFailed

MOST_STREAMS = 4

# Logits (B, L), embeddings (B, E), and token outputs (B, T, K) or None.
Answer = tuple[np.ndarray, np.ndarray, np.ndarray | None]


class OpenVinoBackend:
    """A compiled encoder with a few infer requests that work in parallel. One owner at a time.

    `tables` are the int8 ranges made by `calibrate`, or empty. precision None picks what is fast
    and exact enough on this CPU.
    """

    name = "openvino"

    def __init__(
        self,
        config: Mapping[str, Any],
        tensors: Mapping[str, np.ndarray],
        tables: Mapping[str, np.ndarray],
        threads: int | None = None,
        precision: str | None = None,
    ) -> None:
        self.precision = precision or best_precision(bool(tables))
        if self.precision == "int8" and not tables:
            raise ModelFailed(
                "This model has no int8 ranges. Calibrate it first (server.models.calibrate), "
                'or choose precision "f32".'
            )
        streams = min(MOST_STREAMS, threads or _usable_cores())
        options = _options("bf16" if self.precision == "bf16" else "f32")
        options |= {"NUM_STREAMS": streams}
        if threads:  # Else one per physical core, which the runtime counts better than Python.
            options |= {"INFERENCE_NUM_THREADS": threads}
        linear = Int8Linear(tables) if self.precision == "int8" else None
        model = build_graph(config, tensors, linear)
        self._outputs = [output.any_name for output in model.outputs]
        compiled = ov.Core().compile_model(model, "CPU", options)
        self._requests = [compiled.create_infer_request() for _ in range(streams)]

    def run(self, batches: Sequence[Batch]) -> list[Answer]:
        """Logits, embeddings and token outputs of each batch, float32, in order."""
        # No callbacks (nor AsyncInferQueue): a runtime thread that still wants Python's lock while
        # the model is freed under that lock waits for ever.
        answers: list[Answer] = []
        working: deque[Any] = deque()
        try:
            for number, batch in enumerate(batches):
                if len(working) == len(self._requests):
                    answers.append(self._finished(working.popleft()))
                request = self._requests[number % len(self._requests)]
                request.start_async({"token_ids": batch.token_ids, "lengths": batch.lengths})
                working.append(request)
            while working:
                answers.append(self._finished(working.popleft()))
        finally:
            for request in working:  # After an error: a request that works cannot be started again.
                request.cancel()
        return answers

    def _finished(self, request: Any) -> Answer:
        request.wait()
        logits, embedding, *tokens = (request.get_tensor(n).data.copy() for n in self._outputs)
        return logits, embedding, tokens[0] if tokens else None

    def close(self) -> None:
        """Frees the runtime's memory."""
        self._requests = []


@cache
def best_precision(has_tables: bool) -> str:
    """The fastest arithmetic whose answers stay close to float32 on this CPU."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return "f32"
    if multiplies_bf16_in_tiles():
        return "bf16"
    return "int8" if has_tables and adds_int8_exactly() else "f32"


@cache
def multiplies_bf16_in_tiles() -> bool:
    """Whether a bfloat16 matrix product runs on AMX here: asked of the runtime by doing one."""
    core = ov.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return False
    x = ops.parameter([-1, 64], ov.Type.f32)
    product = ops.matmul(x, ops.constant(np.ones((64, 64), dtype=np.float32)), False, True)
    options = {**_options("bf16"), "PERF_COUNT": True}
    request = core.compile_model(ov.Model([product], [x]), "CPU", options).create_infer_request()
    request.infer({0: np.ones((16, 64), dtype=np.float32)})
    return any("amx" in step.exec_type for step in request.profiling_info)


@cache
def adds_int8_exactly() -> bool:
    """Whether int8 sums are right here: CPUs without VNNI add pairs in 16 bits, and overflow."""
    width = 64
    x = ops.parameter([-1, width], ov.Type.f32)
    lo, hi = np.float32(0), np.float32(255)
    weight = ops.multiply(
        ops.convert(ops.constant(np.full((width, width), 127, dtype=np.int8)), "f32"),
        ops.constant(np.ones((width, 1), dtype=np.float32)),
    )
    product = ops.matmul(ops.fake_quantize(x, lo, hi, lo, hi, 256), weight, False, True)
    compiled = ov.Core().compile_model(ov.Model([product], [x]), "CPU", _options("f32"))
    answer = compiled.create_infer_request().infer({0: np.full((4, width), hi)})
    return bool(np.all(answer[0] == 255 * 127 * width))


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _options(precision: str) -> dict[str, Any]:
    # Pinning would bind the caller's own thread to one core, also after the call.
    # Kept kernels take memory: with 64 the server is 15 MB smaller than with the default, as fast.
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": 64,
    }
