"""Chinese for every sentence of the catalogue, by its English text.

The English text is the key, so a changed sentence has no translation until one is written here:
the generator says which is missing.
"""

from __future__ import annotations

CHINESE: dict[str, str] = {
    "How each review, question or post feels, in English or Chinese.": (
        "判断每条评论、提问或帖子的情感，支持中文和英文。"
    ),
    "positive, negative, neutral or mixed for each text; or its score; or all three columns.": (
        "每条文本的情感：positive（正面）、negative（负面）、neutral（中性）或 mixed（褒贬兼有）；"
        "也可以返回得分，或标签、得分、置信度三列。"
    ),
    "One cell or a range of texts. An empty cell gives an empty answer.": (
        "一个单元格或一个文本区域。空单元格得到空结果。"
    ),
    'What to return: "label"; "score" from -1 (negative) to 1 (positive); or "all" for '
    "label, score and confidence in three columns. label if left out.": (
        '返回内容："label" 标签；"score" 得分，从 -1（负面）到 1（正面）；'
        '"all" 标签、得分、置信度三列。省略时为 label。'
    ),
    "Texts without what scraping and platforms left in them, in English or Chinese.": (
        "去除抓取和平台残留内容后的文本，支持中文和英文。"
    ),
    'What to return: "text", tidied; or "words", its words with a space between them and '
    "without stop words. text if left out.": (
        '返回内容："text" 整理后的文本；"words" 去掉停用词、以空格分隔的词。省略时为 text。'
    ),
    "The tidied text, or its words, of each text.": "每条文本整理后的内容，或其中的词。",
    "Customers by what they bought: how recently, how often, for how much.": (
        "按购买情况划分客户：最近一次、次数和金额。"
    ),
    "The customer of each order line: a column of ids or names. A line without id, date or "
    "amount is left out.": "每行订单的客户：一列编号或姓名。缺少编号、日期或金额的行不计入。",
    "The date of each order line: a column as long as ids.": "每行订单的日期：与 ids 等长的一列。",
    "The amount of each order line, refunds below 0: a column as long as ids.": (
        "每行订单的金额，退款为负数：与 ids 等长的一列。"
    ),
    '"RFM" for scores and a named segment; "CLV" for the orders and the value expected '
    "in the next 52 weeks. RFM if left out.": (
        '"RFM" 给出评分和客群名称；"CLV" 给出未来 52 周的预计订单数和价值。省略时为 RFM。'
    ),
    "How many steps each RFM score has, from 2 to 10. 5 if left out.": (
        "每项 RFM 评分的档数，2 到 10。省略时为 5。"
    ),
    "The day from which recency counts. The last date of the data if left out.": (
        "计算最近一次购买的基准日。省略时为数据中的最后一天。"
    ),
    "A table with a row per customer, its columns named in the first row.": (
        "每位客户一行的表格，第一行是列名。"
    ),
    "From 0 to 1: where the model is less sure of its label than this, the answer is "
    "#N/A. 0 if left out.": ("0 到 1 之间的数：模型对标签的把握低于它时返回 #N/A。省略时为 0。"),
}


def chinese(english: str) -> str:
    """`english` in Chinese.

    Raises: KeyError naming the sentence that has no translation yet.
    """
    try:
        return CHINESE[english]
    except KeyError:
        raise KeyError(
            f"No Chinese text for {english!r}. Write one in addin/chinese.py; "
            "the task pane and Excel's function help are shown in both languages."
        ) from None
