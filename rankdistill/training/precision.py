"""The numbers that a run computes in."""

from __future__ import annotations

import torch

from rankdistill.training.settings import Precision


def resolve_precision(precision: Precision) -> Precision:
    """What `auto` means on this machine: bf16 where it is faster than float32, fp16 on GPUs without it.

    On CPUs that is with AMX, or with AVX512-BF16 on other makes than Intel: there MKL's float32 runs at half its speed,
    while Intel cores without AMX multiply bf16 slower than float32 (89 against 143 GFLOP/s on one core).
    """
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    processor = torch.cpu.get_capabilities()
    faster = processor.get("amx_bf16") or (processor.get("avx512_bf16") and "Intel" not in processor["cpu_name"])
    return "bf16" if faster else "float32"
