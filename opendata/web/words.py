"""Words for codes: what people read instead of ``in_review`` or ``L4``. No bare digit is ever shown as a level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from masking.taxonomy import DataLevel, Effect, LegalStatus, OpeningClass
from masking.taxonomy import Role as AttributeRole

Text = Mapping[str, str]

THEMES: dict[str, Text] = {
    "population": {"zh": "人口与社会", "en": "Population and society"},
    "health": {"zh": "医疗卫生", "en": "Health"},
    "transport": {"zh": "交通运输", "en": "Transport"},
    "economy": {"zh": "经济与企业", "en": "Economy and business"},
    "agriculture": {"zh": "农业农村", "en": "Agriculture"},
    "education": {"zh": "教育科研", "en": "Education and research"},
    "environment": {"zh": "生态环境", "en": "Environment"},
    "geography": {"zh": "地理与区划", "en": "Geography and divisions"},
    "government": {"zh": "政务与信用", "en": "Government and credit"},
    "social": {"zh": "社会保障", "en": "Social security"},
    "other": {"zh": "其他", "en": "Other"},
}
FREQUENCIES: dict[str, Text] = {
    "P1D": {"zh": "每日", "en": "daily"},
    "P1W": {"zh": "每周", "en": "weekly"},
    "P1M": {"zh": "每月", "en": "monthly"},
    "P3M": {"zh": "每季度", "en": "quarterly"},
    "P1Y": {"zh": "每年", "en": "yearly"},
    "irregular": {"zh": "不定期", "en": "irregular"},
    "never": {"zh": "不再更新", "en": "no longer updated"},
}
STATES: dict[str, Text] = {
    "draft": {"zh": "草稿", "en": "draft"},
    "building": {"zh": "生成中", "en": "being built"},
    "in_review": {"zh": "审核中", "en": "in review"},
    "returned": {"zh": "已退回", "en": "returned"},
    "approved": {"zh": "已批准", "en": "approved"},
    "published": {"zh": "已发布", "en": "published"},
    "superseded": {"zh": "已被新版本取代", "en": "superseded"},
    "withdrawn": {"zh": "已撤回", "en": "withdrawn"},
    "destroyed": {"zh": "已销毁", "en": "destroyed"},
    "rejected": {"zh": "不予通过", "en": "rejected"},
    "failed": {"zh": "失败", "en": "failed"},
    "submitted": {"zh": "待审批", "en": "waiting for a decision"},
    "uploaded": {"zh": "已上传", "en": "uploaded"},
    "profiling": {"zh": "识别中", "en": "being profiled"},
    "ready": {"zh": "就绪", "en": "ready"},
    "erased": {"zh": "已删除", "en": "erased"},
    "queued": {"zh": "排队中", "en": "queued"},
    "running": {"zh": "进行中", "en": "running"},
    "done": {"zh": "已完成", "en": "done"},
    "cancelled": {"zh": "已取消", "en": "cancelled"},
}
STATE_COLOURS = {
    "published": "green",
    "approved": "green",
    "ready": "green",
    "done": "green",
    "in_review": "yellow",
    "submitted": "yellow",
    "returned": "orange",
    "withdrawn": "red",
    "rejected": "red",
    "failed": "red",
    "destroyed": "red",
    "draft": "grey",
    "superseded": "grey",
    "erased": "grey",
    "cancelled": "grey",
}
TYPES: dict[str, Text] = {
    "string": {"zh": "字符型 C", "en": "text"},
    "integer": {"zh": "整型 I", "en": "integer"},
    "number": {"zh": "数值型 N", "en": "number"},
    "date": {"zh": "日期型 D", "en": "date"},
    "datetime": {"zh": "日期时间型 T", "en": "date and time"},
    "boolean": {"zh": "逻辑型 L", "en": "yes or no"},
}
KINDS: dict[str, Text] = {
    "microdata": {"zh": "逐条记录", "en": "records"},
    "aggregate": {"zh": "汇总表", "en": "aggregate table"},
}
JOBS: dict[str, Text] = {
    "intake": {"zh": "接入与识别", "en": "intake and detection"},
    "build": {"zh": "生成发布版本", "en": "build the edition"},
    "publish": {"zh": "签名并发布", "en": "sign and publish"},
    "withdraw": {"zh": "撤回", "en": "withdrawal"},
    "erase": {"zh": "删除原始批次", "en": "erase the raw version"},
    "recipient_line": {"zh": "为使用方生成专用版本", "en": "make the recipient's own edition"},
    "curve": {"zh": "计算风险—效用曲线", "en": "compute the risk–utility curve"},
}
VISIBILITIES: dict[str, Text] = {
    "public": {"zh": "公开条目", "en": "everyone sees the entry"},
    "department": {"zh": "仅本部门可见", "en": "own department only"},
    "none": {"zh": "不出现在目录", "en": "not in the catalogue"},
}
EVENTS: dict[str, Text] = {
    "ledger:log:start": {"zh": "账本启用", "en": "ledger started"},
    "ledger:opening:erase": {"zh": "擦除存证内容", "en": "contents of an entry erased"},
    "identity:organization:create": {"zh": "新建组织", "en": "organisation created"},
    "identity:user:create": {"zh": "新建账号", "en": "account created"},
    "identity:user:deactivate": {"zh": "停用账号", "en": "account closed"},
    "identity:user:change_roles": {"zh": "变更角色", "en": "roles changed"},
    "identity:link:issue": {"zh": "发出一次性登录链接", "en": "one-time sign-in link issued"},
    "identity:account:lock": {"zh": "锁定账号", "en": "account locked"},
    "catalog:dataset:create": {"zh": "新建数据集条目", "en": "dataset entry created"},
    "catalog:dataset:update": {"zh": "修改数据集条目", "en": "dataset entry changed"},
    "catalog:dataset:confirm_level": {"zh": "确认数据级别", "en": "level confirmed"},
    "catalog:dataset:raise_level": {"zh": "提高数据级别", "en": "level raised"},
    "catalog:dataset:switch": {"zh": "切换当前版本", "en": "current edition switched"},
    "catalog:dataset:list": {"zh": "列入目录", "en": "listed in the catalogue"},
    "publishing:intake:create": {"zh": "接入原始表", "en": "raw table taken in"},
    "publishing:intake:profile": {"zh": "识别原始表", "en": "raw table profiled"},
    "publishing:intake:acknowledge": {"zh": "确认不含坏行", "en": "unreadable rows acknowledged"},
    "publishing:intake:erase": {"zh": "删除原始批次", "en": "raw version erased"},
    "publishing:curve:compute": {"zh": "计算风险—效用曲线", "en": "risk–utility curve computed"},
    "publishing:policy:save": {"zh": "保存脱敏策略", "en": "masking policy saved"},
    "publishing:hierarchy:upload": {"zh": "上传层级文件", "en": "hierarchy file uploaded"},
    "publishing:hierarchy:remove": {"zh": "移除层级文件", "en": "hierarchy file removed"},
    "publishing:edition:build": {"zh": "生成发布版本", "en": "edition built"},
    "publishing:edition:submit": {"zh": "送审", "en": "sent for review"},
    "publishing:edition:return": {"zh": "退回修改", "en": "returned"},
    "publishing:edition:reject": {"zh": "不予通过", "en": "rejected"},
    "publishing:edition:approve": {"zh": "批准发布", "en": "edition approved"},
    "publishing:edition:publish": {"zh": "签名发布", "en": "edition signed and published"},
    "publishing:edition:supersede": {"zh": "被新版本取代", "en": "edition superseded"},
    "publishing:edition:withdraw": {"zh": "撤回发布版本", "en": "edition withdrawn"},
    "publishing:edition:destroy": {"zh": "销毁发布版本", "en": "edition destroyed"},
    "publishing:line:create": {"zh": "生成专用版本", "en": "recipient's own edition made"},
    "publishing:line:destroy": {"zh": "销毁专用版本", "en": "recipient's own edition destroyed"},
    "rawdoor:view:show": {"zh": "查看原始数据（遮盖）", "en": "raw rows looked at, covered"},
    "rawdoor:view:reveal": {"zh": "揭示直接标识符", "en": "direct identifier uncovered"},
    "rawdoor:view:refuse": {"zh": "拒绝查看原始数据", "en": "look at raw rows refused"},
    "access:request:submit": {"zh": "提出使用申请", "en": "access requested"},
    "access:request:approve": {"zh": "批准使用申请", "en": "access approved"},
    "access:request:reject": {"zh": "驳回使用申请", "en": "access refused"},
    "access:request:withdraw": {"zh": "撤回使用申请", "en": "request withdrawn"},
    "access:grant:create": {"zh": "给出许可", "en": "grant given"},
    "access:grant:revoke": {"zh": "撤销许可", "en": "grant revoked"},
    "access:app_key:issue": {"zh": "发出应用密钥", "en": "application key issued"},
    "sandbox:import:upload": {"zh": "上传自有数据", "en": "own data uploaded"},
    "sandbox:import:scan": {"zh": "自有数据通过检查", "en": "own data passed the scan"},
    "sandbox:import:reject": {"zh": "自有数据未通过检查", "en": "own data rejected by the scan"},
    "sandbox:import:declare": {"zh": "说明自有数据并送审", "en": "own data declared"},
    "sandbox:import:consent": {"zh": "提供部门答复关联", "en": "owner answered about a join"},
    "sandbox:import:approve": {"zh": "同意导入", "en": "import approved"},
    "sandbox:import:refuse": {"zh": "不同意导入", "en": "import refused"},
    "sandbox:import:mount": {"zh": "挂载导入", "en": "import mounted"},
    "sandbox:import:withdraw": {"zh": "撤回导入", "en": "import withdrawn"},
    "sandbox:import:destroy": {"zh": "销毁导入", "en": "import destroyed"},
    "sandbox:import:forget": {"zh": "销毁导入的指纹", "en": "fingerprints of an import destroyed"},
    "sandbox:workspace:apply": {"zh": "申请沙箱", "en": "workspace applied for"},
    "sandbox:workspace:approve": {"zh": "同意沙箱申请", "en": "workspace agreed to"},
    "sandbox:workspace:reject": {"zh": "不批准沙箱", "en": "workspace refused"},
    "sandbox:workspace:withdraw": {"zh": "撤回沙箱申请", "en": "workspace application withdrawn"},
    "sandbox:workspace:close": {"zh": "关闭沙箱", "en": "workspace closed"},
    "sandbox:workspace:open": {"zh": "开通沙箱", "en": "workspace opened"},
    "sandbox:workspace:extend": {"zh": "延长沙箱期限", "en": "workspace's term extended"},
    "sandbox:workspace:suspend": {"zh": "暂停沙箱", "en": "workspace suspended"},
    "sandbox:workspace:lift": {"zh": "恢复沙箱", "en": "suspension of a workspace lifted"},
    "sandbox:workspace:expire": {"zh": "沙箱到期", "en": "workspace expired"},
    "sandbox:workspace:clear": {"zh": "清除沙箱个人目录", "en": "homes of a workspace cleared"},
    "sandbox:extension:apply": {"zh": "申请延长沙箱期限", "en": "more days for a workspace applied for"},
    "sandbox:extension:withdraw": {"zh": "撤回延期申请", "en": "request for more days withdrawn"},
    "sandbox:pledge:sign": {"zh": "签署沙箱承诺书", "en": "sandbox pledge signed"},
    "sandbox:job:stop": {"zh": "终止域内作业", "en": "sandbox job ended with its right"},
    "sandbox:member:change_role": {"zh": "变更沙箱成员角色", "en": "workspace member's role changed"},
    "sandbox:member:add": {"zh": "添加沙箱成员", "en": "workspace member added"},
    "sandbox:member:remove": {"zh": "移除沙箱成员", "en": "workspace member removed"},
    "sandbox:data:prepare": {"zh": "准备仿真数据", "en": "practice data prepared"},
    "sandbox:data:remove": {"zh": "从会话中移除已下架的数据", "en": "data taken down were removed from sessions"},
    "sandbox:tables:request": {"zh": "要求计算固定口径统计", "en": "fixed tables asked to be computed"},
    "sandbox:tables:publish": {"zh": "发布固定口径统计", "en": "fixed tables published"},
    "sandbox:tables:answer": {"zh": "答复固定口径统计", "en": "question to fixed tables answered"},
    "sandbox:job:submit": {"zh": "提交密封作业", "en": "sealed job submitted"},
    "sandbox:job:seal": {"zh": "密封运行", "en": "sealed run"},
    "sandbox:job:rerun": {"zh": "重跑密封作业", "en": "sealed job run again"},
    "sandbox:job:cancel": {"zh": "取消作业", "en": "job cancelled"},
    "airlock:code:submit": {"zh": "代码送审", "en": "code sent for review"},
    "airlock:code:decide": {"zh": "代码审查结论", "en": "code decided"},
    "airlock:request:submit": {"zh": "产出进入出域审查", "en": "output sent to the airlock"},
    "airlock:request:check": {"zh": "自动检查产出", "en": "output checked automatically"},
    "airlock:request:decide": {"zh": "出域审查结论", "en": "output decided"},
    "airlock:checker:draw": {"zh": "抽取审查员", "en": "checker drawn"},
    "airlock:case:view": {"zh": "审查员查看内容", "en": "checker looked at the contents"},
    "airlock:case:reveal": {"zh": "审查员揭示被遮盖的行", "en": "checker uncovered rows"},
    "airlock:vote:cast": {"zh": "审查员投票", "en": "checker voted"},
    "airlock:seed:score": {"zh": "模拟产出的投票评分", "en": "vote on a made-up output scored"},
    "airlock:output:release": {"zh": "放行产出", "en": "output released"},
    "airlock:output:revoke": {"zh": "撤回放行", "en": "release revoked"},
}
_UNKNOWN: Text = {"zh": "—", "en": "—"}


def pick(table: Mapping[str, Text], code: Any, lang: str) -> str:
    """The word for ``code``; an unknown code shows itself."""
    if code is None or code == "":
        return _UNKNOWN[lang]
    return table[str(code)][lang] if str(code) in table else str(code)


def level_title(value: str | None, lang: str) -> str:
    """“L4 敏感”."""
    return DataLevel(value).title(lang) if value else {"zh": "级别待定", "en": "level not decided"}[lang]


def class_title(value: str | None, lang: str) -> str:
    """“有条件开放”."""
    return OpeningClass(value).title(lang) if value else _UNKNOWN[lang]


def effect_title(value: int | None, lang: str) -> str:
    """“去标识化效果 3 级：风险可接受”."""
    return Effect(value).title(lang) if value else _UNKNOWN[lang]


def status_title(value: str | None, lang: str) -> str:
    """“去标识化”."""
    return LegalStatus(value).title(lang) if value else _UNKNOWN[lang]


def role_title(value: str | None, lang: str) -> str:
    """“准标识符”."""
    return AttributeRole(value).title(lang) if value else _UNKNOWN[lang]


GLOBALS: dict[str, Any] = {
    "THEMES": THEMES,
    "FREQUENCIES": FREQUENCIES,
    "STATES": STATES,
    "STATE_COLOURS": STATE_COLOURS,
    "TYPES": TYPES,
    "KINDS": KINDS,
    "EVENTS": EVENTS,
    "JOBS": JOBS,
    "VISIBILITIES": VISIBILITIES,
    "word": pick,
    "level_title": level_title,
    "class_title": class_title,
    "effect_title": effect_title,
    "status_title": status_title,
    "role_title": role_title,
}
