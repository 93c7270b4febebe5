"""Who runs the work units of scoring and encoding: this process, or workers of a cluster."""

from rankdistill.executors.base import Executor, MakeWorker, Worker
from rankdistill.executors.registry import EXECUTORS, create
from rankdistill.progress import Progress

__all__ = ["EXECUTORS", "Executor", "MakeWorker", "Progress", "Worker", "create"]
