"""The model as it is, in torch: any device, float32 or bfloat16 autocast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

CPU_BUDGET, GPU_BUDGET = 1536, 65536


@dataclass(frozen=True)
class TorchBackend:
    """Runs `module` in inference mode on `device`."""

    module: Any
    device: str
    dtype: str
    token_budget: int

    def run(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """The module's output as float32."""
        import torch

        tensors = [torch.from_numpy(array).to(self.device) for array in features.values()]
        half = self.dtype != "float32"
        with torch.inference_mode(), torch.autocast(self.device.partition(":")[0], torch.bfloat16, enabled=half):
            return self.module(*tensors).float().cpu().numpy()


def open_backend(module: Any, example: Mapping[str, np.ndarray], device: str, dtype: str) -> TorchBackend:
    """Move `module` to `device`; nothing is traced."""
    return TorchBackend(module.to(device).eval(), device, dtype, CPU_BUDGET if device == "cpu" else GPU_BUDGET)
