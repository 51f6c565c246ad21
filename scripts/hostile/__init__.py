"""Broken and malicious files of every format, for `scripts/fuzz.py` and for the tests.

They are made here, beside the script that needs them (`scripts` is on the path of the
tests, see setup.cfg): accidents that happen to any bytes, forgeries that know the
format, and attacks that must be refused.
"""

from .archives import ARCHIVES
from .tables import TABLES

FORMATS = [*ARCHIVES, *TABLES]
