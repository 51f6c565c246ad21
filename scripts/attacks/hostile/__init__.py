"""Broken and malicious files of every format, for `fuzz.py` and for the tests.

They are made here, beside the script that needs them (this folder is on the path of the
tests, see setup.cfg): accidents that happen to any bytes, forgeries that know the
format, attacks that must be refused, and files that grow in one dimension alone.
"""

from .archives import ARCHIVES
from .common import ANY
from .growth import GROWTH
from .tables import TABLES

FORMATS = [*ARCHIVES, *TABLES]
for _format in FORMATS:
    _format.allowed |= dict.fromkeys(GROWTH.get(_format.name, ()), ANY)
