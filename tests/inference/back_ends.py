"""The back ends that run models on the CPU, by how exact they are."""

from __future__ import annotations

from rankdistill.inference.backends import BACKENDS, is_exact

HERE = [name for name, info in BACKENDS.items() if "cpu" in info.devices]
EXACT = [name for name in HERE if is_exact(name)]
FAST = [name for name in HERE if not is_exact(name)]
