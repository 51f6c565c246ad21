"""Evaluation: data sets, statistics, comparison of initializers, pictures, report."""

from .benchmark import compare_initializers
from .comparison import Comparison
from .comparison_displays import ComparisonDisplay, DepthDisplay
from .curve_displays import LabelBudgetDisplay, LossCurvesDisplay
from .dataset import Dataset
from .datasets import bars_and_stripes, load_dataset
from .diagnostics import LayerStatistics, layer_statistics
from .diagnostics_display import LayerStatisticsDisplay
from .displays import HistoryDisplay
from .pictures import FiltersDisplay, ReconstructionsDisplay, SamplesDisplay
from .provenance import provenance
from .report import html_report
from .statistics import (
    PairedDifference,
    PairedSpread,
    holm,
    paired_difference,
    paired_spread,
)

__all__ = [
    "Comparison",
    "ComparisonDisplay",
    "Dataset",
    "DepthDisplay",
    "FiltersDisplay",
    "HistoryDisplay",
    "LabelBudgetDisplay",
    "LayerStatistics",
    "LayerStatisticsDisplay",
    "LossCurvesDisplay",
    "PairedDifference",
    "PairedSpread",
    "ReconstructionsDisplay",
    "SamplesDisplay",
    "bars_and_stripes",
    "compare_initializers",
    "holm",
    "html_report",
    "layer_statistics",
    "load_dataset",
    "paired_difference",
    "paired_spread",
    "provenance",
]
