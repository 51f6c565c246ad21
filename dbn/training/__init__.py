"""Training: optimizers, the epoch loop, pretraining, fine-tuning, progress."""

from .callbacks import TqdmBars
from .contrastive import Sparsity, train_rbm
from .finetuning import finetune
from .optimizers import SGD, Adam, Optimizer, get_optimizer
from .pretraining import Pretrained, pretrain

__all__ = [
    "SGD",
    "Adam",
    "Optimizer",
    "Pretrained",
    "Sparsity",
    "TqdmBars",
    "finetune",
    "get_optimizer",
    "pretrain",
    "train_rbm",
]
