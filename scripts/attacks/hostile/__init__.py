"""Broken and malicious files of every format, for `fuzz.py` and for the tests.

They are made here, beside the script that needs them (this folder is on the path of the
tests, see setup.cfg): accidents that happen to any bytes, forgeries that know the
format, attacks that must be refused, and files that grow in one dimension alone.
"""

from .archives import ARCHIVES
from .arrays import IDX, IDX_GZ, NPZ, NPZ_CSR
from .comparisons import RESULTS
from .matlab import MAT
from .texts import CSV, CSV_GZ, FASTA

FORMATS = [*ARCHIVES, IDX, IDX_GZ, NPZ, NPZ_CSR, CSV, CSV_GZ, MAT, FASTA, RESULTS]
