"""The nearest way to figures for somebody whom the fixed tables do not answer. Data and one decider.

The matrix knows the doors to a dataset; whether a grant opens these tables, and whether the person is in a workspace
that holds the dataset, is known here. Source: DESIGN 3, "every refusal names its legal basis and the nearest door".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from masking.taxonomy import DataLevel
from opendata.catalog.grades import Door, Grades
from opendata.catalog.models import Dataset, Edition
from opendata.catalog.texts import Text, text
from opendata.identity import Actor, Role

WORDS: Final[Mapping[str, Text]] = {
    "job": text(
        "您所在的数据沙箱含有这个数据集：请提交域内作业，在原始数据上计算，经审查的结果可带走。",
        "A workspace of yours holds this dataset: submit a sealed job, which computes on the raw table; "
        "checked results can be taken out.",
    ),
    "compute": text(
        "您是提供部门的数据专员：请在数据集的固定口径统计页面让统计开始计算。",
        "You are the department's data officer: have them computed on the dataset's page of fixed tables.",
    ),
    "closed": text(
        "您是提供部门的数据专员：数据集已发布，可在数据工作台管理；这一级别的统计结果由研究人员经数据沙箱的域内作业取得。",
        "You are the department's data officer: the dataset is published and managed in the console; "
        "figures of this level are got by researchers through sealed jobs of a workspace.",
    ),
}


def nearest(
    grades: Grades,
    dataset: Dataset,
    edition: Edition | None,
    actor: Actor | None,
    *,
    granted: bool = False,
    member: bool = False,
) -> Door:
    """``member``: of a running workspace that holds the dataset. ``edition``: the current one."""
    level = DataLevel(dataset.level) if dataset.level else None
    answered = grades.fixed_tables(level, negative_list=dataset.negative_list)
    usual = grades.nearest_door(dataset, edition, actor, standing="granted" if granted else "none")
    if edition is None or not grades.sealed_jobs(level, negative_list=dataset.negative_list).open:
        return usual
    if member:
        return Door("job", WORDS["job"], usual.clause)
    if actor is not None and Role.DATA_OFFICER in actor.roles and actor.organization_id == dataset.organization_id:
        return Door("department", WORDS["compute" if answered else "closed"], usual.clause)
    if not answered:  # no grant opens tables of this level
        return grades.nearest_door(dataset, None, actor)
    return usual
