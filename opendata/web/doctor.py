"""What of the core this machine enforces, for ``opendata doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from opendata.db import Database, utc_now
from opendata.errors import LedgerError
from opendata.ledger.service import check_head
from opendata.parts import Finding
from opendata.settings import Settings

VENDOR = ("govuk-frontend.min.css", "govuk-frontend.min.js", "htmx.min.js")


def findings(settings: Settings) -> Iterator[Finding]:
    """Separation of processes, transport, browser assets, keys, ledger."""
    yield _separation(settings)
    yield _transport(settings)
    yield _assets()
    yield _keys(settings)
    yield _ledger(settings)


def _separation(settings: Settings) -> Finding:
    name = {"zh": "进程分离", "en": "separate processes"}
    if settings.users.separated:
        detail = {
            "zh": "门户、后台、沙箱各用自己的系统用户；门户进程读不到原始数据和密钥。",
            "en": "Portal, worker and hub run under their own users; the portal cannot read raw data or keys.",
        }
        return Finding(name, "enforced", detail)
    detail = {
        "zh": (
            "分离未强制：所有进程用同一系统用户，攻破门户即可读到原始数据和密钥，会话与作业也不分用户。"
            "以 root 启动可强制。"
        ),
        "en": (
            "Separation not enforced: all processes share one user, so whoever takes over the portal reads raw data "
            "and keys, and sessions and jobs share a user too. Start as root to enforce it."
        ),
    }
    return Finding(name, "weaker", detail)


def _transport(settings: Settings) -> Finding:
    name = {"zh": "传输加密", "en": "transport"}
    if settings.public_url.startswith("https:"):
        return Finding(name, "enforced", {"zh": "门户经 HTTPS 访问。", "en": "The portal is reached by HTTPS."})
    if settings.host in {"127.0.0.1", "::1", "localhost"}:
        detail = {"zh": "仅本机可访问，未加密。", "en": "Reachable from this machine only, not encrypted."}
        return Finding(name, "weaker", detail)
    detail = {
        "zh": "门户对外监听但没有 HTTPS；请在前面放置反向代理并设置 OPENDATA_PUBLIC_URL。",
        "en": "The portal listens to others without HTTPS; put a proxy in front and set OPENDATA_PUBLIC_URL.",
    }
    return Finding(name, "off", detail)


def _assets() -> Finding:
    name = {"zh": "浏览器组件", "en": "browser assets"}
    folder = Path(__file__).parent / "static" / "vendor"
    missing = [file for file in VENDOR if not (folder / file).is_file()]
    if not missing:
        return Finding(
            name, "enforced", {"zh": "已安装，不从外网加载。", "en": "Installed; nothing is loaded from elsewhere."}
        )
    detail = {
        "zh": f"缺少 {missing}；页面可用但没有样式。请运行 ./run setup。",
        "en": f"{missing} missing; pages work without style. Run ./run setup.",
    }
    return Finding(name, "weaker", detail)


def _keys(settings: Settings) -> Finding:
    name = {"zh": "门户密钥", "en": "portal keys"}
    folder = settings.keys_dir / "web"
    for file in ("oidc.pem", "oidc-client-secret"):
        path = folder / file
        try:
            open_to_others = path.stat().st_mode & 0o077
        except OSError:
            detail = {"zh": f"缺少 {file}；请运行 opendata up。", "en": f"{file} is missing; run opendata up."}
            return Finding(name, "off", detail)
        if open_to_others:
            detail = {"zh": f"{file} 可被其他用户读取。", "en": f"Others can read {file}."}
            return Finding(name, "weaker", detail)
    return Finding(name, "enforced", {"zh": "只有门户进程可读。", "en": "Only the portal can read them."})


def _ledger(settings: Settings) -> Finding:
    """Whether the history still grows out of the newest signed checkpoint. Reads; creates no database."""
    name = {"zh": "存证账本", "en": "ledger"}
    unknown = {"zh": "数据库尚未建立或读不了。", "en": "There is no database yet, or it cannot be read."}
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return Finding(name, "weaker", unknown)
    database = Database(settings)
    try:
        with database.session() as session:
            check_head(session, now=utc_now())
    except LedgerError as error:
        return Finding(name, "off", {"zh": str(error), "en": str(error)})
    except SQLAlchemyError:
        return Finding(name, "weaker", unknown)
    finally:
        database.dispose()
    detail = {"zh": "与最近的签名检查点一致。", "en": "It grows out of its newest signed checkpoint."}
    return Finding(name, "enforced", detail)
