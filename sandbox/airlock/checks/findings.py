"""What a check says: rule, place, count, and for every rule its words and advice. Never a cell value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.inside.parse import WORDS


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its words. ``blocking`` rules make approval impossible."""

    name: str
    blocking: bool
    zh: str
    en: str
    advice_zh: str
    advice_en: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: which rule, in which file and column, how many cells or rows."""

    rule: str
    file: str = ""
    column: str = ""
    count: int = 0
    code: str = ""
    """The parser's reason for a refused file."""
    other: str = ""
    """What it was compared with: kind and short id of an exposure, and its file."""

    @property
    def blocking(self) -> bool:
        """Whether the output cannot leave while this stands."""
        return RULES[self.rule].blocking

    def to_json(self, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """For checkers and, on practice output, for the author. ``values`` fill the rule's sentence."""
        rule = RULES[self.rule]
        filled = {"count": self.count, "other": self.other, "column": self.column, **(values or {})}
        zh, en = rule.zh.format(**filled), rule.en.format(**filled)
        if self.code in WORDS:
            zh, en = f"{zh}：{WORDS[self.code][0]}", f"{en}: {WORDS[self.code][1]}"
        return {
            "rule": self.rule,
            "severity": "error" if rule.blocking else "warning",
            "blocking": rule.blocking,
            "file": self.file,
            "column": self.column,
            "count": self.count,
            "other": self.other,
            "zh": f"{zh}；{rule.advice_zh.format(**filled)}",
            "en": f"{en}; {rule.advice_en.format(**filled)}",
            "message": {"zh": zh, "en": en},
            "advice": {"zh": rule.advice_zh.format(**filled), "en": rule.advice_en.format(**filled)},
        }


_TABLE: Final = [
    Rule(
        "no_output",
        True,
        "没有可以审查的表格",
        "there is no table to check",
        "把结果写成 /out 下的 CSV 文件",
        "write the result as a CSV file below /out",
    ),
    Rule(
        "file_type",
        True,
        "文件类型不允许，或内容与扩展名不符",
        "the file type is not admitted, or the content is another than its name says",
        "只放行表格（CSV、TSV、Parquet、JSON、TXT）；图请写成汇总表和 .figure.json 说明，由服务重绘",
        "only tables leave (CSV, TSV, Parquet, JSON, TXT); for a figure write its aggregate table and a .figure.json, "
        "from which the service draws it",
    ),
    Rule(
        "undefined_number",
        False,
        "{count} 个无穷大或非数值已视为空",
        "{count} infinite or undefined numbers became empty",
        "请在代码中处理除以零等情况",
        "handle divisions by zero in the code",
    ),
    Rule(
        "too_many_files",
        True,
        "文件过多（{count} 个）",
        "too many files ({count})",
        "至多 {max_files} 个文件",
        "at most {max_files} files",
    ),
    Rule(
        "too_large",
        True,
        "文件过大（{count} 字节）",
        "the file is too large ({count} bytes)",
        "每个文件至多 {max_bytes} 字节",
        "at most {max_bytes} bytes a file",
    ),
    Rule(
        "too_many_rows",
        True,
        "行数过多（{count} 行）",
        "too many rows ({count})",
        "汇总到更粗的分组；至多 {max_rows} 行",
        "group more coarsely; at most {max_rows} rows",
    ),
    Rule(
        "too_many_columns",
        True,
        "列数过多（{count} 列）",
        "too many columns ({count})",
        "至多 {max_columns} 列",
        "at most {max_columns} columns",
    ),
    Rule(
        "too_many_cells",
        True,
        "单元格过多（{count} 个）",
        "too many cells ({count})",
        "至多 {max_cells} 个单元格",
        "at most {max_cells} cells",
    ),
    Rule(
        "dense",
        True,
        "内容压缩后仍过大（{count} 字节），像是原始记录而不是汇总",
        "still {count} bytes after compression: looks like records, not aggregates",
        "只保留分组汇总；压缩后至多 {max_compressed} 字节",
        "keep group aggregates only; at most {max_compressed} bytes compressed",
    ),
    Rule(
        "duplicate_columns",
        True,
        "有 {count} 个列名重复或为空",
        "{count} column names are repeated or empty",
        "给每一列不同的名称",
        "give every column its own name",
    ),
    Rule(
        "unregistered_kind",
        True,
        "不是已登记的产出类型（频数表、数值汇总表、模型摘要）",
        "not a registered kind (frequency table, magnitude table, model summary)",
        "给出分组列、人数列 n 和汇总值；模型给出 term、estimate 和 n",
        "give group columns, a count column n and aggregates; for a model term, estimate and n",
    ),
    Rule(
        "other_kind",
        False,
        "无法识别产出类型",
        "the kind of output is not recognised",
        "审查员需要更多说明",
        "checkers need more context",
    ),
    Rule(
        "no_counts",
        True,
        "没有每组的人数",
        "no underlying counts",
        "加一列 n：每组有多少人",
        "add a column n: how many persons each group has",
    ),
    Rule(
        "small_count",
        True,
        "{count} 个单元格是小计数（小于 {threshold}）",
        "{count} cells are small counts (below {threshold})",
        "合并分组，或删去人数少于 {threshold} 的组",
        "merge groups, or drop groups of fewer than {threshold}",
    ),
    Rule(
        "bad_count",
        True,
        "{count} 个人数为负或不是整数",
        "{count} counts are negative or not whole",
        "人数列只能是非负整数",
        "a count column holds whole numbers from 0",
    ),
    Rule(
        "missing_count",
        False,
        "{count} 个人数为空（被隐去）",
        "{count} counts are empty (suppressed)",
        "确认不能由合计推出",
        "make sure that totals do not give them away",
    ),
    Rule(
        "zero_count",
        False,
        "{count} 个人数为零：可能透露某类人不存在",
        "{count} counts are zero: they may tell that a group has nobody",
        "考虑合并或删去空组",
        "consider merging or dropping empty groups",
    ),
    Rule(
        "unrounded_count",
        True,
        "{count} 个人数不是 {rounding} 的倍数",
        "{count} counts are not multiples of {rounding}",
        "把人数取整到 {rounding} 的倍数，例如 (n / {rounding}).round() * {rounding}",
        "round counts to multiples of {rounding}, e.g. (n / {rounding}).round() * {rounding}",
    ),
    Rule(
        "suppressed_by_total",
        True,
        "{count} 个被隐去的人数可由合计减出",
        "{count} suppressed counts follow from the total by subtraction",
        "再隐去一个组，或删去合计行",
        "suppress a second group, or drop the total",
    ),
    Rule(
        "small_remainder",
        False,
        "合计与各组之和相差一个小计数",
        "total and sum of the groups differ by a small count",
        "由取整后的各组重新求合计",
        "compute the total from the rounded groups",
    ),
    Rule(
        "small_share",
        True,
        "{count} 个占比对应的人数小于 {threshold}",
        "{count} shares stand for fewer than {threshold} persons",
        "合并分组，或删去这些占比",
        "merge groups, or drop these shares",
    ),
    Rule(
        "full_share",
        False,
        "{count} 个占比为 0 或 100%：说明组内人人相同",
        "{count} shares are 0 or 100 %: everybody in the group is alike",
        "考虑合并分组",
        "consider merging groups",
    ),
    Rule(
        "share_without_count",
        True,
        "有占比而没有人数列",
        "shares without a count column",
        "加一列 n：每组有多少人",
        "add a column n: how many persons each group has",
    ),
    Rule(
        "extreme_value",
        True,
        "最大值、最小值、分位数会暴露个人的值",
        "minimum, maximum and quantiles show single persons' values",
        "改用均值，或把值分段后给频数；5% 至 95% 的分位数取两位有效数字、两侧各有 {quantile_tail} 人以上时可交人判断",
        "give means, or frequencies over bands; quantiles of 5 to 95 %, to two digits and with {quantile_tail} persons "
        "on either side, are left to people",
    ),
    Rule(
        "quantile",
        False,
        "{count} 个分位数：两侧人数足够，只有两位有效数字",
        "{count} quantiles: enough persons on either side, two digits",
        "审查员请看取值是否很少",
        "checkers look whether few different values are possible",
    ),
    Rule(
        "zero_spread",
        False,
        "{count} 个标准差为零：组内人人相同",
        "{count} standard deviations are zero: everybody in the group is alike",
        "考虑合并分组",
        "consider merging groups",
    ),
    Rule(
        "saturated_model",
        True,
        "模型的剩余自由度少于 {degrees_of_freedom}，或未给出样本量",
        "fewer than {degrees_of_freedom} residual degrees of freedom, or no number of observations",
        "减少变量，并给出样本量 n",
        "use fewer variables and give the number of observations n",
    ),
    Rule(
        "low_order_digits",
        False,
        "{count} 个数超过 {digits} 位有效数字；放行时会被截短",
        "{count} numbers have more than {digits} significant digits; they are cut on release",
        "按需要先取整",
        "round first if that matters",
    ),
    Rule(
        "identifier",
        True,
        "{count} 个单元格像证件号、电话、邮箱等标识符",
        "{count} cells look like identity numbers, telephones, e-mail addresses or the like",
        "不要输出个人标识符",
        "never output personal identifiers",
    ),
    Rule(
        "identifier_column",
        True,
        "列名是直接标识符",
        "the column is a direct identifier",
        "删去这一列",
        "drop this column",
    ),
    Rule(
        "long_text",
        True,
        "{count} 个标签超过 {max_text} 个字符",
        "{count} labels are longer than {max_text} characters",
        "使用简短的类别名称",
        "use short category names",
    ),
    Rule(
        "too_many_labels",
        True,
        "列中有 {count} 个不同的标签",
        "the column has {count} distinct labels",
        "每列至多 {max_labels} 个类别",
        "at most {max_labels} categories a column",
    ),
    Rule(
        "control_characters",
        True,
        "{count} 个单元格含有控制字符或以公式符号开头",
        "{count} cells hold control characters or begin like a formula",
        "标签只用普通文字",
        "use plain words as labels",
    ),
    Rule(
        "duplicate_groups",
        True,
        "{count} 行的分组重复：每组应只有一行",
        "{count} rows repeat a group: one row a group",
        "先分组汇总，再输出",
        "group and aggregate before writing",
    ),
    Rule(
        "new_column",
        True,
        "{count} 个列名在试运行中没有出现",
        "{count} column names did not occur in the dry run",
        "列名要写在代码里，不能来自数据",
        "column names must stand in the code, not come from data",
    ),
    Rule(
        "new_file_name",
        False,
        "文件名在试运行中没有出现，已由系统改名",
        "the file name did not occur in the dry run and was replaced",
        "文件名要写在代码里，不能来自数据",
        "file names must stand in the code, not come from data",
    ),
    Rule(
        "new_label",
        True,
        "{count} 个标签既不在代码表、代码和试运行中，也不是常见类别",
        "{count} labels are in no code list, code or dry run, and no frequent category either",
        "标签应来自代码表",
        "labels must come from code lists",
    ),
    Rule(
        "unusual_label",
        False,
        "{count} 个标签既不在代码表、代码和试运行中，也不是常见类别",
        "{count} labels are in no code list, code or dry run, and no frequent category either",
        "请审查员核对",
        "checkers look at these",
    ),
    Rule(
        "raw_value",
        True,
        "{count} 个单元格与原始数据中少于 {threshold} 条记录的值相同",
        "{count} cells equal a value that fewer than {threshold} raw records have",
        "只输出汇总后的类别",
        "output aggregated categories only",
    ),
    Rule(
        "raw_row",
        True,
        "{count} 行与少于 {threshold} 条原始记录相同",
        "{count} rows equal fewer than {threshold} raw records",
        "只输出分组汇总",
        "output group aggregates only",
    ),
    Rule(
        "small_group_in_raw",
        True,
        "{count} 行的分组在原始数据中少于 {threshold} 条记录，与所报人数不符",
        "{count} rows name groups with fewer than {threshold} raw records, whatever count they state",
        "人数须为真实的不同人数",
        "counts must be true counts of distinct persons",
    ),
    Rule(
        "raw_numbers",
        True,
        "{count} 个数与原始数据列逐一相同",
        "{count} numbers are the very numbers of a raw column",
        "只输出汇总值",
        "output aggregates only",
    ),
    Rule(
        "encoded_value",
        True,
        "{count} 个标签换一种写法就是原始数据中少于 {threshold} 条记录的值",
        "{count} labels are, written another way, values that fewer than {threshold} raw records have",
        "只输出汇总后的类别",
        "output aggregated categories only",
    ),
    Rule(
        "encoded_text",
        True,
        "{count} 个标签像摘要值或编码后的数据",
        "{count} labels look like digests or packed data",
        "使用可读的类别名称",
        "use category names that people can read",
    ),
    Rule(
        "dense_labels",
        True,
        "来历不明的标签压缩后仍有 {count} 字节，像是夹带的数据",
        "labels of unknown origin hold {count} bytes after compression: they look like smuggled data",
        "标签应来自代码表；来历不明的标签压缩后至多 {max_strange_text} 字节",
        "labels must come from code lists; those of unknown origin hold at most {max_strange_text} bytes compressed",
    ),
    Rule(
        "numbered_rows",
        False,
        "{count} 个标签只是行号：像是逐条记录而不是分组",
        "{count} labels only number the rows: they look like records, not groups",
        "用有含义的分组",
        "use groups that mean something",
    ),
    Rule(
        "disguised_numbers",
        True,
        "{count} 个数由原始数据列逐一换算而来（平移、倍数、函数或拼接）",
        "{count} numbers are those of a raw column in disguise (shifted, scaled, through a function or in parts)",
        "只输出汇总值",
        "output aggregates only",
    ),
    Rule(
        "overstated_count",
        True,
        "{count} 行所报人数多于原始数据中这一组的记录数",
        "{count} rows state more persons than the group has raw records",
        "人数须为真实的不同人数",
        "counts must be true counts of distinct persons",
    ),
    Rule(
        "counts_unlike_raw",
        False,
        "{count} 行所报人数与原始数据中各组的大小无关",
        "the counts of {count} rows do not follow the sizes of their groups in the raw data",
        "审查员请看代码：人数是否为真实计数；若只统计一部分记录，请在代码中说明",
        "checkers read the code: are these true counts? if only a part of the records is meant, say so in the code",
    ),
    Rule(
        "means_unlike_raw",
        False,
        "{count} 个均值不是所报各组的均值",
        "{count} means are not those of the groups that are stated",
        "审查员请看代码：均值如何得出；列名应说明所做的变换",
        "checkers read the code: where do the means come from? a column's name says what was done to it",
    ),
    Rule(
        "groups_left_out",
        False,
        "少了 {count} 个与所列各组一样大的组：哪些组出现可能是暗码",
        "{count} groups as large as those shown are missing: which are there may be a code",
        "列出全部人数足够的组",
        "give every group that is large enough",
    ),
    Rule(
        "dominance",
        True,
        "{count} 个汇总值中一条记录占 {dominance_percent}% 以上",
        "one record holds more than {dominance_percent} % of {count} aggregates",
        "合并分组，或只给频数",
        "merge groups, or give counts only",
    ),
    Rule(
        "small_difference",
        False,
        "两列（或两张表）中同一组的人数相差一个小计数：{count} 组",
        "counts of the same group in two columns or tables differ by a small count in {count} groups",
        "两者之差也是一个计数，须不小于 {threshold}",
        "the difference is a count too and must be at least {threshold}",
    ),
    Rule(
        "perfect_fit",
        True,
        "模型完全拟合：系数就是记录本身的值",
        "the model fits perfectly: its coefficients are the records' own values",
        "减少变量，增加样本",
        "use fewer variables and more observations",
    ),
    Rule(
        "differencing",
        False,
        "与 {other} 的同类表（{column}）相差小计数：{count} 个单元格",
        "differs from {other} (by {column}) by small counts in {count} cells",
        "请审查员比较两张表：相减所得的人数须不小于 {threshold}",
        "compare the two tables: what one less the other leaves must be at least {threshold} persons",
    ),
    Rule(
        "differencing_values",
        True,
        "与 {other}（{column}）相减，可得不足 {threshold} 人的汇总值：{count} 个单元格",
        "less {other} (by {column}), it gives aggregates of fewer than {threshold} persons in {count} cells",
        "使用与此前相同的人群，或等新增的人足够多",
        "use the same persons as before, or wait until enough are new",
    ),
    Rule(
        "beside_noise",
        False,
        "与固定口径统计（{other}，{column}）并列：{count} 个单元格的噪声可由此推出",
        "stands beside fixed tables ({other}, by {column}): the noise of {count} of their cells follows",
        "请审查员考虑是否需要这些分组",
        "consider whether these groups are needed",
    ),
    Rule(
        "not_compared",
        False,
        "没有与 {other} 比对：它的内容已不在，或无法读取",
        "was not compared with {other}: its content is gone or cannot be read",
        "请审查员自行查阅",
        "checkers look it up",
    ),
    Rule(
        "compared_later",
        False,
        "密封产出会与 {other}（{column}）比对；仿真数据的数值不作比对，因为没有意义",
        "the sealed output will be compared with {other} (by {column}); practice figures are not: they mean nothing",
        "两次结果的人群应相同，或相差不少于 {threshold} 人",
        "both should be about the same persons, or differ by at least {threshold}",
    ),
    Rule(
        "figure_kind",
        True,
        "这种图不能出域：散点、密度等图画的是个体",
        "this kind of figure cannot leave: scatter plots, densities and the like show individuals",
        "只重绘 bar、grouped_bar、line、heat_map、box；先分组汇总",
        "bar, grouped_bar, line, heat_map and box are redrawn; aggregate into groups first",
    ),
    Rule(
        "figure_table",
        True,
        "图所指的表不在产出中",
        "the table of the figure is not among the outputs",
        "把表与图的说明写在同一处，table 写表的文件名",
        "write the table beside the figure's words; table is the name of its file",
    ),
    Rule(
        "figure_column",
        True,
        "图的 {count} 处列不存在，或不能放在那根轴上",
        "{count} columns of the figure are not in its table or cannot stand on that axis",
        "x 与 series 为分组列（或年、月），y 为数值列；grouped_bar 与 heat_map 须有 series；box 须有 3 或 5 个分位数列",
        "x and series are group columns (or years, months), y is a number; grouped_bar and heat_map need a series, "
        "a box three or five columns of quantiles",
    ),
    Rule(
        "figure_of_records",
        True,
        "图画的是逐条记录：表中没有人数列，或 {count} 行与别的行画在同一处",
        "the figure shows records: its table has no counts, or {count} rows share a mark with another",
        "每个标记须是一个有人数的组：按 x（和 series）分组汇总，并加一列 n",
        "every mark must be a counted group: aggregate by x (and series) and add a column n",
    ),
    Rule(
        "figure_marks",
        True,
        "图有 {count} 个标记或系列，过多",
        "the figure has {count} marks or series, which is too many",
        "汇总到更粗的分组；至多 {max_figure_marks} 个标记、8 个系列",
        "group more coarsely; at most {max_figure_marks} marks and 8 series",
    ),
    Rule(
        "new_figure",
        True,
        "图的说明与试运行中的不同：文字可能来自数据",
        "the words of the figure are not those of the dry run: they may come from data",
        "图的种类、列名和标题写在代码里，每次运行都相同",
        "kind, columns and title must stand in the code and be the same in every run",
    ),
    Rule(
        "join_few_persons",
        True,
        "导入数据与原始表关联后，匹配或未匹配的人数少于 {threshold}：结果会说出某些人在不在表中",
        "fewer than {threshold} persons match, or do not: a result of this join tells who is in the table",
        "这次运行的任何产出都不能放行；作者换用人数足够的导入后重新提交",
        "no output of this run can leave; the author submits again with an import of enough persons",
    ),
    Rule(
        "join_all_or_nobody",
        False,
        "导入数据中的人全部在原始表中，或一个也不在：任何人数都会说出这一点",
        "all persons of the import are in the table, or none is: any count of them tells it",
        "请审查员判断产出是否透露了这一点",
        "checkers judge whether the output tells it",
    ),
    Rule(
        "join_small_group",
        True,
        "按导入数据的分组：{count} 组中匹配或未匹配的人数少于 {threshold}",
        "by a group of the import: in {count} groups fewer than {threshold} persons match, or do not",
        "合并分组",
        "merge groups",
    ),
    Rule(
        "run_not_ok",
        True,
        "作业没有正常结束",
        "the job did not end normally",
        "请在仿真数据上修正",
        "fix it on practice data",
    ),
]
RULES: Final[dict[str, Rule]] = {rule.name: rule for rule in _TABLE}
