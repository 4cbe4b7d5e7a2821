"""Request bodies as streams: a raw body, or one file of a multipart form, into a writer, never stored in clear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Protocol

import python_multipart
from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.multipart import MultipartParser, parse_options_header

from opendata.storage.vault import SealedWriter
from opendata.web.problems import Problem
from opendata.web.security import CSRF_FIELD, Visitor, check_token

BLOCK_BYTES = 1024 * 1024
MAX_FIELD_BYTES = 4096

__all__ = [
    "SealedUpload",
    "Writer",
    "clean_filename",
    "python_multipart",
    "receive_body",
    "receive_form",
    "receive_sealed",
]


class Writer(Protocol):
    """Takes the file's bytes."""

    def write(self, data: bytes, /) -> object:
        """Take some bytes."""
        ...


async def receive_body(request: Request, writer: Writer) -> int:
    """The whole body into ``writer``, in blocks on the thread pool; returns how many bytes."""
    block = bytearray()
    total = 0
    async for chunk in request.stream():
        block += chunk
        if len(block) >= BLOCK_BYTES:
            total += len(block)
            await run_in_threadpool(writer.write, bytes(block))
            block.clear()
    if block:
        total += len(block)
        await run_in_threadpool(writer.write, bytes(block))
    return total


async def receive_form(request: Request, visitor: Visitor, open_writer: Callable[[str], Writer]) -> str:
    """One multipart form with the CSRF token first and one file after it; returns the file's name.

    ``open_writer`` gets the file's name once the token was found right, so that nothing is kept of a forged form.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise Problem.invalid({"zh": "请用表单上传一个文件。", "en": "Upload one file with the form."})
    form = _Form(visitor, open_writer)
    parser = MultipartParser(options[b"boundary"], form.callbacks())
    try:
        async for chunk in request.stream():
            await run_in_threadpool(parser.write, chunk)
            await run_in_threadpool(form.flush)
        await run_in_threadpool(parser.finalize)
        await run_in_threadpool(form.flush)
    except python_multipart.exceptions.FormParserError:
        raise Problem.invalid({"zh": "上传内容不完整。", "en": "The upload is not complete."}) from None
    if form.filename is None:
        raise Problem.invalid({"zh": "请选择一个文件。", "en": "Choose a file."})
    return form.filename


async def receive_sealed(
    request: Request, visitor: Visitor | None, upload: SealedUpload, filename: str, check: Callable[[str], object]
) -> str:
    """One file into ``upload``, from a form or, without a visitor, as the body; returns its clean name.

    ``check`` gets the name a form gives before anything is kept. Whatever goes wrong, nothing stays; an empty file is
    wrong.
    """

    def begin(chosen: str) -> SealedUpload:
        check(chosen)
        return upload.open()

    try:
        if visitor is None:
            await run_in_threadpool(upload.open)
            await receive_body(request, upload)
        else:
            filename = await receive_form(request, visitor, begin)
        upload.check_not_empty()
    except BaseException as error:
        upload.abandon(error)
        raise
    await run_in_threadpool(upload.finish)
    return clean_filename(filename)


def clean_filename(name: str) -> str:
    """The last part of a file name, at most 200 characters, without control characters; never a path."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    kept = "".join(character for character in last if character.isprintable() and character not in '<>:"|?*')
    return kept.strip(". ")[-200:] or "upload"


class SealedUpload:
    """A sealed writer that is opened when the file begins and closed or abandoned at its end; abandoned leaves nothing.

    ``check`` gets the bytes so far before they are kept, and raises where they are too many.
    """

    def __init__(self, writer: SealedWriter, check: Callable[[int], None] = lambda _: None) -> None:
        self._writer = writer
        self._check = check
        self._open = False
        self.bytes_written = 0

    def open(self) -> SealedUpload:
        """Begin the file."""
        self._writer.__enter__()
        self._open = True
        return self

    def write(self, data: bytes, /) -> None:
        """Take some bytes."""
        self.bytes_written += len(data)
        self._check(self.bytes_written)
        self._writer.write(data)

    def check_not_empty(self) -> None:
        """Raise if no byte came."""
        if self.bytes_written == 0:
            raise Problem.invalid({"zh": "文件是空的。", "en": "The file is empty."})

    def finish(self) -> None:
        """The file is whole."""
        self._open = False
        self._writer.__exit__(None, None, None)

    def abandon(self, error: BaseException) -> None:
        """Leave nothing of what was opened."""
        if self._open:
            self._open = False
            self._writer.__exit__(type(error), error, error.__traceback__)


class _Form:
    """Callbacks of the multipart parser: fields into memory (small), the file into its writer."""

    def __init__(self, visitor: Visitor, open_writer: Callable[[str], Writer]) -> None:
        self.visitor = visitor
        self.open_writer = open_writer
        self.filename: str | None = None
        self._writer: Writer | None = None
        self._into_file = False
        self._token: bytes = b""
        self._checked = False
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._field = b""
        self._data = bytearray()
        self._pending = bytearray()

    def callbacks(self) -> Any:
        """For ``MultipartParser``."""
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
        }

    def flush(self) -> None:
        """Hand the file's collected bytes on."""
        if self._pending and self._writer is not None:
            self._writer.write(bytes(self._pending))
            self._pending.clear()

    def _part_begin(self) -> None:
        self._disposition = self._field = b""
        self._data.clear()
        self._into_file = False

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._field = options.get(b"name", b"")
        if b"filename" not in options:
            return
        name = options[b"filename"].decode("utf-8", "replace")
        if not name:
            return
        self._check()
        if self.filename is not None:
            raise Problem.invalid({"zh": "一次上传一个文件。", "en": "Upload one file at a time."})
        self.filename = clean_filename(name)
        self._writer = self.open_writer(self.filename)
        self._into_file = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._into_file:
            self._pending += data[start:end]
            return
        self._data += data[start:end]
        if len(self._data) > MAX_FIELD_BYTES:
            raise Problem.invalid({"zh": "表单字段太长。", "en": "A form field is too long."})

    def _part_end(self) -> None:
        if not self._into_file and self._field == CSRF_FIELD.encode():
            self._token = bytes(self._data)

    def _check(self) -> None:
        if not self._checked:
            check_token(self.visitor, self._token.decode("ascii", "replace"))
            self._checked = True
