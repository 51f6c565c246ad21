"""Training: optimizers, the epoch loop, pretraining, fine-tuning, progress."""

from ..backend.parts import Schedule
from .callbacks import Checkpoint, RBMMonitor, TqdmBars
from .contrastive import train_rbm
from .denoising import DenoisingStack
from .distributed import data_parallel
from .finetuning import finetune
from .optimizers import (
    LBFGS,
    SGD,
    Adam,
    ConjugateGradient,
    Optimizer,
    RMSProp,
    get_optimizer,
)
from .pretraining import Pretrained, pretrain
from .sparsity import Sparsity
from .unrolling import Unrolled
from .wake_sleep import UpDown, up_down

__all__ = [
    "LBFGS",
    "SGD",
    "Adam",
    "Checkpoint",
    "ConjugateGradient",
    "DenoisingStack",
    "Optimizer",
    "Pretrained",
    "RBMMonitor",
    "RMSProp",
    "Schedule",
    "Sparsity",
    "TqdmBars",
    "Unrolled",
    "UpDown",
    "data_parallel",
    "finetune",
    "get_optimizer",
    "pretrain",
    "train_rbm",
    "up_down",
]
