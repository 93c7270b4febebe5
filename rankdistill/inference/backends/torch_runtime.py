"""The model as it is, in torch, on any device: what the torch back ends share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankdistill.inference.backends.base import TokenModel
from rankdistill.inference.precision import torch_threads

if TYPE_CHECKING:
    import torch

CPU_BUDGET, GPU_BUDGET = 1536, 65536


@dataclass(frozen=True)
class TorchBackend:
    """Runs `module` in inference mode on `device`, under autocast where `dtype` is not float32."""

    module: Any
    device: str
    dtype: torch.dtype
    token_budget: int
    threads: int | None = None
    on_grid: bool = False

    def run(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """The module's output as float32."""
        import torch

        tensors = [torch.from_numpy(array).to(self.device, non_blocking=True) for array in features.values()]
        half = self.dtype != torch.float32
        autocast = torch.autocast(self.device.partition(":")[0], self.dtype, enabled=half)
        with torch_threads(self.threads), torch.inference_mode(), autocast:
            return self.module(*tensors).float().cpu().numpy()


def open_in(dtype: torch.dtype, model: TokenModel, device: str) -> TorchBackend:
    """The model on `device`, computing in `dtype`; nothing is traced."""
    budget = CPU_BUDGET if device.startswith("cpu") else GPU_BUDGET
    return TorchBackend(model.module.to(device).eval(), device, dtype, budget, model.threads)
