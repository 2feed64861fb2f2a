"""AdamW on fp32 master weights, with the forward and backward pass in bf16.

On the CPUs with AMX or AVX512-BF16, and on GPUs, bf16 weights halve the memory traffic and skip
autocast's casts; the masters keep the small updates that bf16 would round away (Micikevicius et
al. 2018, section 3.1, there for fp16).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up to 1, then cosine decay to `floor`, as a factor on each learning rate."""

    steps: int
    warmup: int
    floor: float = 0.02

    def factor(self, step: int) -> float:
        if step < self.warmup:
            return (step + 1) / self.warmup
        progress = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * progress))


class MasterWeightAdamW:
    """Updates a bf16 model through fp32 copies of its weights; keeps a moving average of them."""

    def __init__(
        self,
        groups: Iterable[tuple[list[nn.Parameter], float, float]],
        *,
        clip_norm: float = 1.0,
        average_decay: float = 0.0,
    ) -> None:
        """`groups` holds (parameters, learning rate, weight decay)."""
        self._working: list[Tensor] = []
        self._masters: list[Tensor] = []
        param_groups = []
        for parameters, lr, weight_decay in groups:
            masters = [p.detach().float().clone() for p in parameters]
            self._working.extend(parameters)
            self._masters.extend(masters)
            param_groups.append(
                {"params": masters, "lr": lr, "base_lr": lr, "weight_decay": weight_decay}
            )
        self._adamw = torch.optim.AdamW(param_groups, betas=(0.9, 0.98), eps=1e-6, fused=True)
        self._clip_norm = clip_norm
        self._average_decay = average_decay
        self._average = [m.clone() for m in self._masters] if average_decay else []
        self._updates = 0

    def step(self, factor: float) -> float:
        """Applies the gradients on the working weights, clears them; returns their norm."""
        for group in self._adamw.param_groups:
            group["lr"] = group["base_lr"] * factor
        norms = []
        for working, master in zip(self._working, self._masters, strict=True):
            master.grad = None if working.grad is None else working.grad.float()
            working.grad = None
            if master.grad is not None:
                norms.append(master.grad.norm())
        norm = torch.stack(norms).norm()
        if norm > self._clip_norm:
            scale = self._clip_norm / (norm + 1e-6)
            torch._foreach_mul_([m.grad for m in self._masters if m.grad is not None], scale)
        self._adamw.step()
        self._updates += 1
        with torch.no_grad():
            torch._foreach_copy_(self._working, self._masters)
            if self._average and self._updates % 8 == 0:
                decay = min(self._average_decay, (1 + self._updates) / (80 + self._updates))
                torch._foreach_lerp_(self._average, self._masters, 1 - decay)
        return float(norm)

    def average_to_model(self) -> None:
        """Puts the moving average (the masters, when none is kept) into the working weights."""
        with torch.no_grad():
            torch._foreach_copy_(self._working, self._average or self._masters)

    def masters_to_model(self) -> None:
        """Puts the current weights back after `average_to_model`."""
        with torch.no_grad():
            torch._foreach_copy_(self._working, self._masters)

    def state_dict(self) -> dict[str, Any]:
        return {
            "masters": self._masters,
            "average": self._average,
            "adamw": self._adamw.state_dict(),
            "updates": self._updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(self._masters, state["masters"])
            if self._average:
                torch._foreach_copy_(self._average, state["average"])
        self._adamw.load_state_dict(state["adamw"])
        self._updates = state["updates"]
        self.masters_to_model()
