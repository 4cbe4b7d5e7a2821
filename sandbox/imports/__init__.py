"""The import airlock: data that researchers bring themselves, scanned, reviewed, mounted read-only (社会数据融合)."""
