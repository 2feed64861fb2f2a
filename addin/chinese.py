"""Chinese for every sentence of the catalogue, by its English text.

The English text is the key, so a changed sentence has no translation until one is written here:
the generator says which is missing.
"""

from __future__ import annotations

from addin.chinese_deciding import DECIDING

CHINESE: dict[str, str] = {
    **DECIDING,
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
    "What texts are about: topics by name, how many mention each, and how they feel.": (
        "文本谈论什么：主题名称、提到它的文本数，以及相关情感。"
    ),
    "The column of texts. A text may mention several topics. Empty cells and errors are left "
    "out.": ("一列文本。一条文本可以提到多个主题。空单元格和错误值不计入。"),
    'Topics of your own, two or more: a range or "delivery;price". Or the name of saved topics '
    "(see shopsheet train): then each text gets the one it says most of. Found in the texts if "
    "left out.": (
        "您自己的主题，至少两个：一个区域或“物流;价格”。也可以是已保存主题的名称（见 shopsheet "
        "train），此时每条文本得到它谈得最多的主题。省略时从文本中找出主题。"
    ),
    "How many topics to find at most, from 1 to 100. 12 if left out.": (
        "最多找出多少个主题，1 到 100。省略时为 12。"
    ),
    'Language of names and terms where texts are mixed: "en", "zh", or "auto" for that of most '
    "texts. auto if left out.": (
        '文本有多种语言时名称和词语所用的语言："en"、"zh"，或 "auto"（多数文本的语言）。'
        "省略时为 auto。"
    ),
    "A table: sentiment is that of the sentences on the topic; effect is how texts with it differ "
    "from the others in sentiment, with a 95 % interval.": (
        "一个表格：sentiment 是谈到该主题的句子的情感；effect 是提到它的文本与其他文本的情感之差，"
        "附 95% 区间。"
    ),
    "What texts judge (price, battery, 物流 ...), in their own words, and how.": (
        "文本评价了什么（价格、电池、物流等）、用了哪些词、评价如何。"
    ),
    'Aspects to look for, in your own words: a range or a list such as "price;battery '
    'life;售后服务". Each becomes a column. All that the texts judge if left out.': (
        '要查找的方面，用您自己的说法：区域或列表，如 "价格;电池续航;售后服务"。每个方面一列。'
        "省略时列出文本评价的所有方面。"
    ),
    '"wide": a column per aspect, blank where a text does not mention it; "long": a table '
    "with a row for each aspect found. wide with aspects, else long.": (
        '"wide" 每个方面一列，文本未提到时为空；"long" 每个找到的方面一行的表格。'
        "给出 aspects 时为 wide，否则为 long。"
    ),
    "positive, negative, neutral or mixed per aspect; or a table with words and places.": (
        "每个方面的 positive、negative、neutral 或 mixed；或包含词语和位置的表格。"
    ),
    "Texts without what scraping and platforms left in them, in English or Chinese.": (
        "去除抓取和平台残留内容后的文本，支持中文和英文。"
    ),
    'What to return: "text", tidied; or "words", its words with a space between them and '
    "without stop words. text if left out.": (
        '返回内容："text" 整理后的文本；"words" 去掉停用词、以空格分隔的词。省略时为 text。'
    ),
    "The tidied text, or its words, of each text.": "每条文本整理后的内容，或其中的词。",
    "The phrases that texts are about, in English or Chinese.": (
        "文本所谈内容的关键短语，支持中文和英文。"
    ),
    "How many phrases, the best first: columns beside each text, or rows of the table. 5 "
    "if left out.": ("短语个数，最好的在前：每条文本旁的列数，或表格的行数。省略时为 5。"),
    '"cell": the phrases of each text in columns; "range": a table of the phrases of all '
    "texts, with score, texts that hold them, their share and a row to read. cell if left "
    "out.": (
        '"cell" 在各列给出每条文本的短语；"range" 给出整个区域的短语表：得分、出现的文本数、占比和'
        "例句所在行。省略时为 cell。"
    ),
    'Words to leave out, such as your brand: a range with one in each cell, or "a;b;c".': (
        "要排除的词，例如您的品牌：一个区域（每格一个），或写成“甲;乙;丙”。"
    ),
    "top_n columns of phrases beside each text, blank where there are fewer; or the table.": (
        "每条文本旁 top_n 列短语，不足时留空；或短语表。"
    ),
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
    "How many steps each RFM score has, from 2 to 10. Or the name of saved cut-points (see "
    "shopsheet train): then customers are judged as those of that time were. 5 if left out.": (
        "每项 RFM 评分的档数，2 到 10。也可以是已保存分界点的名称（见 shopsheet train），"
        "此时按当时的标准评判客户。省略时为 5。"
    ),
    "The day from which recency counts. The last date of the data if left out.": (
        "计算最近一次购买的基准日。省略时为数据中的最后一天。"
    ),
    "A table with a row per customer, its columns named in the first row.": (
        "每位客户一行的表格，第一行是列名。"
    ),
    "From 0 to 1: where the model is less sure of its label than this, the answer is "
    "#N/A. 0 if left out.": ("0 到 1 之间的数：模型对标签的把握低于它时返回 #N/A。省略时为 0。"),
    "Each text under labels of your own, by what it means; a few examples sharpen it.": (
        "按您自己的标签、依据含义为每条文本分类；少量示例会更准。"
    ),
    "The labels to choose from, two or more: a range with one in each cell, or "
    '"price;quality". Or the name of saved labels (see shopsheet train): then descriptions and '
    "examples are left out.": (
        "可选的标签，至少两个：一个区域（每格一个），或写成“价格;质量”。也可以是已保存标签的名称"
        "（见 shopsheet train），此时不填 descriptions 和 examples。"
    ),
    "What each label is about, in a few words: as many as labels, in their order. It helps "
    "where a label alone says little.": (
        "用几个字说明每个标签指什么：数量和顺序与 labels 相同。标签本身说明不了多少时很有用。"
    ),
    "TRUE gives all labels that apply, with a semicolon between them; FALSE the most "
    "probable one. FALSE if left out.": (
        "TRUE 给出所有适用的标签，用分号隔开；FALSE 只给最可能的一个。省略时为 FALSE。"
    ),
    "Texts that you have labelled: two columns, text and label. A row that is not filled in "
    "is left out.": ("您已标注的文本：两列，文本和标签。没有填全的行不计入。"),
    "From 0 to 1: where no label is as probable as this, the answer is #N/A. 0 if left out; "
    "with multi 0.5.": (
        "0 到 1 之间的数：没有标签达到这一概率时返回 #N/A。省略时为 0；multi 为 TRUE 时为 0.5。"
    ),
    "The label of each text, or its labels.": ("每条文本的标签（一个或多个）。"),
    "Looks up a text by its meaning, as XLOOKUP does by its letters.": (
        "按含义查找文本，就像 XLOOKUP 按字面查找。"
    ),
    "One cell or a range of texts to look for. An empty cell gives an empty answer.": (
        "要查找的一个单元格或一个文本区域。空单元格得到空结果。"
    ),
    "The column of texts to look in. The very text comes before all others; of equals the "
    "first counts.": ("在其中查找的一列文本。完全相同的文本优先；同样接近时取第一个。"),
    "The column to answer from, as long as lookup_array. The text found if left out.": (
        "返回结果所在的列，与 lookup_array 等长。省略时返回找到的文本。"
    ),
    "The answer where nothing is near enough. #N/A if left out.": (
        "没有足够接近的文本时返回的值。省略时为 #N/A。"
    ),
    "How many to find, the nearest first, each in a column of its own. 1 if left out.": (
        "要找几个，最接近的在前，每个占一列。省略时为 1。"
    ),
    "How near in meaning, from 0 (anything) to 1 (the very text). 0.5 if left out.": (
        "含义要多接近，从 0（不限）到 1（文本相同）。省略时为 0.5。"
    ),
    "The nearest text, or what stands beside it in return_array.": (
        "含义最接近的文本，或 return_array 中与它同一行的值。"
    ),
    "What reviews say, in sentences that stand in them, praise and complaint alike.": (
        "用评论里原有的句子概括评论内容，好评和差评都有。"
    ),
    "The column of texts. Empty cells and errors are left out. Where there are more than 150,000 "
    "sentences, the first ones of each text are read.": (
        "一列文本。空单元格和错误值不计入。超过 15 万句时，每条文本只读前几句。"
    ),
    "A column as long as texts: each of its values gets a row of its own. Rows without one "
    "are left out. One summary of all if left out.": (
        "与 texts 等长的一列：每个值单独一行；没有值的行不计入。省略时全部合成一条概括。"
    ),
    "How long a summary may be, row numbers aside; a Chinese character counts as a word. 60 "
    "if left out.": ("概括最长多少词，不含行号；一个汉字算一个词。省略时为 60。"),
    "Sentences, each with the rows of texts that say so: its own, then others; +2 is two more.": (
        "若干句子，每句后面是 texts 中这样说的行号：先是它自己的，再是其他的；+2 表示另有两行。"
    ),
    "The need behind each review, question or post, in English or Chinese.": (
        "每条评论、提问或帖子背后的需求，支持中文和英文。"
    ),
    'Your own list of needs, matched by meaning: a range or "faster delivery;lower price". '
    "The need in the text's words if left out.": (
        "您自己的需求清单，按含义匹配：一个区域，或写成“配送更快;价格更低”。省略时用文本自己的词表达。"
    ),
    '"label": the need; "kind": complaint, question, suggestion, praise, purchase intent or '
    'other; "all": need, kind, actionability and evidence; "ranked": a table of the range\'s '
    "needs, then of what is praised. label if left out.": (
        '"label" 需求；"kind" 类型：complaint（抱怨）、question（提问）、suggestion（建议）、'
        "praise（表扬）、"
        'purchase intent（购买意向）或 other（其他）；"all" 需求、类型、可行动性和原文依据；'
        '"ranked" 整个区域的需求排行表，其后是受到表扬的内容。省略时为 label。'
    ),
    "The need in a few words, blank where none is named; four columns; or a table. "
    "Actionability: high names what is asked for, medium does not, low asks for nothing; unsure is "
    "one lower.": (
        "用几个词表达的需求，没有说明需求时为空；或四列；或表格。可行动性：high 说明了要什么，"
        "medium 没有说明，low 没有要求；把握不大时低一级。"
    ),
    "Customers by what they write and buy, in shop, social media and service.": (
        "按客户在店铺、社交媒体和客服中写的和买的，为每位客户画像。"
    ),
    "The customer of each text: a column of ids or names. A row without one is left out.": (
        "每条文本的客户：一列编号或姓名。没有的行不计入。"
    ),
    "Reviews, questions or posts: a column as long as ids.": (
        "评论、提问或帖子：与 ids 等长的一列。"
    ),
    "The date of each text: a column as long as ids. Needed for the trend of sentiment.": (
        "每条文本的日期：与 ids 等长的一列。情感趋势需要它。"
    ),
    "A range of three columns, id, date and amount, with a row per order; refunds below 0. "
    "It has rows of its own, as many as you like. From 100 repeat buyers on, next order leans on "
    "what is usual among them all.": (
        "三列的区域：编号、日期、金额，每个订单一行，退款为负数。行数不必与 ids 相同。"
        "有 100 位以上回头客时，下次订单会参考全体客户的规律。"
    ),
    "Where each text comes from, such as shop, social or service: a column as long as ids.": (
        "每条文本来自哪里，如店铺、社交媒体或客服：与 ids 等长的一列。"
    ),
    "Columns, in your order; all if left out. Blank if too little is known: trend under 6 dated "
    "texts on 3 days, price sensitivity under 5 texts, channel under 3 with half in one, next "
    "order under 4 order days or silent for 2 gaps.": (
        "要哪些列，按您的顺序；省略时为全部。所知太少则为空：趋势需至少 3 天的 6 条有日期文本，"
        "价格敏感度需 5 条，渠道需 3 条且一个过半，下次订单需 4 个下单日且未沉默超过 2 个间隔。"
    ),
    "The day from which recency counts; later rows are not looked at. The last date of the data "
    "if left out.": ("计算最近一次的基准日，之后的行不计入。省略时为数据中的最后一天。"),
    "The numbers to look at: a column with a row per time. Empty cells and errors count as "
    "missing.": "要分析的数值：一列，每个时间一行。空单元格和错误值视为缺失。",
    "The date or time of each value, in any order, with a constant step: days, weeks, months, "
    "hours ... Up to 30 % may be missing; values of one time are averaged.": (
        "每个值的日期或时间，顺序不限，间隔须固定：日、周、月、小时等。最多可缺 30%；"
        "同一时间的多个值取平均。"
    ),
    "A column as long as values: each of its values is a series of its own, such as a product or a "
    "shop. One series if left out.": (
        "与 values 等长的一列：每个不同的值（如商品或店铺）单独成为一个序列。省略时为一个序列。"
    ),
    "What comes next in one series or in thousands: sales, visits, stock.": (
        "预测一个或上千个序列接下来的走势：销量、访问量、库存。"
    ),
    "A table: date (a day number, to be shown as a date; text where yours is), forecast, lo, hi "
    "for each step ahead, after the group if there are groups; or the test.": (
        "一个表格：未来每一步的日期（日期序号，请设为日期格式；您的日期是文本时为文本）、预测值、下限和"
        "上限，有分组时前面是组名；或检验结果。"
    ),
    "How many steps ahead. As many as rows at the end have no value, else as suits the step: 48 "
    "hours, 28 days, 13 weeks, 12 months, 8 quarters if left out.": (
        "预测多少步。省略时与末尾没有值的行数相同，否则按间隔：48 小时、28 天、13 周、12 个月、"
        "8 个季度。"
    ),
    "How many in 100 values shall lie from lo to hi. 95 if left out.": (
        "每 100 个值应有多少个落在 lo 与 hi 之间。省略时为 95。"
    ),
    "What is known in advance, such as price or promotion: columns as long as values. Or a country "
    'for its holidays: "US", "CN".': (
        "事先已知的因素，如价格或促销：与 values 等长的若干列。也可以写国家代码以使用其节假日："
        '"US"、"CN"。'
    ),
    "The drivers of the steps ahead, a row for each. Not needed where rows without a value at the "
    "end of the data hold them.": (
        "未来各步的已知因素，每步一行。数据末尾没有值的行已包含它们时不需要。"
    ),
    '"forecast", or "accuracy": how forecasts made earlier went, beside what stood a season before '
    "(naive), and how often the interval held. forecast if left out.": (
        '"forecast" 预测；"accuracy" 检验过去所做的预测：与上一季节的值（naive）比较，以及区间的'
        "命中率。省略时为 forecast。"
    ),
    "Which values of a series are out of line, with trend and season considered.": (
        "考虑趋势和季节后，序列中哪些值异常。"
    ),
    "flag (high, low, or blank), expected, lo and hi of each row, in the order of the data.": (
        "每行的标记（high 偏高、low 偏低或空）、预期值、下限和上限，顺序与数据相同。"
    ),
    "How many in 100 ordinary values shall lie from lo to hi; of the others an alarm is false. 99 "
    "if left out.": ("每 100 个正常值应有多少个落在 lo 与 hi 之间；其余的会被误报。省略时为 99。"),
    "What a campaign did to a series: what happened beside what would have happened.": (
        "一次活动对序列的影响：实际发生的与没有活动时会发生的对比。"
    ),
    "A table with one row: actual, expected, effect, its interval and probability, how placebo "
    "campaigns before it went, and the verdict in words.": (
        "一行的表格：实际值、预期值、效果、区间和概率、此前虚拟活动的检验，以及文字结论。"
    ),
    "The first day or time of the campaign.": "活动的第一天或开始时间。",
    "The last day or time that counts; later rows are not looked at. The last of the data if left "
    "out.": "计入的最后一天或时间，之后的行不计入。省略时为数据中的最后一个。",
    "Series that the campaign did not touch, such as other regions or the market: columns as long "
    "as values. They make the answer much surer.": (
        "活动没有影响到的序列，如其他地区或整个市场：与 values 等长的若干列。有了它们结论更可靠。"
    ),
    "How sure the interval shall be: 95 in 100 such intervals hold the true effect. 95 if left "
    "out.": "区间的把握：每 100 个这样的区间有 95 个包含真实效果。省略时为 95。",
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
