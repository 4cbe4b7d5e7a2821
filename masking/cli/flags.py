"""Options that several commands share: the same name, the same words, the same bounds."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="输出 JSON report as JSON")]
English = Annotated[bool, typer.Option("--en", help="英文 show in English")]
InternalReport = Annotated[
    Path | None, typer.Option("--report", help="内部报告 write the internal report here (JSON, or a page: .html)")
]
TimeLimit = Annotated[
    float | None,
    typer.Option("--time-limit", min=0, help="搜索至多若干秒，取至此最好的 search so many seconds, take the best"),
]
