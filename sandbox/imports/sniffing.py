"""What a file is, by its first bytes, against what its name says: tables only.

Pickles, archives, programs, macros and office files other than a plain workbook are refused by content, whatever
their name. Pure: a name and bytes in, a format out or one clear error; no byte of the file is ever quoted.
"""

from __future__ import annotations

import zipfile
from typing import BinaryIO, Final

from sandbox.imports.errors import ImportInvalid

FORMATS: Final = ("csv", "tsv", "parquet", "jsonl", "xlsx")
_PARQUET: Final = b"PAR1"
_ZIP: Final = b"PK\x03\x04"
_KINDS: Final[tuple[tuple[bytes, int, str, str], ...]] = (
    (b"\x7fELF", 0, "可执行文件", "a program"),
    (b"MZ", 0, "可执行文件", "a program"),
    (b"\xca\xfe\xba\xbe", 0, "可执行文件", "a program"),
    (b"\xfe\xed\xfa", 0, "可执行文件", "a program"),
    (b"\xcf\xfa\xed\xfe", 0, "可执行文件", "a program"),
    (b"#!", 0, "脚本", "a script"),
    (b"\x1f\x8b", 0, "压缩文件", "an archive"),
    (b"BZh", 0, "压缩文件", "an archive"),
    (b"\xfd7zXZ", 0, "压缩文件", "an archive"),
    (b"\x28\xb5\x2f\xfd", 0, "压缩文件", "an archive"),
    (b"7z\xbc\xaf", 0, "压缩文件", "an archive"),
    (b"Rar!", 0, "压缩文件", "an archive"),
    (b"ustar", 257, "归档文件", "an archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0, "旧式 Office 文件（可含宏）", "an old Office file, which may hold macros"),
    (b"%PDF", 0, "PDF 文件", "a PDF"),
    (b"\x89HDF", 0, "HDF5 文件", "an HDF5 file"),
    (b"\x93NUMPY", 0, "NumPy 文件", "a NumPy file"),
    (b"ARROW1", 0, "Arrow 文件（请另存为 Parquet）", "an Arrow file; save it as Parquet"),
    (b"SQLite format 3", 0, "数据库文件", "a database"),
    (b"\x89PNG", 0, "图片", "an image"),
    (b"\xff\xd8\xff", 0, "图片", "an image"),
    (b"GIF8", 0, "图片", "an image"),
    (b"<!doctype", 0, "网页", "a web page"),
    (b"<html", 0, "网页", "a web page"),
    (b"<?xml", 0, "XML 文件", "an XML file"),
)
_MACROS: Final = ("vbaproject", "xl/activex", "xl/embeddings", "xl/externallinks", "xl/macrosheets", "xl/ctrlprops")


def format_of(filename: str) -> str:
    """The format that the name says. Raises ImportInvalid for any other."""
    name = filename.lower()
    for known in FORMATS:
        if name.endswith(f".{known}") and len(name) > len(known) + 1:
            return known
    raise ImportInvalid(
        "只接受 CSV、TSV、Parquet、JSONL 和 XLSX 表格 · only CSV, TSV, Parquet, JSONL and XLSX tables are accepted"
    )


def check_content(filename: str, head: bytes) -> str:
    """The format of a file whose first bytes are ``head``. Raises ImportInvalid when name and content disagree."""
    wanted = format_of(filename)
    if not head:
        raise ImportInvalid("文件是空的 · the file is empty")
    for magic, offset, zh, en in _KINDS:
        start = head[offset : offset + len(magic)]
        if (start == magic and (b"\0" in head or not magic.isalnum())) or (
            magic[:1] == b"<" and start.lower() == magic
        ):
            raise ImportInvalid(f"内容是{zh}，不是表格 · the content is {en}, not a table")
    if _looks_pickled(head):
        raise ImportInvalid(
            "内容是 Python 序列化对象（pickle），不接受 · the content is a Python pickle, which is never accepted"
        )
    found = "parquet" if head.startswith(_PARQUET) else "xlsx" if head.startswith(_ZIP) else "text"
    if found != (wanted if wanted in ("parquet", "xlsx") else "text"):
        names = {
            "parquet": ("Parquet", "Parquet"),
            "xlsx": ("压缩包或 XLSX", "a zip or XLSX"),
            "text": ("文本", "text"),
        }
        zh, en = names[found]
        raise ImportInvalid(f"扩展名是 .{wanted}，内容却是{zh} · the name says .{wanted} but the content is {en}")
    return wanted


def check_workbook(source: BinaryIO) -> None:
    """Raise ImportInvalid when an xlsx holds macros, embedded objects or links out, or is another archive."""
    try:
        with zipfile.ZipFile(source) as archive:
            names = [name.lower() for name in archive.namelist()]
            with archive.open("[Content_Types].xml") as part:
                kinds = part.read(1 << 20).lower()
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, NotImplementedError, RuntimeError):
        raise ImportInvalid("不是有效的 XLSX 文件 · this is not a valid XLSX file") from None
    if "xl/workbook.xml" not in names:
        raise ImportInvalid("压缩包不是工作簿，归档文件不接受 · the archive is no workbook; archives are not accepted")
    if any(part in name for name in names for part in _MACROS) or b"macroenabled" in kinds:
        raise ImportInvalid(
            "工作簿含有宏、嵌入对象或外部链接；请另存为不含这些内容的 XLSX · "
            "the workbook holds macros, embedded objects or links to other files; save it without them"
        )


def _looks_pickled(head: bytes) -> bool:
    """Protocol 2 and later begin with PROTO; text pickles (0, 1) name a global and end their lines with opcodes."""
    if head[0] == 0x80 and len(head) > 1 and 2 <= head[1] <= 5:
        return True
    _, _, rest = head.partition(b"\n")
    return head[:1] in (b"c", b"(") and b"\n(" in head[:200] and (b"\ntR" in head or b"\np" in rest[:200])
