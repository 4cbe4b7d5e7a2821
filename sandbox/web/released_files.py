"""Sending a released file: the right to it is asked for again while it is sent, so that a revocation cuts it off."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from opendata.db import Database
from opendata.identity import Actor
from sandbox.airlock import service as airlock
from sandbox.workspaces import permissions
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.errors import WorkspaceError

RECHECK_S: Final = 10.0
"""Seconds between two looks at the right; a revoked download goes on no longer than this."""


class ReleasedFile(FileResponse):
    """One file of an output, for a member, as long as the output is released and she is a member."""

    def __init__(
        self, path: Path, *, database: Database, actor: Actor, workspace: str, output: str, media_type: str, name: str
    ) -> None:
        headers = {"Cache-Control": "private, no-store"}
        super().__init__(path, media_type=media_type, filename=name, headers=headers)
        self.database, self.actor, self.workspace, self.output = database, actor, workspace, output

    def check(self) -> None:
        """Raise ConnectionAbortedError when the right has ended: the reader sees a broken connection, no whole file."""
        try:
            with self.database.session() as session:
                found = workspaces.get_workspace(session, self.workspace, actor=self.actor)
                permissions.check_can_read(self.actor, workspaces.facts(session, found))
                airlock.get_output(session, found, self.output)
        except WorkspaceError:
            raise ConnectionAbortedError from None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, looking at the right every `RECHECK_S` seconds."""
        checked = time.monotonic()

        async def guarded(message: Message) -> None:
            nonlocal checked
            if message["type"] == "http.response.body" and time.monotonic() - checked > RECHECK_S:
                await run_in_threadpool(self.check)
                checked = time.monotonic()
            await send(message)

        await super().__call__(scope, receive, guarded)
