"""
A bounded, checked view of a text file: UTF-8 comes out, hostile input is one ``BadFile`` with a line number.

Checked on the way: the encoding, NUL characters, the length of a line, and how far a compressed file expands. Nothing
is kept but the current block and the places of line breaks inside quoted cells (eight bytes each), which turn row
numbers into line numbers.
"""

import codecs
import io
import zlib
from array import array
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from masking.errors import BadFile

Bytes = npt.NDArray[np.uint8]

BLOCK_BYTES = 1 << 20
MAX_ROW_BYTES = 8 << 20
MAX_EXPANSION = 400
EXPANSION_FLOOR_BYTES = 64 << 20


class GuardedText(io.RawIOBase):
    """
    Reads ``stream`` in ``encoding`` and gives UTF-8.

    Raises:
        BadFile: a NUL, bytes that are not in the encoding, or a line of more than 8 MiB.

    """

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._first = True
        self._rest = memoryview(b"")
        self._lines = 1  # the line that the next byte belongs to
        self._line_bytes = 0
        self._row_line = 1
        self._began_line = False
        self._in_quotes = False
        self._continued = array("q")  # lines that begin inside a quoted cell
        self._blank = array("q")  # lines without a character
        self._skips: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._skips_state = (0, 0, False)
        self._ended = False

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with checked UTF-8."""
        target = memoryview(buffer).cast("B")
        while not self._rest and not self._ended:
            self._rest = memoryview(self._next())
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def push_back(self, text: bytes) -> None:
        """Give ``text`` again before what follows: for a header that was read too far."""
        self._rest = memoryview(text + bytes(self._rest))

    def line_of_row(self, row: int, *, blank_lines_are_rows: bool) -> int:
        """Line (from 1) on which ``row`` (from 1) begins: rows may span lines, and blank lines may be none."""
        state = (len(self._continued), len(self._blank), blank_lines_are_rows)
        if state != self._skips_state:
            parts = [np.frombuffer(self._continued, dtype=np.int64)] if self._continued else []
            if self._blank and not blank_lines_are_rows:
                parts.append(np.frombuffer(self._blank, dtype=np.int64))
            skipped = np.sort(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)
            self._skips = skipped - np.arange(len(skipped))  # each skipped line as the row that follows it
            self._skips_state = state
        return row + int(np.searchsorted(self._skips, row, side="right"))

    @property
    def row_line(self) -> int:
        """Line (from 1) on which the last row begins."""
        return self._row_line

    @property
    def quotes_are_odd(self) -> bool:
        """True if the text read so far has an odd number of quotes."""
        return self._in_quotes

    def _next(self) -> bytes:
        raw = self._stream.read(BLOCK_BYTES)
        self._ended = not raw
        try:
            text = self._decoder.decode(raw, self._ended)
        except UnicodeDecodeError as error:
            line = self._lines + raw[: max(0, error.start)].count(b"\n")
            raise BadFile(f"the text is not {error.encoding}", line=line) from None
        if self._first and text:
            text = text.removeprefix("\ufeff")
            self._first = False
        data = text.encode()
        self._check(data)
        return data

    def _check(self, data: bytes) -> None:
        if b"\0" in data:
            line = self._lines + data[: data.index(b"\0")].count(b"\n")
            raise BadFile("a NUL character: this is not a text table", line=line)
        flat = np.frombuffer(data, dtype=np.uint8)
        ends = np.flatnonzero(flat == 10)
        borders = np.concatenate(([-1 - self._line_bytes], ends, [len(flat)]))
        longest = int(np.diff(borders).max(initial=0))
        if longest > MAX_ROW_BYTES:
            line = self._lines + int(np.diff(borders).argmax())
            raise BadFile(f"a line is longer than {MAX_ROW_BYTES >> 20} MiB", line=line)
        self._line_bytes = len(flat) - 1 - int(ends[-1]) if len(ends) else self._line_bytes + len(flat)
        self._track_rows(flat, ends)
        self._lines += len(ends)

    def _track_rows(self, flat: Bytes, ends: npt.NDArray[np.int64]) -> None:
        quotes = np.flatnonzero(flat == 34)
        inside = (np.searchsorted(quotes, ends) + self._in_quotes) % 2 == 1
        lines = self._lines + np.arange(len(ends))
        starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
        lengths = ends - starts
        lone_return = (lengths == 1) & (flat[starts] == 13) if len(ends) else lengths == 1
        began_inside = np.concatenate(([self._in_quotes], inside[:-1]))[: len(ends)]
        blank = ((lengths == 0) | lone_return) & ~began_inside & ~inside
        if self._began_line and len(ends):
            blank[0] = False
        self._continued.frombytes((lines[inside] + 1).astype(np.int64).tobytes())
        self._blank.frombytes(lines[blank].astype(np.int64).tobytes())
        self._began_line = bool(len(flat) and flat[-1] != 10)
        self._row_line = int(lines[~inside][-1]) + 1 if not inside.all() else self._row_line
        self._in_quotes = bool((len(quotes) + self._in_quotes) % 2)


class Gunzip(io.RawIOBase):
    """
    Decompresses gzip in bounded memory, all members of it.

    Raises:
        BadFile: damaged or cut off, or it expands more than 400 times (above 64 MiB).

    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._member = zlib.decompressobj(wbits=31)
        self._pending = b""
        self._read = self._written = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with decompressed bytes."""
        target = memoryview(buffer).cast("B")
        while True:
            if not self._pending:
                self._pending = self._stream.read(1 << 16)
                self._read += len(self._pending)
                if not self._pending:
                    if not self._member.eof:
                        raise BadFile("the gzip file is cut off")
                    return 0
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=31)
            try:
                data = self._member.decompress(self._pending, len(target))
            except zlib.error:
                raise BadFile("the gzip file is damaged") from None
            self._pending = self._member.unconsumed_tail or self._member.unused_data
            self._written += len(data)
            if self._written > EXPANSION_FLOOR_BYTES and self._written > MAX_EXPANSION * self._read:
                raise BadFile(f"the gzip file expands more than {MAX_EXPANSION} times; it is refused as a bomb")
            if data:
                target[: len(data)] = data
                return len(data)
