"""Values from standards and public lists, for columns whose policy names no code list.

Sources: GB/T 2261.1 sex, GB/T 2261.2 marital status, GB/T 3304 ethnic groups, GB/T 4658 education, GB/T 4754
industries, GB/T 6565 occupations, ICD-10 (WHO; Chinese clinical edition), ATC (WHO). Short extracts: enough that
code which cuts, groups and joins them runs as it will; how often a value is drawn says nothing about anybody.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ETHNIC_GROUPS: Final = _words(
    "汉族 蒙古族 回族 藏族 维吾尔族 苗族 彝族 壮族 布依族 朝鲜族 满族 侗族 瑶族 白族 土家族 哈尼族 哈萨克族 傣族 黎族 "
    "傈僳族 佤族 畲族 高山族 拉祜族 水族 东乡族 纳西族 景颇族 柯尔克孜族 土族 达斡尔族 仫佬族 羌族 布朗族 撒拉族 "
    "毛南族 仡佬族 锡伯族 阿昌族 普米族 塔吉克族 怒族 乌孜别克族 俄罗斯族 鄂温克族 德昂族 保安族 裕固族 京族 塔塔尔族 "
    "独龙族 鄂伦春族 赫哲族 门巴族 珞巴族 基诺族"
)
LISTS: Final[dict[str, tuple[str, ...]]] = {
    "GENDER": ("男", "女"),
    "MARITAL": ("10", "20", "30", "40"),
    "ETHNICITY": tuple(f"{number:02d}" for number in range(1, len(ETHNIC_GROUPS) + 1)),
    "EDUCATION": ("10", "20", "30", "40", "60", "70", "80", "90"),
    "OCCUPATION": tuple(
        f"{major}-{middle:02d}"
        for major, count in (("1", 6), ("2", 13), ("3", 4), ("4", 15), ("5", 5), ("6", 29))
        for middle in range(1, count + 1)
    ),
    "INDUSTRY": _words(
        "A0111 A0190 B0610 C1311 C2710 C3989 D4412 E4790 E4990 F5135 F5219 F5231 G5430 G5810 H6110 H6210 I6513 J6621 "
        "K7010 K7030 L7211 L7299 M7590 N7820 O8010 O8040 P8321 P8399 Q8411 Q8423 R8610 S9221"
    ),
    "DIAGNOSIS": _words(
        "A09.900 A16.200 B02.900 B18.101 C16.900 C34.900 C50.900 D25.900 D50.900 E04.900 E11.900 E78.500 F32.900 "
        "G40.900 G47.000 H25.900 H52.100 H66.900 I10.x00 I20.900 I25.103 I63.900 J06.900 J18.900 J20.900 J44.900 "
        "J45.900 K02.900 K29.500 K35.900 K80.200 L20.900 L30.900 M17.900 M51.200 N18.900 N20.000 N39.000 O80.000 "
        "P59.900 Q21.100 R10.400 R51.x00 S52.500 S82.800 T14.000 Z01.400 Z51.100"
    ),
    "DRUG": _words(
        "A02BC01 A10BA02 A10BB12 A11CC05 B01AC04 B01AC06 B03BB01 C03CA01 C07AB02 C08CA01 C09AA02 C09CA03 C10AA05 "
        "D07AC01 G03AA07 H02AB06 H03AA01 J01CA04 J01DD04 J01FA10 L01BA01 M01AE01 M05BA04 N02AX02 N02BE01 N05BA12 "
        "N06AB03 R03AC02 R05CB01 R06AE07 S01ED01 V03AF03"
    ),
    "DEPARTMENT": _words("内科 外科 妇产科 儿科 眼科 耳鼻咽喉科 口腔科 皮肤科 急诊科 中医科 康复医学科 肿瘤科"),
    "LINE": tuple(f"练习{number}路" for number in range(1, 31)),
    "STATION": tuple(f"示例{word}站" for word in "一二三四五六七八九十甲乙丙丁戊己庚辛壬癸"),
}
NAMED_GROUPS: Final = {"ETHNICITY": ETHNIC_GROUPS, "MARITAL": ("未婚", "已婚", "丧偶", "离婚")}
"""Words instead of codes, where the title does not name the standard."""
SEXES: Final = {"1": 0, "男": 0, "男性": 0, "male": 0, "m": 0, "2": 1, "女": 1, "女性": 1, "female": 1, "f": 1}
"""0 man, 1 woman, by how a code list spells them."""
SENTENCES: Final[dict[str, tuple[str, ...]]] = {
    "health": (
        "{name}，{days}天前受凉后出现咳嗽、咳痰，体温{temperature}℃，无胸痛。联系电话{phone}。",
        "反复头晕{days}年，血压控制不佳，近{few}日加重，门诊以“高血压”收治。",
        "患者{name}诉上腹部隐痛{days}天，进食后明显，无呕血黑便。",
        "跌倒后右腕肿痛{few}小时，活动受限，家属电话{phone}。",
        "糖尿病复诊，空腹血糖偏高，调整用药后{days}天复查。",
        "皮疹伴瘙痒{days}天，无发热，既往无药物过敏史。",
    ),
    "hotline": (
        "来电人{name}反映练习路{days}号附近夜间施工噪音扰民，电话{phone}，希望尽快处理。",
        "市民反映小区电梯停用{few}天，物业不作为，要求限期维修。",
        "本人{name}咨询异地就医备案需要哪些材料，手机{phone}。",
        "建议示例大道增设公交站点，早晚高峰等车超过{days}分钟。",
    ),
    "reply": (
        "已转辖区街道办理，{few}个工作日内回复来电人，回拨{phone}。",
        "经现场核查情况属实，已协调相关单位于{few}日内整改。",
        "已电话告知来电人所需材料。",
        "经办人{name}回复：已列入{days}日内的工作计划，可致电{phone}查询。",
    ),
    "general": (
        "经办人{name}，联系电话{phone}，材料已于{few}日内补齐。",
        "资料齐全，{days}日后可领取。",
        "情况说明：信息有误，已按流程更正。",
        "备注：共{few}份附件，原件已核对，{name}签收。",
        "需进一步核实，{days}日内答复。",
        "无特殊情况。",
    ),
}
SECTORS: Final = (
    ("reply", ("办理结果", "答复", "回复", "reply")),
    ("health", ("病", "医", "诊", "health", "hospital", "patient", "medical", "clinic")),
    ("hotline", ("热线", "12345", "工单", "诉求", "hotline", "ticket")),
)
