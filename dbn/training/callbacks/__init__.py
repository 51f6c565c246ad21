"""What is called while an estimator trains: progress, checkpoints, monitors."""

from ...backend.progress import progress_bar
from .bars import TqdmBars, bars_of
from .checkpoint import Checkpoint
from .fit_tasks import agree, fit_task, is_identified
from .monitor import RBMMonitor

__all__ = [
    "Checkpoint",
    "RBMMonitor",
    "TqdmBars",
    "agree",
    "bars_of",
    "fit_task",
    "is_identified",
    "progress_bar",
]
