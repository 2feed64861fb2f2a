"""Texts that we write or put together ourselves, for what public data hardly teach.

Reviews are collected because they praise or blame. What a shop also reads, questions and plain
statements, is made here from templates; a mixed text is made of one praising and one blaming
review with a word of contrast between them, a long one of several reviews of one pole.
"""

from collections.abc import Sequence

import numpy as np

NOUNS = {
    "en": (
        "phone|case|charger|laptop|headphones|kettle|pan|rice cooker|lamp|desk|chair|mattress|"
        "pillow|duvet cover|jacket|dress|shirt|jeans|sneakers|boots|backpack|suitcase|watch|ring|"
        "lipstick|sunscreen|shampoo|face cream|toothbrush|hair dryer|vacuum cleaner|air fryer|"
        "blender|novel|cookbook|puzzle|toy car|doll|stroller|car seat|cat litter|dog food|"
        "fish tank|tent|yoga mat|dumbbell|bike helmet|printer|monitor|keyboard|mouse|router|"
        "camera|tripod|tea|coffee|snack box"
    ).split("|"),
    "zh": (
        "手机|手机壳|充电器|电脑|耳机|水壶|炒锅|电饭锅|台灯|书桌|椅子|床垫|枕头|被套|外套|连衣裙|"
        "衬衫|牛仔裤|运动鞋|靴子|背包|行李箱|手表|戒指|口红|防晒霜|洗发水|面霜|牙刷|吹风机|吸尘器|"
        "空气炸锅|榨汁机|小说|菜谱|拼图|玩具车|娃娃|童车|安全座椅|猫砂|狗粮|鱼缸|帐篷|瑜伽垫|哑铃|"
        "头盔|打印机|显示器|键盘|鼠标|路由器|相机|三脚架|茶叶|咖啡|零食礼盒|奶粉|纸尿裤|蛋糕|外卖"
    ).split("|"),
}
DETAILS = {
    "en": (
        "black|white|navy|grey|green|a small|a large|the 2 litre|the 500 ml|the 64 GB|the 15 inch|"
        "a size 42|a medium|cotton|steel|plastic|wireless|foldable|waterproof|second generation"
    ).split("|"),
    "zh": (
        "黑色|白色|藏青色|灰色|绿色|小号|大号|两升|五百毫升|64G|十五寸|四十二码|均码|纯棉|不锈钢|塑料|"
        "无线|可折叠|防水|第二代"
    ).split("|"),
}
TEMPLATES = {
    "en": (
        "Is the {noun} available in {detail}?",
        "Does the {noun} come with a warranty?",
        "What is the size of the {noun}?",
        "How long does delivery of the {noun} take?",
        "When will the {detail} {noun} be back in stock?",
        "Can I change the address of my order for the {noun}?",
        "Where is my order? I bought a {noun} on Monday.",
        "Could you tell me the weight of the {noun}?",
        "Which {noun} fits a child of six?",
        "Is this {noun} the same as last year's model?",
        "Do you ship the {noun} to Norway?",
        "Can the {noun} be washed at 60 degrees?",
        "What is the difference between this {noun} and the {detail} one?",
        "Has anyone used the {noun} with an older model?",
        "How do I return a {noun}?",
        "Is the {noun} suitable for beginners?",
        "Are batteries included with the {noun}?",
        "Should I take a size up in this {noun}?",
        "It is {detail}, a {noun} like others.",
        "Bought the {noun} for my sister's birthday.",
        "The {noun} arrived today. I have not opened it yet.",
        "Ordered on Monday, the {noun} came on Thursday.",
        "This is a {noun}, {detail}, made in Portugal.",
        "The box holds one {noun}, a cable and a leaflet.",
        "I will write again when I have used the {noun} for a month.",
        "We looked at the new {noun} at the fair today.",
        "The shop sells the {noun} and a matching case.",
        "My {noun} is {detail}.",
        "The {noun} is so-so, nothing special.",
        "An average {noun}, what you expect at this price.",
        "The {noun} is okay, I guess. Neither good nor bad.",
        "Kind of ordinary, this {noun}. It does its job.",
        "I can't say much about the {noun} yet.",
        "A new {noun} will be presented on Friday at ten.",
        "RT: the {noun} launches next week in {detail}",
        "Pre-orders for the {noun} start tomorrow.",
    ),
    "zh": (
        "请问{noun}有{detail}的吗？",
        "{noun}保修多久？",
        "这个{noun}的尺寸是多少？",
        "{noun}几天能到？发什么快递？",
        "{detail}的{noun}什么时候补货？",
        "我买的{noun}可以改地址吗？",
        "我周一下单的{noun}到哪里了？",
        "想问一下{noun}有多重？",
        "六岁的孩子用哪款{noun}合适？",
        "这款{noun}和去年的是同一款吗？",
        "{noun}能寄到新疆吗？",
        "{noun}可以机洗吗？",
        "这个{noun}和{detail}的有什么区别？",
        "有人用过这个{noun}吗？求介绍",
        "{noun}怎么退货？",
        "{noun}适合新手用吗？",
        "{noun}送电池吗？",
        "平时穿M码，{noun}要拍多大的？",
        "亲，{noun}现在有活动吗？",
        "{noun}是{detail}还是别的？能开发票吗？",
        "在吗？{noun}还有货没",
        "老板，{noun}什么材质的？",
        "{noun}是{detail}的，跟别家的差不多。",
        "给妹妹生日买的{noun}。",
        "{noun}今天收到了，还没拆。",
        "周一下单，{noun}周四到的。",
        "{detail}{noun}，产地浙江。",
        "盒子里有一个{noun}、一根线和说明书。",
        "{noun}先用着，过段时间再来追评。",
        "今天在店里看了新款{noun}。",
        "店里有{noun}，也有配套的收纳袋。",
        "我的{noun}是{detail}的。",
        "{noun}一般般，没什么特别。",
        "{noun}还行吧，就那样。",
        "中规中矩的{noun}，对得起这个价，不好不坏。",
        "{noun}还没用，不知道怎么样。",
        "{noun}刚到手，效果等用了再说。",
        "新款{noun}周五上午十点开售。",
        "{noun}下周发布，有{detail}。",
    ),
}
CONTRASTS = {
    "en": (", but ", ". However, ", ", although ", ". On the other hand, ", ", yet ", ". Sadly, "),
    "zh": ("，但是", "，可惜", "，就是", "，不过", "。然而", "，只是"),
}
LONGEST_HALF = {"en": 160, "zh": 60}  # characters of each part of a mixed text


def neutral_texts(language: str, count: int, seed: int) -> list[str]:
    """Different questions and plain statements, at most `count`; "en" or "zh"."""
    draw = np.random.default_rng(seed)
    texts: dict[str, None] = {}
    for _ in range(count):
        template = str(draw.choice(TEMPLATES[language]))
        noun, detail = draw.choice(NOUNS[language]), draw.choice(DETAILS[language])
        texts[template.format(noun=noun, detail=detail)] = None
    return list(texts)


def mixed_texts(
    praise: Sequence[str], blame: Sequence[str], language: str, count: int, seed: int
) -> list[str]:
    """`count` texts of one praising and one blaming part, in either order.

    Parts longer than LONGEST_HALF are not used. Empty when one side has no short text.
    """
    draw = np.random.default_rng(seed)
    sides = [
        [text.rstrip(" .。!！,，") for text in part if 4 <= len(text) <= LONGEST_HALF[language]]
        for part in (praise, blame)
    ]
    if not all(sides):
        return []
    texts = []
    for _ in range(count):
        first, second = (side[draw.integers(len(side))] for side in sides)
        if draw.random() < 0.4:
            first, second = second, first
        texts.append(first + str(draw.choice(CONTRASTS[language])) + second)
    return texts


def long_texts(reviews: Sequence[str], count: int, seed: int) -> list[str]:
    """`count` texts of two to four reviews one after the other; empty when there are too few."""
    draw = np.random.default_rng(seed)
    if len(reviews) < 4:
        return []
    return [
        " ".join(reviews[i] for i in draw.choice(len(reviews), draw.integers(2, 5), replace=False))
        for _ in range(count)
    ]
