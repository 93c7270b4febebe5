"""Devices and number formats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


def pick_device(device: str | None) -> str:
    """`device`, or the GPU where torch sees one, else the CPU."""
    import torch

    return device or ("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def torch_threads(threads: int | None) -> Iterator[None]:
    """A context in which torch runs so many threads; None leaves them as they are."""
    import torch

    before = torch.get_num_threads()
    if threads is None or threads == before:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def autocast(device: str, dtype: str) -> AbstractContextManager[None]:
    """A context in which torch computes in `dtype`."""
    import torch

    return torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=dtype == "bfloat16")


def bf16_is_faster() -> bool:
    """Whether training in bfloat16 autocast is faster than in float32 on this machine; any GPU that has it is."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bf16_is_faster_on_processor()


def bf16_is_faster_on_processor() -> bool:
    """The same of the processor alone, whatever GPU there is.

    With AMX, or with AVX512-BF16 on other makes than Intel: there MKL's float32 runs at half its speed, while Intel
    cores without AMX multiply bf16 slower than float32 (89 against 143 GFLOP/s on one core).
    """
    import torch

    processor = torch.cpu.get_capabilities()
    return bool(
        processor.get("amx_bf16") or (processor.get("avx512_bf16") and "Intel" not in str(processor["cpu_name"]))
    )
