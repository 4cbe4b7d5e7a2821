"""What a member can do next in a workspace, in one sentence, from states alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from opendata.catalog.grades import Grades
from opendata.identity import Actor
from sandbox.web import views
from sandbox.workspaces import permissions
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import Workspace

Text = dict[str, str]
_BY_STATE: dict[str, Text] = {
    "rejected": {"zh": "未获批准，理由见沙箱页面；可修改后重新申请。", "en": "Refused; see the reason and apply anew."},
    "withdrawn": {"zh": "申请已撤回。", "en": "The application was taken back."},
    "suspended": {"zh": "已被安全保密管理员暂停，会话和作业已停止。", "en": "Suspended; sessions and jobs have ended."},
    "expired": {
        "zh": "期限已过；可申请延期，已放行的产出仍可下载。",
        "en": "Expired; ask for more days, or get outputs.",
    },
    "closed": {"zh": "已关闭；已放行的产出仍可下载。", "en": "Closed; released outputs can still be downloaded."},
}


def of(session: Session, found: Workspace, actor: Actor, grades: Grades, *, now: datetime) -> Text:
    """The next step of this person in this workspace."""
    state = views.workspace_state(found, now)
    waiting = workspaces.waiting_decision(session, found, grades)
    if waiting is not None and state == "applied":
        done, needed = waiting.progress.agreed, waiting.progress.needed
        return {
            "zh": f"等待数据提供部门决定（{needed} 方中已有 {done} 方同意）。",
            "en": f"Waiting for the providing departments ({done} of {needed} agreed).",
        }
    if state in _BY_STATE:
        return _BY_STATE[state]
    facts = workspaces.facts(session, found)
    if actor.id not in facts.pledged_ids:
        return {"zh": "首次进入前请签署承诺书。", "en": "Sign the pledge before your first entry."}
    if not permissions.can_work(actor, facts):
        return {"zh": "您可以查看作业和已放行的产出。", "en": "You may look at jobs and released outputs."}
    if any(each.prepared_at is None for each in workspaces.datasets_of(session, found)):
        return {
            "zh": "正在准备 /data，很快可以打开 JupyterLab。",
            "en": "/data is being prepared; JupyterLab follows soon.",
        }
    jobs = workspaces.jobs_of(session, found)
    if not jobs:
        return {
            "zh": "打开 JupyterLab 编写程序，再提交作业。",
            "en": "Open JupyterLab, write your program, hand it in.",
        }
    latest = views.job(session, jobs[0], now=now)
    return {
        "zh": f"最近的作业 {latest['entry']}：{latest['state_title']['zh']}。",
        "en": f"Latest job {latest['entry']}: {latest['state_title']['en']}.",
    }
