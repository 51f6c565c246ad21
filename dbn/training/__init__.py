"""Training: optimizers, the epoch loop, pretraining, fine-tuning, progress."""

from .callbacks import TqdmBars
from .finetuning import finetune
from .optimizers import SGD, Adam, Optimizer, get_optimizer
from .pretraining import Pretrained, pretrain, train_rbm

__all__ = [
    "SGD",
    "Adam",
    "Optimizer",
    "Pretrained",
    "TqdmBars",
    "finetune",
    "get_optimizer",
    "pretrain",
    "train_rbm",
]
