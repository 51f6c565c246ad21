"""What is called while an estimator trains: progress, checkpoints, monitors."""

from .bars import TqdmBars, progress_bar
from .checkpoint import Checkpoint
from .fit_tasks import agree, fit_task, is_identified
from .monitor import RBMMonitor

__all__ = [
    "Checkpoint",
    "RBMMonitor",
    "TqdmBars",
    "agree",
    "fit_task",
    "is_identified",
    "progress_bar",
]
