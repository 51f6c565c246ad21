"""Evaluation: statistics, comparison of initializers, pictures, report."""

from ..datasets import Dataset, bars_and_stripes, load_dataset, make_curves
from .diagnostics import LayerStatistics, layer_statistics
from .plots.codes import CodesDisplay
from .plots.curves import DepthDisplay, LabelBudgetDisplay
from .plots.errors_by_setting import ComparisonDisplay, DifferencesDisplay
from .plots.history import HistoryDisplay
from .plots.images import FiltersDisplay, ReconstructionsDisplay, SamplesDisplay
from .plots.layers import LayerStatisticsDisplay
from .plots.loss_curves import LossCurvesDisplay
from .plots.moments import MomentsDisplay
from .plots.report import html_report
from .plots.training_length import TrainingLengthDisplay
from .provenance import provenance
from .statistics import PairedDifference, holm, paired_difference, paired_losses
from .study.compare import compare_initializers
from .study.comparison import Comparison
from .study.contenders import Contender

__all__ = [
    "CodesDisplay",
    "Comparison",
    "ComparisonDisplay",
    "Contender",
    "Dataset",
    "DepthDisplay",
    "DifferencesDisplay",
    "FiltersDisplay",
    "HistoryDisplay",
    "LabelBudgetDisplay",
    "LayerStatistics",
    "LayerStatisticsDisplay",
    "LossCurvesDisplay",
    "MomentsDisplay",
    "PairedDifference",
    "ReconstructionsDisplay",
    "SamplesDisplay",
    "TrainingLengthDisplay",
    "bars_and_stripes",
    "compare_initializers",
    "holm",
    "html_report",
    "layer_statistics",
    "load_dataset",
    "make_curves",
    "paired_difference",
    "paired_losses",
    "provenance",
]
