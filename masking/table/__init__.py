"""
Tables in and out: streams of Arrow record batches from frames and files, and back.

Everything is read in bounded memory; a file that is not a table is one ``BadFile`` with a line number, never with its
text.
"""

from masking.table.csv import BadRow, CsvDialect, open_csv_strings, sniff
from masking.table.files import FORMATS, file_format, open_table, write_table
from masking.table.frames import Restore, as_reader
from masking.table.inference import cast_batch, cast_reader, infer_types

__all__ = [
    "FORMATS",
    "BadRow",
    "CsvDialect",
    "Restore",
    "as_reader",
    "cast_batch",
    "cast_reader",
    "file_format",
    "infer_types",
    "open_csv_strings",
    "open_table",
    "sniff",
    "write_table",
]
