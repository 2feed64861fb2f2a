// Written by `python -m addin.build` from udfs/catalogue.py. Change it there.
globalThis.SHOPSHEET_CATALOGUE = {
  "namespace": "SHOP",
  "functions": [
    {
      "name": "SENTIMENT",
      "formula": "SHOP.SENTIMENT",
      "signature": "SHOP.SENTIMENT(text, [output], [min_confidence])",
      "summary": {
        "en": "How each review, question or post feels, in English or Chinese.",
        "zh": "判断每条评论、提问或帖子的情感，支持中文和英文。"
      },
      "returns": {
        "en": "positive, negative, neutral or mixed for each text; or its score; or all three columns.",
        "zh": "每条文本的情感：positive（正面）、negative（负面）、neutral（中性）或 mixed（褒贬兼有）；也可以返回得分，或标签、得分、置信度三列。"
      },
      "args": [
        {
          "name": "text",
          "help": {
            "en": "One cell or a range of texts. An empty cell gives an empty answer.",
            "zh": "一个单元格或一个文本区域。空单元格得到空结果。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "output",
          "help": {
            "en": "What to return: \"label\"; \"score\" from -1 (negative) to 1 (positive); or \"all\" for label, score and confidence in three columns. label if left out.",
            "zh": "返回内容：\"label\" 标签；\"score\" 得分，从 -1（负面）到 1（正面）；\"all\" 标签、得分、置信度三列。省略时为 label。"
          },
          "required": false,
          "range": false,
          "choices": [
            "label",
            "score",
            "all"
          ],
          "type": "string"
        },
        {
          "name": "min_confidence",
          "help": {
            "en": "From 0 to 1: where the model is less sure of its label than this, the answer is #N/A. 0 if left out.",
            "zh": "0 到 1 之间的数：模型对标签的把握低于它时返回 #N/A。省略时为 0。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
        }
      ],
      "example": {
        "formula": "=SHOP.SENTIMENT(\"The fabric is lovely and it arrived a day early.\")",
        "args": [
          "The fabric is lovely and it arrived a day early."
        ],
        "answer": "positive"
      }
    },
    {
      "name": "ASPECTS",
      "formula": "SHOP.ASPECTS",
      "signature": "SHOP.ASPECTS(text, [aspects], [layout])",
      "summary": {
        "en": "What texts judge (price, battery, 物流 ...), in their own words, and how.",
        "zh": "文本评价了什么（价格、电池、物流等）、用了哪些词、评价如何。"
      },
      "returns": {
        "en": "positive, negative, neutral or mixed per aspect; or a table with words and places.",
        "zh": "每个方面的 positive、negative、neutral 或 mixed；或包含词语和位置的表格。"
      },
      "args": [
        {
          "name": "text",
          "help": {
            "en": "One cell or a range of texts. An empty cell gives an empty answer.",
            "zh": "一个单元格或一个文本区域。空单元格得到空结果。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "aspects",
          "help": {
            "en": "Aspects to look for, in your own words: a range or a list such as \"price;battery life;售后服务\". Each becomes a column. All that the texts judge if left out.",
            "zh": "要查找的方面，用您自己的说法：区域或列表，如 \"价格;电池续航;售后服务\"。每个方面一列。省略时列出文本评价的所有方面。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "layout",
          "help": {
            "en": "\"wide\": a column per aspect, blank where a text does not mention it; \"long\": a table with a row for each aspect found. wide with aspects, else long.",
            "zh": "\"wide\" 每个方面一列，文本未提到时为空；\"long\" 每个找到的方面一行的表格。给出 aspects 时为 wide，否则为 long。"
          },
          "required": false,
          "range": false,
          "choices": [
            "long",
            "wide"
          ],
          "type": "string"
        }
      ],
      "example": {
        "formula": "=SHOP.ASPECTS({\"The screen is great but the battery is terrible\"},\"screen;battery\")",
        "args": [
          [
            [
              "The screen is great but the battery is terrible"
            ]
          ],
          "screen;battery"
        ],
        "answer": [
          [
            "positive",
            "negative"
          ]
        ]
      }
    },
    {
      "name": "CLEAN",
      "formula": "SHOP.CLEAN",
      "signature": "SHOP.CLEAN(text, [output])",
      "summary": {
        "en": "Texts without what scraping and platforms left in them, in English or Chinese.",
        "zh": "去除抓取和平台残留内容后的文本，支持中文和英文。"
      },
      "returns": {
        "en": "The tidied text, or its words, of each text.",
        "zh": "每条文本整理后的内容，或其中的词。"
      },
      "args": [
        {
          "name": "text",
          "help": {
            "en": "One cell or a range of texts. An empty cell gives an empty answer.",
            "zh": "一个单元格或一个文本区域。空单元格得到空结果。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "output",
          "help": {
            "en": "What to return: \"text\", tidied; or \"words\", its words with a space between them and without stop words. text if left out.",
            "zh": "返回内容：\"text\" 整理后的文本；\"words\" 去掉停用词、以空格分隔的词。省略时为 text。"
          },
          "required": false,
          "range": false,
          "choices": [
            "text",
            "words"
          ],
          "type": "string"
        }
      ],
      "example": {
        "formula": "=SHOP.CLEAN(\"<p>Great&nbsp;value!!!!!! 😀</p>\")",
        "args": [
          "<p>Great&nbsp;value!!!!!! 😀</p>"
        ],
        "answer": "Great value! 😀"
      }
    },
    {
      "name": "KEYWORDS",
      "formula": "SHOP.KEYWORDS",
      "signature": "SHOP.KEYWORDS(text, [top_n], [scope], [stop_words])",
      "summary": {
        "en": "The phrases that texts are about, in English or Chinese.",
        "zh": "文本所谈内容的关键短语，支持中文和英文。"
      },
      "returns": {
        "en": "top_n columns of phrases beside each text, blank where there are fewer; or the table.",
        "zh": "每条文本旁 top_n 列短语，不足时留空；或短语表。"
      },
      "args": [
        {
          "name": "text",
          "help": {
            "en": "One cell or a range of texts. An empty cell gives an empty answer.",
            "zh": "一个单元格或一个文本区域。空单元格得到空结果。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "top_n",
          "help": {
            "en": "How many phrases, the best first: columns beside each text, or rows of the table. 5 if left out.",
            "zh": "短语个数，最好的在前：每条文本旁的列数，或表格的行数。省略时为 5。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
        },
        {
          "name": "scope",
          "help": {
            "en": "\"cell\": the phrases of each text in columns; \"range\": a table of the phrases of all texts, with score, texts that hold them, their share and a row to read. cell if left out.",
            "zh": "\"cell\" 在各列给出每条文本的短语；\"range\" 给出整个区域的短语表：得分、出现的文本数、占比和例句所在行。省略时为 cell。"
          },
          "required": false,
          "range": false,
          "choices": [
            "cell",
            "range"
          ],
          "type": "string"
        },
        {
          "name": "stop_words",
          "help": {
            "en": "Words to leave out, such as your brand: a range with one in each cell, or \"a;b;c\".",
            "zh": "要排除的词，例如您的品牌：一个区域（每格一个），或写成“甲;乙;丙”。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        }
      ],
      "example": {
        "formula": "=SHOP.KEYWORDS(\"Great battery life, but the side seam of the case came apart.\",3)",
        "args": [
          "Great battery life, but the side seam of the case came apart.",
          3
        ],
        "answer": [
          [
            "battery life",
            "side seam",
            "case"
          ]
        ]
      }
    },
    {
      "name": "TOPICS",
      "formula": "SHOP.TOPICS",
      "signature": "SHOP.TOPICS(text, [model_or_labels], [max_topics], [language])",
      "summary": {
        "en": "What texts are about: topics by name, how many mention each, and how they feel.",
        "zh": "文本谈论什么：主题名称、提到它的文本数，以及相关情感。"
      },
      "returns": {
        "en": "A table: sentiment is that of the sentences on the topic; effect is how texts with it differ from the others in sentiment, with a 95 % interval.",
        "zh": "一个表格：sentiment 是谈到该主题的句子的情感；effect 是提到它的文本与其他文本的情感之差，附 95% 区间。"
      },
      "args": [
        {
          "name": "text",
          "help": {
            "en": "The column of texts. A text may mention several topics. Empty cells and errors are left out.",
            "zh": "一列文本。一条文本可以提到多个主题。空单元格和错误值不计入。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "model_or_labels",
          "help": {
            "en": "Topics of your own, two or more: a range or \"delivery;price\". Or the name of saved topics (see shopsheet train): then each text gets the one it says most of. Found in the texts if left out.",
            "zh": "您自己的主题，至少两个：一个区域或“物流;价格”。也可以是已保存主题的名称（见 shopsheet train），此时每条文本得到它谈得最多的主题。省略时从文本中找出主题。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "max_topics",
          "help": {
            "en": "How many topics to find at most, from 1 to 100. 12 if left out.",
            "zh": "最多找出多少个主题，1 到 100。省略时为 12。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
        },
        {
          "name": "language",
          "help": {
            "en": "Language of names and terms where texts are mixed: \"en\", \"zh\", or \"auto\" for that of most texts. auto if left out.",
            "zh": "文本有多种语言时名称和词语所用的语言：\"en\"、\"zh\"，或 \"auto\"（多数文本的语言）。省略时为 auto。"
          },
          "required": false,
          "range": false,
          "choices": [
            "auto",
            "en",
            "zh"
          ],
          "type": "string"
        }
      ],
      "example": {
        "formula": "=SHOP.TOPICS({\"The battery lasts two days.\";\"Delivery was slow.\";\"Slow delivery, great battery.\"},\"battery;delivery\")",
        "args": [
          [
            [
              "The battery lasts two days."
            ],
            [
              "Delivery was slow."
            ],
            [
              "Slow delivery, great battery."
            ]
          ],
          "battery;delivery"
        ],
        "answer": [
          [
            "topic",
            "terms",
            "count",
            "share",
            "sentiment",
            "effect",
            "lo_95",
            "hi_95",
            "example",
            "row"
          ],
          [
            "battery",
            "battery",
            2,
            0.6667,
            0.0645,
            "",
            "",
            "",
            "The battery lasts two days",
            1
          ],
          [
            "delivery",
            "delivery",
            2,
            0.6667,
            -0.4118,
            "",
            "",
            "",
            "Delivery was slow",
            2
          ]
        ]
      }
    },
    {
      "name": "SEGMENT",
      "formula": "SHOP.SEGMENT",
      "signature": "SHOP.SEGMENT(ids, dates, amounts, [method], [bins], [as_of])",
      "summary": {
        "en": "Customers by what they bought: how recently, how often, for how much.",
        "zh": "按购买情况划分客户：最近一次、次数和金额。"
      },
      "returns": {
        "en": "A table with a row per customer, its columns named in the first row.",
        "zh": "每位客户一行的表格，第一行是列名。"
      },
      "args": [
        {
          "name": "ids",
          "help": {
            "en": "The customer of each order line: a column of ids or names. A line without id, date or amount is left out.",
            "zh": "每行订单的客户：一列编号或姓名。缺少编号、日期或金额的行不计入。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "dates",
          "help": {
            "en": "The date of each order line: a column as long as ids.",
            "zh": "每行订单的日期：与 ids 等长的一列。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "amounts",
          "help": {
            "en": "The amount of each order line, refunds below 0: a column as long as ids.",
            "zh": "每行订单的金额，退款为负数：与 ids 等长的一列。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "method",
          "help": {
            "en": "\"RFM\" for scores and a named segment; \"CLV\" for the orders and the value expected in the next 52 weeks. RFM if left out.",
            "zh": "\"RFM\" 给出评分和客群名称；\"CLV\" 给出未来 52 周的预计订单数和价值。省略时为 RFM。"
          },
          "required": false,
          "range": false,
          "choices": [
            "RFM",
            "CLV"
          ],
          "type": "string"
        },
        {
          "name": "bins",
          "help": {
            "en": "How many steps each RFM score has, from 2 to 10. Or the name of saved cut-points (see shopsheet train): then customers are judged as those of that time were. 5 if left out.",
            "zh": "每项 RFM 评分的档数，2 到 10。也可以是已保存分界点的名称（见 shopsheet train），此时按当时的标准评判客户。省略时为 5。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "any"
        },
        {
          "name": "as_of",
          "help": {
            "en": "The day from which recency counts. The last date of the data if left out.",
            "zh": "计算最近一次购买的基准日。省略时为数据中的最后一天。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "any"
        }
      ],
      "example": {
        "formula": "=SHOP.SEGMENT({\"Ann\";\"Ann\";\"Bo\"},{\"2024-05-01\";\"2024-05-20\";\"2024-01-15\"},{40;25;10})",
        "args": [
          [
            [
              "Ann"
            ],
            [
              "Ann"
            ],
            [
              "Bo"
            ]
          ],
          [
            [
              "2024-05-01"
            ],
            [
              "2024-05-20"
            ],
            [
              "2024-01-15"
            ]
          ],
          [
            [
              40.0
            ],
            [
              25.0
            ],
            [
              10.0
            ]
          ]
        ],
        "answer": [
          [
            "id",
            "R",
            "F",
            "M",
            "segment",
            "rule",
            "days since last",
            "purchases",
            "total"
          ],
          [
            "Ann",
            5,
            5,
            5,
            "Champions",
            "bought on the last day, 2 or more times, more than 10 in all",
            0,
            2,
            65.0
          ],
          [
            "Bo",
            1,
            1,
            1,
            "Lost",
            "last bought more than 0 days ago, once, up to 10 in all",
            126,
            1,
            10.0
          ]
        ]
      }
    },
    {
      "name": "CLASSIFY",
      "formula": "SHOP.CLASSIFY",
      "signature": "SHOP.CLASSIFY(text, labels, [descriptions], [multi], [examples], [min_confidence])",
      "summary": {
        "en": "Each text under labels of your own, by what it means; a few examples sharpen it.",
        "zh": "按您自己的标签、依据含义为每条文本分类；少量示例会更准。"
      },
      "returns": {
        "en": "The label of each text, or its labels.",
        "zh": "每条文本的标签（一个或多个）。"
      },
      "args": [
        {
          "name": "text",
          "help": {
            "en": "One cell or a range of texts. An empty cell gives an empty answer.",
            "zh": "一个单元格或一个文本区域。空单元格得到空结果。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "labels",
          "help": {
            "en": "The labels to choose from, two or more: a range with one in each cell, or \"price;quality\". Or the name of saved labels (see shopsheet train): then descriptions and examples are left out.",
            "zh": "可选的标签，至少两个：一个区域（每格一个），或写成“价格;质量”。也可以是已保存标签的名称（见 shopsheet train），此时不填 descriptions 和 examples。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "descriptions",
          "help": {
            "en": "What each label is about, in a few words: as many as labels, in their order. It helps where a label alone says little.",
            "zh": "用几个字说明每个标签指什么：数量和顺序与 labels 相同。标签本身说明不了多少时很有用。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "multi",
          "help": {
            "en": "TRUE gives all labels that apply, with a semicolon between them; FALSE the most probable one. FALSE if left out.",
            "zh": "TRUE 给出所有适用的标签，用分号隔开；FALSE 只给最可能的一个。省略时为 FALSE。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "boolean"
        },
        {
          "name": "examples",
          "help": {
            "en": "Texts that you have labelled: two columns, text and label. A row that is not filled in is left out.",
            "zh": "您已标注的文本：两列，文本和标签。没有填全的行不计入。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "min_confidence",
          "help": {
            "en": "From 0 to 1: where no label is as probable as this, the answer is #N/A. 0 if left out; with multi 0.5.",
            "zh": "0 到 1 之间的数：没有标签达到这一概率时返回 #N/A。省略时为 0；multi 为 TRUE 时为 0.5。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
        }
      ],
      "example": {
        "formula": "=SHOP.CLASSIFY(\"Where is my parcel?\",\"delivery;payment;size and fit\")",
        "args": [
          "Where is my parcel?",
          "delivery;payment;size and fit"
        ],
        "answer": "delivery"
      }
    },
    {
      "name": "SIMILAR",
      "formula": "SHOP.SIMILAR",
      "signature": "SHOP.SIMILAR(lookup_text, lookup_array, [return_array], [if_not_found], [top_n], [min_score])",
      "summary": {
        "en": "Looks up a text by its meaning, as XLOOKUP does by its letters.",
        "zh": "按含义查找文本，就像 XLOOKUP 按字面查找。"
      },
      "returns": {
        "en": "The nearest text, or what stands beside it in return_array.",
        "zh": "含义最接近的文本，或 return_array 中与它同一行的值。"
      },
      "args": [
        {
          "name": "lookup_text",
          "help": {
            "en": "One cell or a range of texts to look for. An empty cell gives an empty answer.",
            "zh": "要查找的一个单元格或一个文本区域。空单元格得到空结果。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "lookup_array",
          "help": {
            "en": "The column of texts to look in. The very text comes before all others; of equals the first counts.",
            "zh": "在其中查找的一列文本。完全相同的文本优先；同样接近时取第一个。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "return_array",
          "help": {
            "en": "The column to answer from, as long as lookup_array. The text found if left out.",
            "zh": "返回结果所在的列，与 lookup_array 等长。省略时返回找到的文本。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "if_not_found",
          "help": {
            "en": "The answer where nothing is near enough. #N/A if left out.",
            "zh": "没有足够接近的文本时返回的值。省略时为 #N/A。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "any"
        },
        {
          "name": "top_n",
          "help": {
            "en": "How many to find, the nearest first, each in a column of its own. 1 if left out.",
            "zh": "要找几个，最接近的在前，每个占一列。省略时为 1。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
        },
        {
          "name": "min_score",
          "help": {
            "en": "How near in meaning, from 0 (anything) to 1 (the very text). 0.5 if left out.",
            "zh": "含义要多接近，从 0（不限）到 1（文本相同）。省略时为 0.5。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
        }
      ],
      "example": {
        "formula": "=SHOP.SIMILAR(\"earphones without a cable\",{\"phone case\";\"wireless headphones\";\"desk lamp\"})",
        "args": [
          "earphones without a cable",
          [
            [
              "phone case"
            ],
            [
              "wireless headphones"
            ],
            [
              "desk lamp"
            ]
          ]
        ],
        "answer": "wireless headphones"
      }
    },
    {
      "name": "SUMMARIZE",
      "formula": "SHOP.SUMMARIZE",
      "signature": "SHOP.SUMMARIZE(texts, [group_by], [max_words])",
      "summary": {
        "en": "What reviews say, in sentences that stand in them, praise and complaint alike.",
        "zh": "用评论里原有的句子概括评论内容，好评和差评都有。"
      },
      "returns": {
        "en": "Sentences, each with the rows of texts that say so: its own, then others; +2 is two more.",
        "zh": "若干句子，每句后面是 texts 中这样说的行号：先是它自己的，再是其他的；+2 表示另有两行。"
      },
      "args": [
        {
          "name": "texts",
          "help": {
            "en": "The column of texts. Empty cells and errors are left out. Where there are more than 150,000 sentences, the first ones of each text are read.",
            "zh": "一列文本。空单元格和错误值不计入。超过 15 万句时，每条文本只读前几句。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "group_by",
          "help": {
            "en": "A column as long as texts: each of its values gets a row of its own. Rows without one are left out. One summary of all if left out.",
            "zh": "与 texts 等长的一列：每个值单独一行；没有值的行不计入。省略时全部合成一条概括。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "max_words",
          "help": {
            "en": "How long a summary may be, row numbers aside; a Chinese character counts as a word. 60 if left out.",
            "zh": "概括最长多少词，不含行号；一个汉字算一个词。省略时为 60。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
        }
      ],
      "example": {
        "formula": "=SHOP.SUMMARIZE({\"The battery lasts two days.\";\"The strap broke within a week. The battery lasts two days\";\"The battery lasts two days.\"})",
        "args": [
          [
            [
              "The battery lasts two days."
            ],
            [
              "The strap broke within a week. The battery lasts two days"
            ],
            [
              "The battery lasts two days."
            ]
          ]
        ],
        "answer": "The battery lasts two days [1, 2, 3]; The strap broke within a week [2]"
      }
    },
    {
      "name": "NEEDS",
      "formula": "SHOP.NEEDS",
      "signature": "SHOP.NEEDS(text, [taxonomy], [output])",
      "summary": {
        "en": "The need behind each review, question or post, in English or Chinese.",
        "zh": "每条评论、提问或帖子背后的需求，支持中文和英文。"
      },
      "returns": {
        "en": "The need in a few words, blank where none is named; four columns; or a table. Actionability: high names what is asked for, medium does not, low asks for nothing; unsure is one lower.",
        "zh": "用几个词表达的需求，没有说明需求时为空；或四列；或表格。可行动性：high 说明了要什么，medium 没有说明，low 没有要求；把握不大时低一级。"
      },
      "args": [
        {
          "name": "text",
          "help": {
            "en": "One cell or a range of texts. An empty cell gives an empty answer.",
            "zh": "一个单元格或一个文本区域。空单元格得到空结果。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "taxonomy",
          "help": {
            "en": "Your own list of needs, matched by meaning: a range or \"faster delivery;lower price\". The need in the text's words if left out.",
            "zh": "您自己的需求清单，按含义匹配：一个区域，或写成“配送更快;价格更低”。省略时用文本自己的词表达。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "output",
          "help": {
            "en": "\"label\": the need; \"kind\": complaint, question, suggestion, praise, purchase intent or other; \"all\": need, kind, actionability and evidence; \"ranked\": a table of the range's needs, then of what is praised. label if left out.",
            "zh": "\"label\" 需求；\"kind\" 类型：complaint（抱怨）、question（提问）、suggestion（建议）、praise（表扬）、purchase intent（购买意向）或 other（其他）；\"all\" 需求、类型、可行动性和原文依据；\"ranked\" 整个区域的需求排行表，其后是受到表扬的内容。省略时为 label。"
          },
          "required": false,
          "range": false,
          "choices": [
            "label",
            "kind",
            "all",
            "ranked"
          ],
          "type": "string"
        }
      ],
      "example": {
        "formula": "=SHOP.NEEDS(\"Please bring back the vanilla flavour.\")",
        "args": [
          "Please bring back the vanilla flavour."
        ],
        "answer": "bring back the vanilla flavour"
      }
    },
    {
      "name": "PROFILE",
      "formula": "SHOP.PROFILE",
      "signature": "SHOP.PROFILE(ids, texts, [dates], [orders], [channels], [fields], [as_of])",
      "summary": {
        "en": "Customers by what they write and buy, in shop, social media and service.",
        "zh": "按客户在店铺、社交媒体和客服中写的和买的，为每位客户画像。"
      },
      "returns": {
        "en": "A table with a row per customer, its columns named in the first row.",
        "zh": "每位客户一行的表格，第一行是列名。"
      },
      "args": [
        {
          "name": "ids",
          "help": {
            "en": "The customer of each text: a column of ids or names. A row without one is left out.",
            "zh": "每条文本的客户：一列编号或姓名。没有的行不计入。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "texts",
          "help": {
            "en": "Reviews, questions or posts: a column as long as ids.",
            "zh": "评论、提问或帖子：与 ids 等长的一列。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "dates",
          "help": {
            "en": "The date of each text: a column as long as ids. Needed for the trend of sentiment.",
            "zh": "每条文本的日期：与 ids 等长的一列。情感趋势需要它。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "orders",
          "help": {
            "en": "A range of three columns, id, date and amount, with a row per order; refunds below 0. It has rows of its own, as many as you like. From 100 repeat buyers on, next order leans on what is usual among them all.",
            "zh": "三列的区域：编号、日期、金额，每个订单一行，退款为负数。行数不必与 ids 相同。有 100 位以上回头客时，下次订单会参考全体客户的规律。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "channels",
          "help": {
            "en": "Where each text comes from, such as shop, social or service: a column as long as ids.",
            "zh": "每条文本来自哪里，如店铺、社交媒体或客服：与 ids 等长的一列。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "fields",
          "help": {
            "en": "Columns, in your order; all if left out. Blank if too little is known: trend under 6 dated texts on 3 days, price sensitivity under 5 texts, channel under 3 with half in one, next order under 4 order days or silent for 2 gaps.",
            "zh": "要哪些列，按您的顺序；省略时为全部。所知太少则为空：趋势需至少 3 天的 6 条有日期文本，价格敏感度需 5 条，渠道需 3 条且一个过半，下次订单需 4 个下单日且未沉默超过 2 个间隔。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "as_of",
          "help": {
            "en": "The day from which recency counts; later rows are not looked at. The last date of the data if left out.",
            "zh": "计算最近一次的基准日，之后的行不计入。省略时为数据中的最后一天。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "any"
        }
      ],
      "example": {
        "formula": "=SHOP.PROFILE({\"Ann\";\"Bo\"},{\"love the battery\";\"slow delivery\"},{\"2024-05-20\";\"2024-05-21\"},{\"Ann\",\"2024-05-01\",40;\"Ann\",\"2024-05-18\",25},,\"id;days since last;purchases;total;last seen;texts\")",
        "args": [
          [
            [
              "Ann"
            ],
            [
              "Bo"
            ]
          ],
          [
            [
              "love the battery"
            ],
            [
              "slow delivery"
            ]
          ],
          [
            [
              "2024-05-20"
            ],
            [
              "2024-05-21"
            ]
          ],
          [
            [
              "Ann",
              "2024-05-01",
              40.0
            ],
            [
              "Ann",
              "2024-05-18",
              25.0
            ]
          ],
          null,
          "id;days since last;purchases;total;last seen;texts"
        ],
        "answer": [
          [
            "id",
            "days since last",
            "purchases",
            "total",
            "last seen",
            "texts"
          ],
          [
            "Ann",
            3,
            2,
            65.0,
            "2024-05-20",
            1
          ],
          [
            "Bo",
            "",
            "",
            "",
            "2024-05-21",
            1
          ]
        ]
      }
    },
    {
      "name": "EVAL",
      "formula": "SHOP.EVAL",
      "signature": "SHOP.EVAL(predicted, actual)",
      "summary": {
        "en": "How good predictions were: right answers, per label, calibration; what was left out.",
        "zh": "预测有多准：正确率、各标签表现、置信度是否可信，以及排除了哪些行。"
      },
      "returns": {
        "en": "A table: accuracy, macro-F1, each label's precision and recall, confusion, calibration; each with rows, a 95 % interval where there is one, and words.",
        "zh": "一个表格：正确率、宏平均 F1、各标签的精确率和召回率、混淆矩阵、校准；每项附行数、95% 区间（如有）和文字说明。"
      },
      "args": [
        {
          "name": "predicted",
          "help": {
            "en": "Labels, probabilities from 0 to 1, or numbers: one column; or labels and beside them their confidence. A heading may stand in the first row.",
            "zh": "标签、0 到 1 的概率或数值，一列；也可以是标签和旁边的置信度两列。第一行可以是标题。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "actual",
          "help": {
            "en": "What was true, in the same rows: labels, or for probabilities 1 and 0, TRUE and FALSE or yes and no.",
            "zh": "同一行的实际结果：标签；对概率则为 1 和 0、TRUE 和 FALSE 或 是 和 否。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        }
      ],
      "example": {
        "formula": "=SHOP.EVAL({\"good\";\"bad\";\"bad\"},{\"good\";\"bad\";\"good\"})",
        "args": [
          [
            [
              "good"
            ],
            [
              "bad"
            ],
            [
              "bad"
            ]
          ],
          [
            [
              "good"
            ],
            [
              "bad"
            ],
            [
              "good"
            ]
          ]
        ],
        "answer": [
          [
            "measure",
            "of",
            "predicted",
            "value",
            "lo_95",
            "hi_95",
            "rows",
            "in words"
          ],
          [
            "rows compared",
            "",
            "",
            3,
            "",
            "",
            3,
            "of 3 rows"
          ],
          [
            "rows left out",
            "",
            "",
            0,
            "",
            "",
            3,
            "nothing left out"
          ],
          [
            "accuracy",
            "",
            "",
            0.6667,
            0.2077,
            0.9385,
            3,
            "2 of 3 right"
          ],
          [
            "commonest label",
            "good",
            "",
            0.6667,
            "",
            "",
            3,
            "always saying \"good\" would score this"
          ],
          [
            "macro-F1",
            "",
            "",
            0.6667,
            0,
            1,
            3,
            "mean F1 of 2 labels"
          ],
          [
            "precision",
            "good",
            "",
            1,
            0.2065,
            1,
            1,
            "1 of 1 called \"good\" were so"
          ],
          [
            "recall",
            "good",
            "",
            0.5,
            0.0945,
            0.9055,
            2,
            "1 of 2 that were \"good\" were called so"
          ],
          [
            "F1",
            "good",
            "",
            0.6667,
            "",
            "",
            2,
            "of precision and recall"
          ],
          [
            "precision",
            "bad",
            "",
            0.5,
            0.0945,
            0.9055,
            2,
            "1 of 2 called \"bad\" were so"
          ],
          [
            "recall",
            "bad",
            "",
            1,
            0.2065,
            1,
            1,
            "1 of 1 that were \"bad\" were called so"
          ],
          [
            "F1",
            "bad",
            "",
            0.6667,
            "",
            "",
            1,
            "of precision and recall"
          ],
          [
            "confusion",
            "good",
            "good",
            1,
            "",
            "",
            2,
            "1 of 2 that were \"good\" were called \"good\""
          ],
          [
            "confusion",
            "good",
            "bad",
            1,
            "",
            "",
            2,
            "1 of 2 that were \"good\" were called \"bad\""
          ],
          [
            "confusion",
            "bad",
            "good",
            0,
            "",
            "",
            1,
            "0 of 1 that were \"bad\" were called \"good\""
          ],
          [
            "confusion",
            "bad",
            "bad",
            1,
            "",
            "",
            1,
            "1 of 1 that were \"bad\" were called \"bad\""
          ]
        ]
      }
    },
    {
      "name": "MODEL_INFO",
      "formula": "SHOP.MODEL_INFO",
      "signature": "SHOP.MODEL_INFO([model])",
      "summary": {
        "en": "The models that answer: version, what they were trained on, how good they are.",
        "zh": "给出答案的模型：版本、训练数据、有多准。"
      },
      "returns": {
        "en": "A table with a row per model, or per fact: training data with licence, held-out scores, limits. It is read anew when the sheet is calculated in full.",
        "zh": "每个模型一行（或每条信息一行）的表格：训练数据及许可、测试得分、局限。全部重算时重新读取。"
      },
      "args": [
        {
          "name": "model",
          "help": {
            "en": "The name of a model, such as encoder: then all that is known of it. A table of all models, loaded and saved, if left out.",
            "zh": "模型名称，如 encoder：给出它的全部信息。省略时列出所有已加载和已保存的模型。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "any"
        }
      ],
      "example": {
        "formula": "=SHOP.MODEL_INFO(\"customers\")",
        "args": [
          "customers"
        ],
        "answer": [
          [
            "about",
            "of",
            "value"
          ],
          [
            "version",
            "",
            "2026.11"
          ],
          [
            "state",
            "",
            "ready"
          ],
          [
            "what it is",
            "",
            "RFM scores, BG/NBD and Gamma-Gamma, fitted to the orders of each call; no weights."
          ],
          [
            "backend",
            "",
            "rules"
          ],
          [
            "precision",
            "",
            "exact"
          ]
        ]
      }
    },
    {
      "name": "LIFT_TEST",
      "formula": "SHOP.LIFT_TEST",
      "signature": "SHOP.LIFT_TEST(outcome, treated, [segment])",
      "summary": {
        "en": "What an A/B test or a campaign with a hold-out changed: uplift, interval, p, by segment.",
        "zh": "A/B 测试或带对照组的营销活动带来了什么变化：增量、区间、p 值，可按细分。"
      },
      "returns": {
        "en": "A table: each arm beside the control, each segment, whether they rank the uplift (Qini), checks. p adjusted counts all comparisons.",
        "zh": "一个表格：各组与对照组之比、各细分、能否按增量排序（Qini）、各项检查。p adjusted 已计入全部比较。"
      },
      "args": [
        {
          "name": "outcome",
          "help": {
            "en": "What each row did: 1 and 0 (visited, bought), or an amount such as spend, 0 included. A heading names it in the words of the answer.",
            "zh": "每行的结果：1 和 0（如访问、购买），或金额（含 0）。标题会用在文字说明中。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "treated",
          "help": {
            "en": "The arm of each row: 1 and 0, yes and no, or names of two or more arms of which one is called control, hold-out, no ... or A.",
            "zh": "每行所属的组：1 和 0、是 和 否，或两个以上组的名称，其中一个叫对照组、control、未发送 或 A。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "segment",
          "help": {
            "en": "The segment of each row; or a score such as predicted uplift, which is cut into fifths. No segments if left out.",
            "zh": "每行的细分；或一个得分（如预测增量），会被分成五等份。省略时不分细分。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        }
      ],
      "example": {
        "formula": "=SHOP.LIFT_TEST({1;1;1;1;1;1;1;1;1;0;0;0;1;1;0;0;0;0;0;0;0;0;0;0},{\"new\";\"new\";\"new\";\"new\";\"new\";\"new\";\"new\";\"new\";\"new\";\"new\";\"new\";\"new\";\"control\";\"control\";\"control\";\"control\";\"control\";\"control\";\"control\";\"control\";\"control\";\"control\";\"control\";\"control\"})",
        "args": [
          [
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              1
            ],
            [
              1
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ]
          ],
          [
            [
              "new"
            ],
            [
              "new"
            ],
            [
              "new"
            ],
            [
              "new"
            ],
            [
              "new"
            ],
            [
              "new"
            ],
            [
              "new"
            ],
            [
              "new"
            ],
            [
              "new"
            ],
            [
              "new"
            ],
            [
              "new"
            ],
            [
              "new"
            ],
            [
              "control"
            ],
            [
              "control"
            ],
            [
              "control"
            ],
            [
              "control"
            ],
            [
              "control"
            ],
            [
              "control"
            ],
            [
              "control"
            ],
            [
              "control"
            ],
            [
              "control"
            ],
            [
              "control"
            ],
            [
              "control"
            ],
            [
              "control"
            ]
          ]
        ],
        "answer": [
          [
            "segment",
            "arm",
            "rows",
            "mean",
            "control rows",
            "control mean",
            "uplift",
            "lo_95",
            "hi_95",
            "relative",
            "p",
            "p adjusted",
            "in words"
          ],
          [
            "all",
            "new",
            12,
            0.75,
            12,
            0.166667,
            0.583333,
            0.184758,
            0.784003,
            3.5,
            0.004135,
            0.004135,
            "new raised the outcome by 58.3 points (18.5 to 78.4); 1 in 2 more"
          ],
          [
            "check",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "The split 50.0 : 50.0 fits a planned 50 : 50 (p 1)"
          ],
          [
            "check",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "No rows left out"
          ]
        ]
      }
    },
    {
      "name": "DRIVERS",
      "formula": "SHOP.DRIVERS",
      "signature": "SHOP.DRIVERS(target, features, [top_n])",
      "summary": {
        "en": "What moves an outcome, beside what it is mixed up with, in words for a slide.",
        "zh": "什么影响结果（扣除混杂因素），用可直接写进报告的话说明。"
      },
      "returns": {
        "en": "A table of factors beyond chance, the surest first: effect beside the others (times as likely, or difference), interval, unadjusted; columns that give the target away are named.",
        "zh": "超出偶然的因素表，最可靠的在前：扣除其他因素后的影响（倍数或差值）、区间、未扣除时的影响；直接泄露结果的列会被指出。"
      },
      "args": [
        {
          "name": "target",
          "help": {
            "en": "The outcome of each row: yes or no (1 and 0, TRUE and FALSE), a rating or an amount. A heading names it.",
            "zh": "每行的结果：是或否（1 和 0、TRUE 和 FALSE）、评分或金额。标题就是它的名称。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "features",
          "help": {
            "en": "What is known of the same rows, with headings: names, numbers, dates, texts. Texts are read: what they praise or complain about counts.",
            "zh": "同样这些行的已知信息，带标题：名称、数值、日期、文本。文本会被阅读：称赞或抱怨的内容都计入。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "top_n",
          "help": {
            "en": "How many factors at most. 10 if left out.",
            "zh": "最多列出多少个因素。省略时为 10。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
        }
      ],
      "example": {
        "formula": "=SHOP.DRIVERS({\"returned\";1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;0;0;0;0;0;1;1;1;1;1;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0},{\"channel\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Web\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\";\"Shop\"})",
        "args": [
          [
            [
              "returned"
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              1
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ],
            [
              0
            ]
          ],
          [
            [
              "channel"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Web"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ],
            [
              "Shop"
            ]
          ]
        ],
        "answer": [
          [
            "factor",
            "effect in words",
            "rows",
            "mean",
            "mean of others",
            "effect",
            "lo_95",
            "hi_95",
            "unadjusted",
            "p adjusted",
            "note"
          ],
          [
            "channel is Shop",
            "62 % less likely: 25 % instead of 75 %",
            20,
            0.25,
            0.75,
            0.375,
            0.1688,
            0.6695,
            0.3333,
            0.001,
            "holds beside the other factors"
          ],
          [
            "note",
            "Factors looked at 1, beyond chance 1",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            ""
          ],
          [
            "note",
            "40 rows; 0 without returned left out; returned in 50 % of the rows",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            ""
          ],
          [
            "note",
            "row 1 was read as headings",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            ""
          ]
        ]
      }
    },
    {
      "name": "FORECAST",
      "formula": "SHOP.FORECAST",
      "signature": "SHOP.FORECAST(values, timeline, [horizon], [level], [drivers], [future_drivers], [group], [output])",
      "summary": {
        "en": "What comes next in one series or in thousands: sales, visits, stock.",
        "zh": "预测一个或上千个序列接下来的走势：销量、访问量、库存。"
      },
      "returns": {
        "en": "A table: date (a day number, to be shown as a date; text where yours is), forecast, lo, hi for each step ahead, after the group if there are groups; or the test.",
        "zh": "一个表格：未来每一步的日期（日期序号，请设为日期格式；您的日期是文本时为文本）、预测值、下限和上限，有分组时前面是组名；或检验结果。"
      },
      "args": [
        {
          "name": "values",
          "help": {
            "en": "The numbers to look at: a column with a row per time. Empty cells and errors count as missing.",
            "zh": "要分析的数值：一列，每个时间一行。空单元格和错误值视为缺失。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "timeline",
          "help": {
            "en": "The date or time of each value, in any order, with a constant step: days, weeks, months, hours ... Up to 30 % may be missing; values of one time are averaged.",
            "zh": "每个值的日期或时间，顺序不限，间隔须固定：日、周、月、小时等。最多可缺 30%；同一时间的多个值取平均。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "horizon",
          "help": {
            "en": "How many steps ahead. As many as rows at the end have no value, else as suits the step: 48 hours, 28 days, 13 weeks, 12 months, 8 quarters if left out.",
            "zh": "预测多少步。省略时与末尾没有值的行数相同，否则按间隔：48 小时、28 天、13 周、12 个月、8 个季度。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
        },
        {
          "name": "level",
          "help": {
            "en": "How many in 100 values shall lie from lo to hi. 95 if left out.",
            "zh": "每 100 个值应有多少个落在 lo 与 hi 之间。省略时为 95。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
        },
        {
          "name": "drivers",
          "help": {
            "en": "What is known in advance, such as price or promotion: columns as long as values. Or a country for its holidays: \"US\", \"CN\".",
            "zh": "事先已知的因素，如价格或促销：与 values 等长的若干列。也可以写国家代码以使用其节假日：\"US\"、\"CN\"。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "future_drivers",
          "help": {
            "en": "The drivers of the steps ahead, a row for each. Not needed where rows without a value at the end of the data hold them.",
            "zh": "未来各步的已知因素，每步一行。数据末尾没有值的行已包含它们时不需要。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "group",
          "help": {
            "en": "A column as long as values: each of its values is a series of its own, such as a product or a shop. One series if left out.",
            "zh": "与 values 等长的一列：每个不同的值（如商品或店铺）单独成为一个序列。省略时为一个序列。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "output",
          "help": {
            "en": "\"forecast\", or \"accuracy\": how forecasts made earlier went, beside what stood a season before (naive), and how often the interval held. forecast if left out.",
            "zh": "\"forecast\" 预测；\"accuracy\" 检验过去所做的预测：与上一季节的值（naive）比较，以及区间的命中率。省略时为 forecast。"
          },
          "required": false,
          "range": false,
          "choices": [
            "forecast",
            "accuracy"
          ],
          "type": "string"
        }
      ],
      "example": {
        "formula": "=SHOP.FORECAST({52;49;55;53;57;54;58;60;57;61;63;60},{\"2024-01\";\"2024-02\";\"2024-03\";\"2024-04\";\"2024-05\";\"2024-06\";\"2024-07\";\"2024-08\";\"2024-09\";\"2024-10\";\"2024-11\";\"2024-12\"},2)",
        "args": [
          [
            [
              52
            ],
            [
              49
            ],
            [
              55
            ],
            [
              53
            ],
            [
              57
            ],
            [
              54
            ],
            [
              58
            ],
            [
              60
            ],
            [
              57
            ],
            [
              61
            ],
            [
              63
            ],
            [
              60
            ]
          ],
          [
            [
              "2024-01"
            ],
            [
              "2024-02"
            ],
            [
              "2024-03"
            ],
            [
              "2024-04"
            ],
            [
              "2024-05"
            ],
            [
              "2024-06"
            ],
            [
              "2024-07"
            ],
            [
              "2024-08"
            ],
            [
              "2024-09"
            ],
            [
              "2024-10"
            ],
            [
              "2024-11"
            ],
            [
              "2024-12"
            ]
          ],
          2
        ],
        "answer": [
          [
            "date",
            "forecast",
            "lo",
            "hi"
          ],
          [
            "2025-01-01",
            61.5151,
            55.2687,
            67.7614
          ],
          [
            "2025-02-01",
            61.8987,
            54.485,
            69.3124
          ]
        ]
      }
    },
    {
      "name": "ANOMALY",
      "formula": "SHOP.ANOMALY",
      "signature": "SHOP.ANOMALY(values, timeline, [level], [group])",
      "summary": {
        "en": "Which values of a series are out of line, with trend and season considered.",
        "zh": "考虑趋势和季节后，序列中哪些值异常。"
      },
      "returns": {
        "en": "flag (high, low, or blank), expected, lo and hi of each row, in the order of the data.",
        "zh": "每行的标记（high 偏高、low 偏低或空）、预期值、下限和上限，顺序与数据相同。"
      },
      "args": [
        {
          "name": "values",
          "help": {
            "en": "The numbers to look at: a column with a row per time. Empty cells and errors count as missing.",
            "zh": "要分析的数值：一列，每个时间一行。空单元格和错误值视为缺失。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "timeline",
          "help": {
            "en": "The date or time of each value, in any order, with a constant step: days, weeks, months, hours ... Up to 30 % may be missing; values of one time are averaged.",
            "zh": "每个值的日期或时间，顺序不限，间隔须固定：日、周、月、小时等。最多可缺 30%；同一时间的多个值取平均。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "level",
          "help": {
            "en": "How many in 100 ordinary values shall lie from lo to hi; of the others an alarm is false. 99 if left out.",
            "zh": "每 100 个正常值应有多少个落在 lo 与 hi 之间；其余的会被误报。省略时为 99。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
        },
        {
          "name": "group",
          "help": {
            "en": "A column as long as values: each of its values is a series of its own, such as a product or a shop. One series if left out.",
            "zh": "与 values 等长的一列：每个不同的值（如商品或店铺）单独成为一个序列。省略时为一个序列。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        }
      ],
      "example": {
        "formula": "=SHOP.ANOMALY({20;22;19;21;20;60;22;20;19;21;20;22},{45292;45293;45294;45295;45296;45297;45298;45299;45300;45301;45302;45303})",
        "args": [
          [
            [
              20
            ],
            [
              22
            ],
            [
              19
            ],
            [
              21
            ],
            [
              20
            ],
            [
              60
            ],
            [
              22
            ],
            [
              20
            ],
            [
              19
            ],
            [
              21
            ],
            [
              20
            ],
            [
              22
            ]
          ],
          [
            [
              45292
            ],
            [
              45293
            ],
            [
              45294
            ],
            [
              45295
            ],
            [
              45296
            ],
            [
              45297
            ],
            [
              45298
            ],
            [
              45299
            ],
            [
              45300
            ],
            [
              45301
            ],
            [
              45302
            ],
            [
              45303
            ]
          ]
        ],
        "answer": [
          [
            "",
            22.7578,
            12.9804,
            32.5351
          ],
          [
            "",
            21.1925,
            11.4152,
            30.9698
          ],
          [
            "",
            22.975,
            13.1977,
            32.7524
          ],
          [
            "",
            24.2501,
            14.4728,
            34.0275
          ],
          [
            "",
            19.2152,
            9.4379,
            28.9925
          ],
          [
            "high",
            18.7646,
            8.9872,
            28.5419
          ],
          [
            "",
            22.9173,
            13.1399,
            32.6946
          ],
          [
            "",
            21.2752,
            11.4978,
            31.0525
          ],
          [
            "",
            19.3826,
            9.6052,
            29.1599
          ],
          [
            "",
            18.1148,
            8.3374,
            27.8921
          ],
          [
            "",
            19.1344,
            9.3571,
            28.9118
          ],
          [
            "",
            18.7403,
            8.963,
            28.5177
          ]
        ]
      }
    },
    {
      "name": "LIFT",
      "formula": "SHOP.LIFT",
      "signature": "SHOP.LIFT(values, timeline, start, [finish], [controls], [level])",
      "summary": {
        "en": "What a campaign did to a series: what happened beside what would have happened.",
        "zh": "一次活动对序列的影响：实际发生的与没有活动时会发生的对比。"
      },
      "returns": {
        "en": "A table with one row: actual, expected, effect, its interval and probability, how placebo campaigns before it went, and the verdict in words.",
        "zh": "一行的表格：实际值、预期值、效果、区间和概率、此前虚拟活动的检验，以及文字结论。"
      },
      "args": [
        {
          "name": "values",
          "help": {
            "en": "The numbers to look at: a column with a row per time. Empty cells and errors count as missing.",
            "zh": "要分析的数值：一列，每个时间一行。空单元格和错误值视为缺失。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "timeline",
          "help": {
            "en": "The date or time of each value, in any order, with a constant step: days, weeks, months, hours ... Up to 30 % may be missing; values of one time are averaged.",
            "zh": "每个值的日期或时间，顺序不限，间隔须固定：日、周、月、小时等。最多可缺 30%；同一时间的多个值取平均。"
          },
          "required": true,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "start",
          "help": {
            "en": "The first day or time of the campaign.",
            "zh": "活动的第一天或开始时间。"
          },
          "required": true,
          "range": false,
          "choices": [],
          "type": "any"
        },
        {
          "name": "finish",
          "help": {
            "en": "The last day or time that counts; later rows are not looked at. The last of the data if left out.",
            "zh": "计入的最后一天或时间，之后的行不计入。省略时为数据中的最后一个。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "any"
        },
        {
          "name": "controls",
          "help": {
            "en": "Series that the campaign did not touch, such as other regions or the market: columns as long as values. They make the answer much surer.",
            "zh": "活动没有影响到的序列，如其他地区或整个市场：与 values 等长的若干列。有了它们结论更可靠。"
          },
          "required": false,
          "range": true,
          "choices": [],
          "type": "any"
        },
        {
          "name": "level",
          "help": {
            "en": "How sure the interval shall be: 95 in 100 such intervals hold the true effect. 95 if left out.",
            "zh": "区间的把握：每 100 个这样的区间有 95 个包含真实效果。省略时为 95。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
        }
      ],
      "example": {
        "formula": "=SHOP.LIFT({10;12;11;13;12;11;10;12;13;11;12;10;18;19;17},{45292;45293;45294;45295;45296;45297;45298;45299;45300;45301;45302;45303;45304;45305;45306},45304)",
        "args": [
          [
            [
              10
            ],
            [
              12
            ],
            [
              11
            ],
            [
              13
            ],
            [
              12
            ],
            [
              11
            ],
            [
              10
            ],
            [
              12
            ],
            [
              13
            ],
            [
              11
            ],
            [
              12
            ],
            [
              10
            ],
            [
              18
            ],
            [
              19
            ],
            [
              17
            ]
          ],
          [
            [
              45292
            ],
            [
              45293
            ],
            [
              45294
            ],
            [
              45295
            ],
            [
              45296
            ],
            [
              45297
            ],
            [
              45298
            ],
            [
              45299
            ],
            [
              45300
            ],
            [
              45301
            ],
            [
              45302
            ],
            [
              45303
            ],
            [
              45304
            ],
            [
              45305
            ],
            [
              45306
            ]
          ],
          45304
        ],
        "answer": [
          [
            "actual",
            "expected",
            "effect",
            "lo",
            "hi",
            "effect_share",
            "probability",
            "placebo",
            "error_before",
            "verdict"
          ],
          [
            54.0,
            34.2494,
            19.7506,
            6.3619,
            33.1394,
            0.5767,
            0.993,
            0.0,
            0.0836,
            "clear effect: a rise of 58% that chance does not explain at level 95"
          ]
        ]
      }
    }
  ]
};
