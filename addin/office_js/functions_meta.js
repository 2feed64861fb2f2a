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
    }
  ]
};
