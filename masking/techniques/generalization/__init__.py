"""
Generalization family: rounding, bands, top and bottom coding, dates, hierarchies.

Source: ISO/IEC 20889:2018, generalization. All work on columns: Arrow compute for dates, numpy for numbers, and one
look-up per distinct value for hierarchies.
"""

from masking.techniques.generalization.dates import Age, Date
from masking.techniques.generalization.hierarchies import Hierarchy
from masking.techniques.generalization.numbers import Bands, Rounding, TopBottom

__all__ = ["Age", "Bands", "Date", "Hierarchy", "Rounding", "TopBottom"]
