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
            "en": "How many steps each RFM score has, from 2 to 10. 5 if left out.",
            "zh": "每项 RFM 评分的档数，2 到 10。省略时为 5。"
          },
          "required": false,
          "range": false,
          "choices": [],
          "type": "number"
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
        "formula": "=SHOP.SEGMENT({\"Ann\";\"Ann\";\"Bo\"},{\"2024-05-01\";\"2024-05-20\";\"2024-01-15\"},{40.0;25.0;10.0})",
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
    }
  ]
};
