"""The words of report pages, in Chinese and English; families as in GB/T 37964-2019 and ISO/IEC 20889:2018."""

from typing import Final, Literal

Language = Literal["zh", "en"]


def word(name: str, lang: Language) -> str:
    """The word of that name."""
    return WORDS[name][lang == "en"]


FAMILIES: Final[dict[str, tuple[str, str]]] = {
    "suppression": ("抑制技术", "suppression"),
    "generalization": ("泛化技术", "generalization"),
    "randomization": ("随机化技术", "randomization"),
    "pseudonymization": ("假名化技术", "pseudonymization"),
    "cryptographic": ("密码技术", "cryptographic tools"),
    "statistical": ("统计技术", "statistical tools"),
    "sampling": ("统计技术：抽样", "statistical tools: sampling"),
    "synthetic": ("数据合成技术", "synthetic data"),
    "text": ("自由文本", "free text"),
    "none": ("不处理", "kept as it is"),
}

LOSSES: Final[dict[str, tuple[str, str]]] = {
    "kept": ("原样保留，损失为 0", "kept as it is: 0"),
    "dropped": ("值不再出现，损失为 1", "the value no longer appears: 1"),
    "token": ("只剩是否相等，损失计为 1", "only equality is left: counted as 1"),
    "distance": (
        "数值的平均改变量除以 √2 倍标准差（IL1s，Yancey 等，2002）",
        "mean change over √2 standard deviations (IL1s; Yancey et al., 2002)",
    ),
    "extent": (
        "数值所归各组的平均宽度除以取值范围（NCP，Xu 等，2006；LM，Iyengar，2002）",
        "mean width of the groups over the width of the domain (NCP; Xu et al., 2006; LM; Iyengar, 2002)",
    ),
    "entropy": (
        "失去的信息量占原有信息量的比例 H(原值|脱敏值)/H(原值)（De Waal 与 Willenborg，1999）",
        "share of the information that is gone, H(raw|masked)/H(raw) (De Waal and Willenborg, 1999)",
    ),
    "changed": ("有内容被替换的文本所占比例", "share of texts in which something was replaced"),
}

LOSS_NAMES: Final[dict[str, tuple[str, str]]] = {
    "kept": ("保留", "kept"),
    "dropped": ("删除", "gone"),
    "token": ("假名", "token"),
    "distance": ("改变量", "change"),
    "extent": ("组宽", "width"),
    "entropy": ("信息量", "information"),
    "changed": ("替换", "replaced"),
}

LIMITS: Final[dict[str, tuple[str, str]]] = {
    "k_anonymity": ("k-匿名：等价类最少人数", "k-anonymity: persons in a class"),
    "distinct_l_diversity": ("l-多样性：不同敏感值", "l-diversity: distinct sensitive values"),
    "entropy_l_diversity": ("熵 l-多样性", "entropy l-diversity"),
    "recursive_cl_diversity": ("递归 (c, l)-多样性", "recursive (c, l)-diversity"),
    "t_closeness": ("t-接近性：与全表分布之差", "t-closeness: distance to the whole table"),
    "max_risk": ("最高重标识风险", "highest re-identification risk"),
    "average_risk": ("平均重标识风险", "average re-identification risk"),
    "population_uniqueness": ("总体唯一者的估计比例", "estimated share of population uniques"),
    "k_map": ("k-map：总体中的人数", "k-map: persons of the population"),
    "delta_presence": ("δ-存在性", "δ-presence"),
}

WITHHELD: Final[dict[str, tuple[str, str]]] = {
    "dropped": ("已删除", "dropped"),
    "identifier": ("直接标识符不列出取值", "values of a direct identifier are not listed"),
    "text": ("自由文本不列出取值", "free text is not listed"),
    "token": ("假名不列出取值", "pseudonyms are not listed"),
    "persons": (
        "脱敏后的表中数不出每个取值有多少人，不公开分布",
        "the masked table does not tell how many persons stand behind a value",
    ),
    "values": ("没有足够多的人共有的取值", "no value is shared by enough persons"),
    "aggregate": ("只发布统计表", "only the aggregate is published"),
}

WORDS: Final[dict[str, tuple[str, str]]] = {
    "report": ("去标识化报告", "De-identification report"),
    "internal": ("内部报告：不得外传", "internal: not to be passed on"),
    "public": ("公开报告：只依据脱敏后的表", "public: from the masked table only"),
    "test_data": (
        "测试数据：假名看似有效，不得作为版本发布",
        "test data: surrogates look valid; never to be published as an edition",
    ),
    "summary": ("结论", "Outcome"),
    "effect": ("去标识化效果", "Effect of de-identification"),
    "legal_status": ("法律状态", "Legal status"),
    "level": ("数据级别", "Data level"),
    "kind": ("形式", "Form"),
    "microdata": ("微数据（逐条记录）", "microdata (records)"),
    "aggregate": ("聚合数据（统计表）", "aggregate data (a table of cells)"),
    "anonymizable": ("可否由专人签字认定为匿名化", "May a named person sign it as anonymous"),
    "yes": ("可以", "yes"),
    "no": ("不可以", "no"),
    "figures": ("风险与规模", "Risk and size"),
    "figures_caption": ("处理前后的规模与重标识风险", "size and re-identification risk before and after"),
    "figures_public": ("处理后的规模与重标识风险", "size and re-identification risk after masking"),
    "colon": ("：", ": "),
    "measure": ("度量", "measure"),
    "before": ("处理前", "before"),
    "after": ("处理后", "after"),
    "rows": ("记录（条）", "records"),
    "left_out": ("按策略剔除（条）", "left out by the policy (records)"),
    "suppressed": ("因达不到限值剔除（条）", "suppressed to meet the limits (records)"),
    "persons": ("人数（人）", "persons"),
    "classes": ("等价类（个）", "equivalence classes"),
    "k": ("最小等价类 k（人）", "smallest class k (persons)"),
    "k_limit": ("最小等价类 k（人，策略限值）", "smallest class k (persons; limit of the policy)"),
    "risk_max": ("最高重标识风险", "highest re-identification risk"),
    "risk_average": ("平均重标识风险", "average re-identification risk"),
    "unique": ("可单独区分的人", "persons who stand alone"),
    "uniqueness_all": ("全列组合下唯一的记录", "records unique over all columns"),
    "distinct_l": ("敏感值种数下限 l：", "least number of sensitive values l: "),
    "risk_plot": ("重标识风险，处理前后", "re-identification risk before and after"),
    "quasi": ("计入风险的准标识符", "Quasi-identifiers that the risk counts"),
    "derived": ("由假名派生的准标识符", "Quasi-identifiers derived from pseudonyms"),
    "none": ("无", "none"),
    "claims": ("已证明满足的限值", "Limits proved to be met"),
    "claims_caption": (
        "每个等价类（含被抑制记录组成的一类）均另行检验，全部满足后才输出",
        "every class, that of suppressed records too, was checked by separate code before output",
    ),
    "limit": ("限值", "limit"),
    "asked": ("要求", "asked"),
    "found": ("实测", "found"),
    "recoding": ("准标识符的泛化", "How the quasi-identifiers were generalized"),
    "recoding_kind": ("方式", "Way"),
    "recoding_local": ("局部泛化（各等价类分别）", "local: each class by itself"),
    "recoding_global": ("全局泛化（整列同一层级）", "global: one level for a column"),
    "granularity": ("粒度（1 为未处理）", "Granularity (1: the untouched table)"),
    "starred": ("全部写作 * 的记录（条）", "Records with * in all of them"),
    "left_records": ("因仍达不到限值而剔除（条）", "Left out since even so they break a limit (records)"),
    "optimal": ("最优性", "Optimality"),
    "optimal_yes": ("同类方案中损失最小（已证明）", "no plan of this kind loses less (proved)"),
    "optimal_no": ("搜索所得的最好方案", "the best that the search found"),
    "levels": ("各层级的记录比例（0 为原值）", "share of records at each level (0: the value itself)"),
    "levels_plot": (
        "各属性的记录处于哪一层级：颜色越深越粗",
        "at which level the records of each attribute are: the darker, the coarser",
    ),
    "drill": ("关联攻击演练", "Linkage drill"),
    "drill_note": (
        "攻击者持有全部原始准标识符和姓名，知道谁在表中、策略与算法，逐人在发布的记录中寻找。这里只有数值，不写出任何取值。",
        (
            "An attacker who holds every raw quasi-identifier with names, and knows who is in the table, the policy "
            "and the algorithm, looks for each person among the released records. Figures only, never a value."
        ),
    ),
    "attack": ("攻击方式", "Attack"),
    "attack_algorithm": (
        "重新运行算法，得知每人所在的等价类",
        "runs the algorithm again and knows the class of everybody",
    ),
    "attack_matching": ("逐类匹配：每人只占一个位置", "matching: everybody has one place"),
    "attack_distance": ("取距离最近的记录", "takes the nearest record"),
    "attack_bound": ("（强于实际可行的攻击，作为上界）", " (more than is feasible: an upper bound)"),
    "attacked": ("被攻击的记录 / 发布的记录（条）", "Records attacked / released"),
    "max_probability": ("指认某人的最高概率", "Greatest probability of naming a person"),
    "expected": ("指认的平均概率", "Mean probability"),
    "successes": ("实际指认成功（次，95 % 界限）", "Named in fact (and the rate's 95 % bounds)"),
    "baseline": ("盲猜", "Blind guessing"),
    "sharing_full_public": ("完全公开的阈值", "Threshold of full publication"),
    "sharing_controlled": ("受控共享的阈值", "Threshold of controlled sharing"),
    "drill_passed": ("通过", "passed"),
    "drill_failed": ("未通过", "not passed"),
    "knowledge": ("攻击者如何看待各准标识符", "how the attacker reads each quasi-identifier"),
    "way": ("所知", "knows"),
    "way_hierarchy": ("泛化层次", "its hierarchy"),
    "way_pairs": ("每个原值变为什么", "what each raw value becomes"),
    "way_distance": ("随机改变：取最近的值", "it moved by chance: the nearest value"),
    "inference": ("对敏感属性的推断（概率）", "what is inferred of sensitive attributes (probability)"),
    "posterior": ("任一取值的最高概率", "greatest probability of a value"),
    "minimality": ("知道限值可增加的概率", "added by knowing the limits"),
    "records": ("对整条记录的处理", "Techniques on whole records"),
    "suppression.record": ("剔除符合条件的记录", "records that meet a condition are left out"),
    "sampling.simple": ("抽样", "sampling"),
    "share": ("比例", "share"),
    "keys": ("密钥（只有名称）", "Keys (names only)"),
    "keys_caption": ("所用密钥的名称与密钥域", "names and domains of the keys used"),
    "key": ("密钥", "key"),
    "version": ("版本", "version"),
    "datasets": ("可用的数据集", "datasets that may use it"),
    "joins": ("可连接的属性", "attributes that join"),
    "all": ("全部", "all"),
    "any": ("不限", "any"),
    "attributes": ("各属性的处理", "Attributes"),
    "attributes_caption": (
        "各属性的角色、技术、参数、损失（0 至 1）与计数",
        "role, technique, parameters, loss (0 to 1) and counts of each attribute",
    ),
    "attribute": ("属性", "attribute"),
    "role": ("角色", "role"),
    "treatment": ("处理", "treatment"),
    "loss": ("损失", "loss"),
    "nulls": ("空值（条）", "nulls (records)"),
    "rejects": ("格式外（条）", "outside the format (records)"),
    "distinct": ("不同值（个）", "different values"),
    "dropped": ("不发布", "not published"),
    "invented": ("虚构的测试数据", "invented test data"),
    "when": ("条件", "when"),
    "otherwise": ("否则", "otherwise"),
    "distributions": ("分布", "Distributions"),
    "others": ("其余合并", "others, pooled"),
    "share_of_records": ("占记录的比例（%）", "share of records (%)"),
    "value": ("取值", "value"),
    "count": ("记录（条）", "records"),
    "data": ("数据表", "as a table"),
    "least": ("只列出至少 {least} 人共有的取值", "only values shared by at least {least} persons"),
    "rounded": ("计数取整到 {base} 的倍数", "counts rounded to multiples of {base}"),
    "sampled": ("按记录抽样计数", "counted in a sample of the records"),
    "merged": ("斜纹：较宽的合并区间或无端点的区间", "hatched: merged, wider bins, or bins without an end"),
    "no_plot": ("没有可列出的分布：", "No distribution to show: "),
    "notes": ("说明", "Notes"),
    "note_loss": ("损失的定义", "How loss is defined"),
    "note_distinct": (
        "不同值在前 131,072 条记录中计数，超过 16,384 个时为估计值。",
        "Different values are counted in the first 131,072 records; above 16,384 the number is an estimate.",
    ),
    "note_risk": (
        "风险是在所列准标识符和“攻击者知道某人在表中”的假设下测得的数值，不等于没有风险。效果是开放的必要条件，不是充分条件。",
        (
            "Risk is measured over the quasi-identifiers named here, for an attacker who knows that a person is in "
            "the table. It is stated, not zero. The effect is necessary for opening, never sufficient."
        ),
    ),
    "note_public": (
        "本报告只依据策略和脱敏后的表；风险数值保留两位有效数字。",
        "This report rests on the policy and the masked table alone; risks have two significant digits.",
    ),
    "note_internal": (
        "“处理前”的数值来自原始表，只供数据提供部门和审查人员使用。",
        "Figures under “before” come from the raw table and are for the providing department and its reviewers only.",
    ),
    "digest": ("策略摘要", "policy digest"),
    "other_language": ("English", "中文"),
}
