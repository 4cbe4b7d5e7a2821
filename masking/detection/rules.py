r"""The patterns and cue words of the detector: data, no decisions.

Boundaries are ASCII look-arounds: ``\b`` and ``\w`` take Chinese characters for letters, so a number after 号 would
not be found and an address before @ would swallow the sentence.
"""

# ruff: noqa: E501  (patterns and sentences in two languages read best on one line)

from __future__ import annotations

import re
from typing import Final

from masking.detection.checks import LANDLINE, PLATE

LEFT: Final = r"(?<![0-9A-Za-z])"
RIGHT: Final = r"(?![0-9A-Za-z])"
HEX: Final = r"[0-9A-Fa-f]"
SURNAME: Final = "(?:欧阳|上官|司马|诸葛|东方|皇甫|尉迟|公孙|令狐|慕容|夏侯|司徒|长孙|宇文|端木|独孤|南宫|[赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方俞任袁柳鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄和穆萧尹姚邵汪祁毛禹狄米贝明臧计伏成戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯管卢莫经房裘缪干解应宗丁宣邓郁单杭洪包诸左石崔吉钮龚程邢裴陆荣翁荀羊惠甄曲封芮储靳段富巫乌焦巴弓牧谷车侯宓全班仰秋仲伊宫宁仇栾暴甘厉戎祖武符刘景詹束龙叶幸司黎薄印宿白怀蒲从鄂索咸籍赖卓蔺屠蒙池乔胥能苍闻莘党翟谭贡劳姬申扶堵冉宰郦雍桑桂牛寿通边扈燕冀尚农温别庄晏柴瞿阎充连习容向古易慎戈廖庾终暨居衡步都耿满弘匡国文寇广禄阙欧沃利蔚越隆师巩聂晁勾敖融冷辛阚那简饶曾沙鞠关相查红游权岳帅肖代付])"
"""Chinese surnames, compound ones first."""

CANDIDATES: Final = re.compile(
    "|".join(
        (
            r"(?P<email>(?<![0-9A-Za-z._%+\-])[0-9A-Za-z](?:[0-9A-Za-z._%+\-]{0,62}[0-9A-Za-z_\-])?\s?(?:@|\(at\)|\[at\]|#(?=[0-9a-z]{2,8}\.com))\s?"
            r"(?:[0-9A-Za-z](?:[0-9A-Za-z\-]{0,61}[0-9A-Za-z])?\.)+[A-Za-z]{2,24}" + RIGHT + ")",
            rf"(?P<mac>{LEFT}(?:{HEX}{{2}}(?P<macsep>[:\-]){HEX}{{2}}(?:(?P=macsep){HEX}{{2}}){{4}}|{HEX}{{4}}\.{HEX}{{4}}\.{HEX}{{4}}){RIGHT}(?![:\-][0-9A-Fa-f]))",
            rf"(?P<ipv6>(?<![0-9A-Za-z:.])(?=[0-9A-Fa-f]{{0,4}}:[0-9A-Fa-f]{{0,4}}:){HEX}{{0,4}}(?::{HEX}{{0,4}}){{2,7}}(?![0-9A-Za-z:]))",
            r"(?P<ipv4>(?<![0-9A-Za-z.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9A-Za-z]|\.[0-9]))",
            r"(?P<gps>(?<![0-9A-Za-z.])[0-9]{1,3}\.[0-9]{4,}[°度]?\s?[NESW]?\s?[,、; ]\s?(?:(?:经|纬)度[:]?\s?|l(?:at|ng|on)\w{0,6}[=:]\s?)?[0-9]{1,3}\.[0-9]{4,}(?![0-9A-Za-z]))",
            rf"(?P<plate>{PLATE}{RIGHT})",
            r"(?P<military>(?:[军武士文空海南北东西中政参后装]|[\u4e00-\u9fff]{0,2}军)字第[0-9]{4,8}号)",
            rf"(?P<landline>{LEFT}(?:\+?86[ \-]?)?{LANDLINE}(?:(?:转|\-|ext\.?)[0-9]{{1,6}})?{RIGHT})",
            rf"(?P<organisation>{LEFT}[0-9A-Z]{{8}}-[0-9X]{RIGHT})",
            rf"(?P<number>(?<![0-9A-Za-z])(?<![0-9]\.)(?:\(?\+?(?:00)?86\)?[ \-]?)?[0-9]+(?:[ \-][0-9]+)*(?:[ \-]?[Xx])?{RIGHT}(?!\.[0-9]))",
            rf"(?P<run>{LEFT}[0-9A-Za-z]{{6,28}}{RIGHT})",
        )
    )
)
"""Shapes in one alternation, the most particular first; validators decide what they are."""

GROUPINGS: Final[dict[str, frozenset[tuple[int, ...]]]] = {
    "ID_CARD": frozenset(
        {
            (18,),
            (6, 8, 4),
            (6, 4, 4, 4),
            (3, 3, 4, 4, 4),
            (4, 4, 4, 4, 2),
            (3, 3, 8, 4),
            (14, 4),
            (6, 12),
            (17, 1),
            (6, 4, 2, 2, 4),
        }
    ),
    "BANK_CARD": frozenset(
        {(n,) for n in range(15, 20)}
        | {(4, 4, 4, 4), (4, 4, 4, 4, 1), (4, 4, 4, 4, 2), (4, 4, 4, 4, 3), (6, 13), (6, 10), (4, 6, 5), (4, 4, 4, 7)}
    ),
    "PHONE": frozenset({(11,), (3, 4, 4), (3, 8), (7, 4), (4, 4, 3), (3, 3, 5), (5, 6), (3, 4, 2, 2)}),
}
"""How people split a number; a window of digit groups of another shape is not that number."""


def before(
    words: str, gap: str = r"[^0-9A-Za-z一-鿿]{0,3}(?:[是为]|号码?|编号|NO\.?|ID)?[^0-9A-Za-z一-鿿]{0,3}"
) -> re.Pattern[str]:
    """Matches if one of ``words`` stands directly before the candidate."""
    return re.compile(rf"(?:{words}){gap}$", re.IGNORECASE)


CUES: Final[dict[str, re.Pattern[str]]] = {
    "ID_CARD": before(
        "身份证件?(?:号码?|编号)?|证件(?:号码?|编号)|公民身份号码?|居民身份号码?|身份号码?|ID ?card|identity(?: card)?|身分证(?:号码?)?"
    ),
    "PHONE": before(
        "电话|手机|手机号码?|联系方式|联系电话|致电|来电|回电|拨打|热线|tel|phone|mobile|cell|微信同号|电联"
    ),
    "BANK_CARD": before(
        "(?:银行)?卡号?|账[号户]|帐[号户]|借记卡|信用卡|储蓄卡|工资卡|一卡通|card(?: number)?|account|开户行?[\u4e00-\u9fff]{0,12}"
    ),
    "PASSPORT": before("护照(?:号码?|编号)?|passport(?: number)?"),
    "TRAVEL_PERMIT": before(
        "(?:通行证|回乡证|台胞证|往来港澳|往来台湾|来往大陆|港澳居民|台湾居民)[\u4e00-\u9fff]{0,8}"
    ),
    "FOREIGN_PR": before("永久居留(?:身份)?证|永居证"),
    "TAX_ID": before("纳税人识别号|纳税识别号|税号|税务登记(?:证)?号?"),
    "ORG_CODE": before("(?:组织)?机构代码(?:证)?"),
    "USCC": before("统一社会信用代码|信用代码|社会信用代码"),
    "VIN": before("车架|车架号码?|车辆识别(?:代号|代码|号码?)|VIN"),
    "SOCIAL_SECURITY": before("社保(?:卡)?|社会保障(?:卡)?|社会保险"),
    "MEDICAL_INSURANCE": before("医保(?:卡|个人)?|医疗保险|医保电子凭证"),
    "MEDICAL_RECORD": before("病历|病案|住院|门诊|就诊卡?|病理|medical record|MRN"),
    "STUDENT_ID": before("学籍|学籍辅|学号|考生|准考证"),
    "LANDLINE": before("电话|座机|固话|固定电话|传真|fax|tel|联系方式"),
    "MAC": before("mac(?: ?地址)?|物理地址"),
    "REAL_ESTATE_UNIT": before("不动产单元"),
    "QQ": before(r"(?<![a-z])qq(?!群)"),
}
NOT_A_PERSONS_NUMBER: Final = before(
    "单号|订单|流水|批号|批次|序列|版本|文号|案号|备案|工单|发票|合同|条码|货号|商品|快递|运单|凭证|交易|编码|国药准字|项目|标段|总计|合计|金额|余额|度数|读数|表号"
)
"""Before a number: the number belongs to a thing."""
QUANTITY_AFTER: Final = re.compile(r"\s?(?:元|万|亿|条|次|吨|度|立方|千克|公斤|米|件|人次|个|辆|户|亩|平方)")
VERSION_BEFORE: Final = re.compile(r"(?:版本|version|ver\.?|固件|软件|v)\s?[::]?\s?$", re.IGNORECASE)

DATE: Final = r"(?P<y>(?:19|20)[0-9]{2})(?:[\-/.年]\s?(?P<m>[0-9]{1,2})(?:[\-/.月]\s?(?P<d>[0-9]{1,2})\s?[日号]?|月?)?|(?P<m2>[0-9]{2})(?P<d2>[0-9]{2}))"
LED: Final[tuple[tuple[str, str, re.Pattern[str]], ...]] = (
    (
        "WECHAT",
        "cue",
        re.compile(
            r"(?:微信号?|薇信|威信|weixin|wechat|(?<![0-9A-Za-z])(?:wx|vx))(?!同号|群|支付)(?:账号|号码?|ID)?\s?(?:是|为|[::])?\s?(?P<v>[A-Za-z][0-9A-Za-z_\-]{5,19})(?![0-9A-Za-z_\-@])",
            re.IGNORECASE,
        ),
    ),
    (
        "QQ",
        "cue",
        re.compile(
            r"(?<![0-9A-Za-z])qq(?!群)(?:号码?|帐号|账号)?\s?(?:是|为|[::])?\s?(?P<v>[1-9][0-9]{4,10})(?![0-9A-Za-z@])",
            re.IGNORECASE,
        ),
    ),
    (
        "BIRTH_DATE",
        "cue",
        re.compile(
            rf"(?:出生(?:日期|时间|年月日?|于)?|生日|生于|date of birth|birth ?(?:day|date)|(?<![A-Za-z])dob)\s?(?:是|为|[::])?\s?(?P<v>{DATE})(?![0-9])",
            re.IGNORECASE,
        ),
    ),
    ("BIRTH_DATE", "cue", re.compile(rf"(?<![0-9])(?P<v>{DATE})\s?(?:出生|生(?![产效成活日物态命意长])|生人)")),
    (
        "MEDICAL_RECORD",
        "cue",
        re.compile(
            r"(?:病历|病案|住院|门诊|就诊)(?:编号|号码?)\s?(?:是|为|[::])?\s?(?P<v>[0-9A-Za-z]{5,12})(?![0-9A-Za-z])"
        ),
    ),
    (
        "MEDICAL_INSURANCE",
        "cue",
        re.compile(
            r"(?:医保|医疗保险)(?:个人)?(?:编号|卡号|号码?)\s?(?:是|为|[::])?\s?(?P<v>[0-9]{10,23})(?![0-9A-Za-z])"
        ),
    ),
    (
        "SOCIAL_SECURITY",
        "cue",
        re.compile(
            r"(?:社保卡?|社会保障卡?)(?:号码?|编号|账号)\s?(?:是|为|[::])?\s?(?P<v>[0-9A-Z][0-9]{8})(?![0-9A-Za-z])"
        ),
    ),
    ("STUDENT_ID", "cue", re.compile(r"(?:学号|学籍号)\s?(?:是|为|[::])?\s?(?P<v>[0-9A-Za-z]{6,14})(?![0-9A-Za-z])")),
    (
        "REAL_ESTATE_UNIT",
        "shape",
        re.compile(r"(?<![0-9A-Za-z])(?P<v>[1-8][0-9]{5} ?[0-9]{6} ?[A-Z]{2}[0-9]{5} ?[FLQW][0-9]{8})(?![0-9A-Za-z])"),
    ),
    (
        "LANDLINE",
        "cue",
        re.compile(r"(?:座机|固话|固定电话|传真)\s?(?:是|为|[::])?\s?(?P<v>[2-8][0-9]{2,3}-?[0-9]{4})(?![0-9A-Za-z])"),
    ),
    (
        "GPS",
        "cue",
        re.compile(
            r"(?:经度|纬度|(?<![A-Za-z])l(?:at|ng|on)(?:itude|gitude)?)\s?[=::]?\s?(?P<v>[0-9]{1,3}\.[0-9]{4,})(?![0-9A-Za-z])",
            re.IGNORECASE,
        ),
    ),
    (
        "PERSON",
        "cue",
        re.compile(
            r"(?:姓名|家属|患者|病人|联系人|户主|申请人|法定代表人|监护人|当事人|经办人|本人)\s?(?:姓名|叫|是|为|[::])?\s?(?P<v>{SURNAME}[\u4e00-\u9fff]{1,2}?)(?=来电|致电|去世|签字|签名|先生|女士|同志|的|[,,。;;、:( )\s]|$|[0-9A-Za-z])".replace(
                "{SURNAME}", SURNAME
            )
        ),
    ),
)
"""Patterns led by a cue word; ``v`` is the span that is reported."""
