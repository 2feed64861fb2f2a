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
