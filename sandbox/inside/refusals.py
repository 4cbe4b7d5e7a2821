"""Why a file cannot become a table: kinds that never may, and each reason with its words. Findings never quote."""

from __future__ import annotations

from typing import Final

from sandbox.contracts import Finding

REFUSED_KINDS: Final = {
    "pickle": (".pkl", ".pickle", ".joblib", ".npy", ".npz", ".pt", ".rds"),
    "svg": (".svg", ".svgz"),
    "html": (".html", ".htm", ".xhtml", ".xml"),
    "image": (".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".pdf", ".ps", ".eps"),
    "archive": (".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".tar", ".rar", ".xlsx", ".docx"),
    "program": (".py", ".ipynb", ".sh", ".so", ".exe", ".js", ".wasm"),
}

MAGIC: Final = {
    "pickle": (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"\x93NUMPY"),
    "archive": (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf"),
    "image": (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"%PDF"),
    "program": (b"\x7fELF", b"#!"),
}

WORDS: Final = {
    "pickle": ("可执行的序列化文件不能出域。", "Serialized objects may not leave."),
    "svg": ("SVG 图形不能出域，请提交作图用的表。", "SVG may not leave; submit the table behind the figure."),
    "not-a-figure": (
        "图的说明只含 table、kind、x、y、series、title，都是短文字。",
        "A figure is described by table, kind, x, y, series and title, all short texts.",
    ),
    "html": ("HTML 或 XML 不能出域。", "HTML or XML may not leave."),
    "image": ("图片不能出域，请提交作图用的表。", "Images may not leave; submit the table behind the figure."),
    "archive": ("压缩包和工作簿不能出域，请用 CSV。", "Archives and workbooks may not leave; use CSV."),
    "program": ("程序和笔记本不能作为产出。", "Programs and notebooks are not outputs."),
    "unknown-type": ("只接受 csv、tsv、parquet、json、txt。", "Only csv, tsv, parquet, json and txt are accepted."),
    "not-readable": ("文件不能按其类型读取。", "The file cannot be read as its type."),
    "not-a-table": ("内容不是一张平的表。", "The content is not one flat table."),
    "too-many-rows": ("行数过多。", "There are too many rows."),
    "too-many-columns": ("列数过多。", "There are too many columns."),
    "too-many-cells": ("单元格过多。", "There are too many cells."),
    "long-text": ("有过长的文字。", "Some text is too long."),
    "odd-characters": ("有控制字符或不可见字符。", "There are control or invisible characters."),
    "not-finite": ("无穷大或非数值已视为空。", "Infinite or undefined numbers became empty."),
    "link": ("链接被拒绝。", "Links were refused."),
    "hard-link": ("硬链接被拒绝。", "Hard links were refused."),
    "folder": ("子文件夹被拒绝，产出直接放在 /out 下。", "Folders were refused; put outputs directly into /out."),
    "not-a-file": ("管道、套接字或设备被拒绝。", "Pipes, sockets or devices were refused."),
    "odd-name": ("文件名含不允许的字符。", "A file name has characters that are not allowed."),
    "unreadable": ("有文件不能读取。", "Some files could not be read."),
    "too-many": ("文件过多，全部未取出。", "There were too many files; none were taken."),
    "too-large": ("产出过大，全部未取出。", "The outputs were too large; none were taken."),
    "twice": ("同名文件出现两次。", "A name occurs twice."),
    "bad-tar": ("产出包损坏。", "The package of outputs is damaged."),
}


class Rejected(Exception):
    """The file cannot become a table; carries the code of the reason."""

    def __init__(self, code: str, count: int = 0) -> None:
        super().__init__(code)
        self.finding = finding(code, count)


def finding(code: str, count: int = 0) -> Finding:
    """The finding of that code in both languages."""
    zh, en = WORDS[code]
    return Finding(code, zh, en, count)
