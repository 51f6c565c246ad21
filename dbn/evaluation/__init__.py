"""Evaluation: data sets, statistics, the comparison of initializers, pictures."""

from .benchmark import compare_initializers
from .comparison import Comparison
from .datasets import Dataset, bars_and_stripes, load_dataset
from .diagnostics import LayerStatistics, layer_statistics
from .diagnostics_display import LayerStatisticsDisplay
from .displays import ComparisonDisplay, HistoryDisplay
from .pictures import FiltersDisplay, ReconstructionsDisplay, SamplesDisplay
from .provenance import provenance
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
    "FiltersDisplay",
    "HistoryDisplay",
    "LayerStatistics",
    "LayerStatisticsDisplay",
    "PairedDifference",
    "PairedSpread",
    "ReconstructionsDisplay",
    "SamplesDisplay",
    "bars_and_stripes",
    "compare_initializers",
    "holm",
    "layer_statistics",
    "load_dataset",
    "paired_difference",
    "paired_spread",
    "provenance",
]
