"""Evaluation: data sets, statistics, the comparison of initializers, pictures."""

from .benchmark import compare_initializers
from .comparison import Comparison
from .datasets import Dataset, bars_and_stripes, load_dataset
from .displays import ComparisonDisplay, HistoryDisplay
from .pictures import FiltersDisplay, ReconstructionsDisplay, SamplesDisplay
from .provenance import provenance
from .statistics import PairedDifference, holm, paired_difference

__all__ = [
    "Comparison",
    "ComparisonDisplay",
    "Dataset",
    "FiltersDisplay",
    "HistoryDisplay",
    "PairedDifference",
    "ReconstructionsDisplay",
    "SamplesDisplay",
    "bars_and_stripes",
    "compare_initializers",
    "holm",
    "load_dataset",
    "paired_difference",
    "provenance",
]
