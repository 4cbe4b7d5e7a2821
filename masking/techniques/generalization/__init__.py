"""
Generalization family: numbers, dates and ages, places, networks, codes, hierarchies of one's own.

Source: ISO/IEC 20889:2018, generalization. All work on columns: Arrow compute for dates, numpy for numbers, polars for
text; only hierarchies and IPv6 addresses are looked up one distinct value at a time.
"""

from masking.techniques.generalization.codes import CodePrefix
from masking.techniques.generalization.dates import Age, Date
from masking.techniques.generalization.hierarchies import Hierarchy
from masking.techniques.generalization.networks import IP
from masking.techniques.generalization.numbers import Bands, Rounding, TopBottom
from masking.techniques.generalization.places import Address, Division, Grid, Postcode
from masking.techniques.generalization.recoding import Recoding

__all__ = [
    "IP",
    "Address",
    "Age",
    "Bands",
    "CodePrefix",
    "Date",
    "Division",
    "Grid",
    "Hierarchy",
    "Postcode",
    "Recoding",
    "Rounding",
    "TopBottom",
]
