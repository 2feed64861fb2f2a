"""Chinese for the functions of udfs/catalogue_deciding.py; addin/chinese.py collects it."""

from __future__ import annotations

DECIDING: dict[str, str] = {
    "How good predictions were: right answers, per label, calibration; what was left out.": (
        "预测有多准：正确率、各标签表现、置信度是否可信，以及排除了哪些行。"
    ),
    "Labels, probabilities from 0 to 1, or numbers: one column; or labels and beside them "
    "their confidence. A heading may stand in the first row.": (
        "标签、0 到 1 的概率或数值，一列；也可以是标签和旁边的置信度两列。第一行可以是标题。"
    ),
    "What was true, in the same rows: labels, or for probabilities 1 and 0, TRUE and FALSE "
    "or yes and no.": ("同一行的实际结果：标签；对概率则为 1 和 0、TRUE 和 FALSE 或 是 和 否。"),
    "A table: accuracy, macro-F1, each label's precision and recall, confusion, "
    "calibration; each with rows, a 95 % interval where there is one, and words.": (
        "一个表格：正确率、宏平均 F1、各标签的精确率和召回率、混淆矩阵、校准；每项附行数、95% 区间"
        "（如有）和文字说明。"
    ),
    "The models that answer: version, what they were trained on, how good they are.": (
        "给出答案的模型：版本、训练数据、有多准。"
    ),
    "The name of a model, such as encoder: then all that is known of it. A table of all "
    "models, loaded and saved, if left out.": (
        "模型名称，如 encoder：给出它的全部信息。省略时列出所有已加载和已保存的模型。"
    ),
    "What an A/B test or a campaign with a hold-out changed: uplift, interval, p, by segment.": (
        "A/B 测试或带对照组的营销活动带来了什么变化：增量、区间、p 值，可按细分。"
    ),
    "What each row did: 1 and 0 (visited, bought), or an amount such as spend, 0 included. A "
    "heading names it in the words of the answer.": (
        "每行的结果：1 和 0（如访问、购买），或金额（含 0）。标题会用在文字说明中。"
    ),
    "The arm of each row: 1 and 0, yes and no, or names of two or more arms of which one is "
    "called control, hold-out, no ... or A.": (
        "每行所属的组：1 和 0、是 和 否，或两个以上组的名称，"
        "其中一个叫对照组、control、未发送 或 A。"
    ),
    "The segment of each row; or a score such as predicted uplift, which is cut into fifths. No "
    "segments if left out.": (
        "每行的细分；或一个得分（如预测增量），会被分成五等份。省略时不分细分。"
    ),
    "A table: each arm beside the control, each segment, whether they rank the uplift (Qini), "
    "checks. p adjusted counts all comparisons.": (
        "一个表格：各组与对照组之比、各细分、能否按增量排序（Qini）、各项检查。p adjusted "
        "已计入全部比较。"
    ),
    "What moves an outcome, beside what it is mixed up with, in words for a slide.": (
        "什么影响结果（扣除混杂因素），用可直接写进报告的话说明。"
    ),
    "The outcome of each row: yes or no (1 and 0, TRUE and FALSE), a rating or an amount. A "
    "heading names it.": (
        "每行的结果：是或否（1 和 0、TRUE 和 FALSE）、评分或金额。标题就是它的名称。"
    ),
    "What is known of the same rows, with headings: names, numbers, dates, texts. Texts are "
    "read: what they praise or complain about counts.": (
        "同样这些行的已知信息，带标题：名称、数值、日期、文本。文本会被阅读：称赞或抱怨的内容都计入。"
    ),
    "How many factors at most. 10 if left out.": "最多列出多少个因素。省略时为 10。",
    "A table of factors beyond chance, the surest first: effect beside the others (times as "
    "likely, or difference), interval, unadjusted; columns that give the target away are named.": (
        "超出偶然的因素表，最可靠的在前：扣除其他因素后的影响（倍数或差值）、区间、未扣除时的影响；"
        "直接泄露结果的列会被指出。"
    ),
    "A table with a row per model, or per fact: training data with licence, held-out "
    "scores, limits. It is read anew when the sheet is calculated in full.": (
        "每个模型一行（或每条信息一行）的表格：训练数据及许可、测试得分、局限。全部重算时重新读取。"
    ),
}
