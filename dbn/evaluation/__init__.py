"""Evaluation: statistics, comparison of initializers, pictures, report."""

from ..datasets import Dataset, bars_and_stripes, load_dataset, make_curves
from .diagnostics import LayerStatistics, layer_statistics
from .plots.codes import CodesDisplay
from .plots.curves import LabelBudgetDisplay, LossCurvesDisplay, TrainingLengthDisplay
from .plots.errors_by_setting import ComparisonDisplay, DepthDisplay
from .plots.history import HistoryDisplay
from .plots.images import FiltersDisplay, ReconstructionsDisplay, SamplesDisplay
from .plots.layers import LayerStatisticsDisplay
from .plots.report import html_report
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
    "FiltersDisplay",
    "HistoryDisplay",
    "LabelBudgetDisplay",
    "LayerStatistics",
    "LayerStatisticsDisplay",
    "LossCurvesDisplay",
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
