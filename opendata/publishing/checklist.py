"""The secrecy and impact questions that an officer answers before an edition is built."""

from dataclasses import dataclass

from opendata.catalog.texts import Text, text


@dataclass(frozen=True, slots=True)
class Item:
    """One question; ``expected`` is the answer that lets publication go on."""

    id: str
    question: Text
    clause: Text
    expected: str


ITEMS: tuple[Item, ...] = (
    Item(
        "state_secret",
        text("是否含有国家秘密或工作秘密？", "Does it hold state secrets or work secrets?"),
        text(
            "《保守国家秘密法》《政府信息公开条例》第十四条",
            "State Secrets Law; Open Government Information Regulation, Art. 14",
        ),
        "no",
    ),
    Item(
        "important_data",
        text("是否列入重要数据或核心数据目录？", "Is it listed as important or core data?"),
        text("《数据安全法》第二十一条", "Data Security Law, Art. 21"),
        "no",
    ),
    Item(
        "trade_secret",
        text("是否含有第三方商业秘密且未获同意？", "Does it hold third parties' trade secrets without their consent?"),
        text("《政府信息公开条例》第十五条", "Open Government Information Regulation, Art. 15"),
        "no",
    ),
    Item(
        "mosaic",
        text(
            "与已公开数据汇聚后是否会产生新的敏感信息？",
            "Would it become sensitive together with what is already public?",
        ),
        text("GB/T 43697-2024 附录 J", "GB/T 43697-2024, annex J"),
        "no",
    ),
    Item(
        "impact_assessment",
        text(
            "是否已完成个人信息保护影响评估（不含个人信息的填“是”）？",
            "Is the personal information impact assessment done (or none needed)?",
        ),
        text("《个人信息保护法》第五十五、五十六条", "Personal Information Protection Law, Art. 55 and 56"),
        "yes",
    ),
)
