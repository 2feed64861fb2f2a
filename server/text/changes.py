"""From a complaint to what would settle it: "slow delivery" is the need for faster delivery.

The words of a need are the text's own; what is added comes from the two columns below alone.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Change(NamedTuple):
    """What complaints of one sort ask for; {} is the thing in the words of the text."""

    complaint: re.Pattern[str]
    english: str
    chinese: str


def _change(english: str, chinese: str, complaint: str) -> Change:
    return Change(re.compile(complaint, re.I), english, chinese)


# The first that fits counts.
CHANGES: Final = (
    _change(
        "genuine {}",
        "{}保证正品",
        r"\bfakes?\b|counterfeit|knock-?off|not (?:genuine|original)|"
        "假货|山寨|高仿|不是正品|假的",
    ),
    _change(
        "the right {}",
        "{}不发错",
        r"\bwrong (?:item|model|size|colou?r|one|order|product|part|thing)|"
        "发错|寄错|送错",
    ),
    _change(
        "lower price",
        "价格更低",
        r"expensive|pric(?:e?y|ier)|over-?priced|costs? too|too dear|"
        r"not worth|rip-?off|太贵|偏贵|好贵|贵了|更贵|不值|不划算|价格高|死贵",
    ),
    _change(
        "longer-lasting {}",
        "{}更持久",
        r"\bdies\b|drains?|runs? (?:out|down)|fades? |wears? off|"
        r"(?:only |barely |does ?n.t |not )lasts?\b|gone after|撑不|掉电|不耐用|没电快|掉色|"
        r"没味道了|电量.*快",
    ),
    _change(
        "complete {}",
        "{}齐全",
        r"\b(?:were|was|is|are|parts?|pieces?|screws?) missing|missing "
        r"(?:parts?|pieces?|screws?)|incomplete|少了|缺了|漏发|少发|缺件|不全",
    ),
    _change(
        "faster {}",
        "{}更快",
        r"\bslow(?:er|ly)?\b|\blate\b|delay|too long to|took (?:too long|forever"
        r"|ages|(?:\w+ ){1,2}(?:days|weeks|months))|(?:days|weeks|months) later|still (?:no|"
        r"not|waiting)|"
        r"\bwait(?:ed|ing)\b|\blags?\b|慢|迟到|太久|很久|好久|等了|还没(?:收|到|发)|没收到|"
        r"卡顿|才到|才发|拖了",
    ),
    _change(
        "quieter {}",
        "{}更安静",
        r"\bloud\b|\bnois[ey]|squeak|whin(?:es?|ing)|rattl|buzz|噪音|噪声|吵|声音(?:太|很|"
        r"好)?大"
        "|嗡嗡|嘎吱|吱吱|异响",
    ),
    _change(
        "less smell",
        "异味更小",
        r"\bsmell(?:s|ed|y)?\b|stink|odou?r|reeks?|异味|臭|刺鼻|难闻|塑料味|味道(?:太|很)?大",
    ),
    _change(
        "fresher {}",
        "{}更新鲜",
        r"\bstale\b|rotten|mou?ld|expired|out of date|不新鲜|受潮|发霉|过期|变质|枯了|烂了",
    ),
    _change(
        "cooler {}",
        "{}不发烫",
        r"overheat|(?:too|so|very|gets?) hot|burning hot|发烫|烫|发热|过热",
    ),
    _change(
        "larger {}",
        "{}更大",
        r"too (?:small|tight|narrow)|(?:runs?|way|very|so) (?:too )?small"
        r"|偏小|太小|小了|太紧|勒|小一号|有点小",
    ),
    _change(
        "smaller {}",
        "{}更小",
        r"too (?:big|large|loose|wide|bulky)|(?:runs?|way|very|so) (?:too )?(?:big|large)"
        r"|bulky|偏大|太大|大了|太松|太肥|大一号",
    ),
    _change("longer {}", "{}更长", r"too short|(?:very|so) short|太短|偏短|短了"),
    _change("shorter {}", "{}更短", r"too long|太长|偏长|长了"),
    _change("lighter {}", "{}更轻", r"too heavy|heav(?:y|ier)|太重|很重|好重|沉"),
    _change(
        "softer {}",
        "{}更柔软",
        r"too (?:hard|stiff|rough)|\bstiff\b|scratchy|itch|太硬|很硬|偏硬|扎人|扎皮肤",
    ),
    _change(
        "friendlier service",
        "服务更热情",
        r"\brude\b|unfriendly|impolite|arrogant|hung up|"
        r"态度(?:很|太|极|非常)?(?:差|恶劣|不好|冷淡)|冷漠|爱答不理",
    ),
    _change(
        "quicker replies",
        "回复更及时",
        r"ignor(?:ed|es)|no ?(?:body|one) (?:answers?|answered|repl|responds?|"
        r"responded|picked)|no (?:answer|reply|response)|heard nothing|不理人|不回|"
        r"没人(?:理|接|回)",
    ),
    _change(
        "cleaner {}", "{}更干净", r"dirty|filthy|stain|unclean|hair in|脏|污渍|不干净|不卫生|灰尘"
    ),
    _change(
        "safer {}",
        "{}更安全",
        r"\brash\b|allerg|danger|\bsick\b|unsafe|过敏|危险|拉肚子|不安全|红疹",
    ),
    _change(
        "sturdier {}",
        "{}更结实",
        r"flims|\bthin\b|wobbl|\bcheap(?:ly)?\b|fragile|sag(?:s|ged)|松动|太薄|单薄|廉价|"
        "不结实|不牢|晃|塌",
    ),
    _change(
        "more durable {}",
        "{}更耐用",
        r"\bbroke[n]?\b|\bbreaks?\b|crack|snapp?(?:ed|s)?\b|\btor[en]\b|\btear|ripped|"
        r"fell apart|came (?:off|apart|undone|loose)|peel|chipp|stopped working|quit working|"
        r"does ?n.t work|"
        r"defect|shr[aiu]nk|leak|坏了|坏的|就坏|破了|破损|裂|断了|开线|开胶|掉漆|掉皮|缩水|"
        r"碎了|漏水|漏了|脱胶|用不了|失灵|起球",
    ),
    _change(
        "stronger {}",
        "{}更强劲",
        r"\bweak\b|no (?:suction|power|strength)|underpower|吸不动|没劲|力度不够|太弱|无力",
    ),
    _change("brighter {}", "{}更亮", r"\bdim\b|too dark|太暗|不亮|昏暗"),
    _change(
        "sharper {}",
        "{}更清晰",
        r"blurr?y|grainy|fuzzy|dead pixels?|模糊|不清晰|不清楚|发虚|听不清|看不清",
    ),
    _change(
        "more stable {}",
        "{}更稳定",
        r"disconnect|cuts? out|crash|freez|drops? (?:the )?(?:signal|connection)|glitch|"
        r"闪退|断开|老是断|死机|掉线|不稳定|卡死",
    ),
    _change(
        "easier {}",
        "{}更简单",
        r"confus|complicat|difficult|hard to|useless instructions|impossible to|"
        "复杂|看不懂|难用|不好用|麻烦|难装",
    ),
    _change(
        "{} as described",
        "{}与描述一致",
        r"not (?:as|what|like) (?:described|pictured|advertised|in the|i ordered|"
        r"expected|shown)|misleading|different (?:from|colou?r)|色差|不一样|不符|图片上|"
        r"与描述|货不对板",
    ),
    _change(
        "refund for {}",
        "{}退款",
        r"\brefund|money back|charged (?:me )?twice|退款|没到账|扣了.{0,4}两次|重复扣",
    ),
)
CHEAPER: Final = next(change for change in CHANGES if change.english == "lower price")
BETTER: Final = _change("better {}", "{}更好", "")

# What a question is about, where one of these words says it.
TOPICS: Final = tuple(
    (re.compile(pattern, re.I), english, chinese)
    for english, chinese, pattern in (
        (
            "stock",
            "现货",
            r"\bin stock|re-?stock|available again|sold out|补货|有货|有现货|到货|缺货|上新",
        ),
        (
            "order status",
            "订单状态",
            r"where is my|track|status of|shows? delivered|包裹在哪|查物流|到哪了|已签收|没收到",
        ),
        (
            "delivery time",
            "送货时间",
            r"how long .*(?:deliver|ship|arrive)|when .*(?:arrive|deliver|ship)|next day "
            r"delivery|delivery take|几天(?:能)?到|什么时候(?:发货|到|送)|多久(?:发货|能到|"
            r"到)|次日达|发货时间",
        ),
        (
            "delivery options",
            "配送方式",
            r"\bship (?:to|it)|\bdeliver(?:y|ies)? to|shipping|delivery|能发(?!张|个|一)|包邮|"
            r"运费|发什么快递|自提|配送",
        ),
        (
            "returns",
            "退换货",
            r"\breturns?\b|refund|exchange|send (?:it )?back|退货|退换|换货|退款|可以退|能退|"
            r"包退",
        ),
        ("cancellation", "取消订单", r"\bcancel|取消"),
        ("warranty", "保修", r"warrant|guarantee|保修|质保|三包|售后"),
        (
            "size",
            "尺码",
            r"\bsiz(?:e|es|ing)\b|run (?:large|small)|true to size|穿什么码|什么码|多大码|尺码|"
            r"尺寸|偏大|偏小|腰围",
        ),
        ("colours", "颜色", r"\bcolou?rs?\b|\bshades?\b|颜色|色号"),
        (
            "discount",
            "优惠",
            r"discount|coupon|voucher|\bsale\b|promo|优惠|打折|活动|代金券|券|便宜点",
        ),
        ("payment", "付款方式", r"\bpay(?:ment|ing)?\b|instal?lments|分期|付款|支付|花呗"),
        ("price", "价格", r"\bprice|\bcosts?\b|how much (?:is|are|for)|多少钱|价格|怎么卖"),
        ("invoice", "发票", r"invoice|\bbills?\b|receipt|发票"),
        (
            "compatibility",
            "兼容性",
            r"compatib|work with|\bfits? (?:the|a|my|an|this)|can i use .* (?:on|with)|适配|"
            r"兼容|通用|能用.*吗|能装",
        ),
        (
            "material",
            "材质",
            r"material|fabric|made (?:of|from)|leather|cotton|thread count|材质|面料|什么料|"
            r"纯棉|真皮",
        ),
        (
            "ingredients",
            "成分",
            r"ingredient|contain|gluten|alcohol|vegan|vegetarian|成分|含.*吗|麸质|素食",
        ),
        ("care", "清洗方法", r"wash|dishwasher|clean|机洗|清洗|洗碗机|怎么洗|水洗"),
        ("safety", "安全性", r"\bsafe\b|安全吗|安全性|孕妇|宝宝.*能"),
        (
            "how to use",
            "使用方法",
            r"how (?:do|to|can) (?:i|you|we)|\breset\b|connect|怎么(?:用|连|装|恢复|设置|弄)|"
            r"如何",
        ),
        (
            "origin",
            "产地",
            r"where (?:is|are) (?:it|they|this) made|who makes|country of origin|产地|哪里产|"
            r"哪里生产|哪家的",
        ),
    )
)

# Words for a category of which nothing was said by name.
CATEGORY_WORDS: Final = {
    "quality": ("quality", "质量"),
    "performance": ("performance", "性能"),
    "price": ("price", "价格"),
    "delivery": ("delivery", "配送"),
    "packaging": ("packaging", "包装"),
    "service": ("service", "服务"),
    "authenticity": ("product", "商品"),
    "brand": ("brand", "品牌"),
    "design": ("design", "外观"),
    "size & weight": ("size", "尺寸"),
    "comfort & feel": ("feel", "手感"),
    "ease of use": ("use", "操作"),
    "battery & power": ("battery", "电池"),
    "screen": ("screen", "屏幕"),
    "sound & camera": ("sound", "音质"),
    "keyboard & controls": ("controls", "按键"),
    "connectivity": ("connection", "连接"),
    "software": ("software", "软件"),
    "parts & storage": ("parts", "配件"),
    "noise & heat": ("device", "机器"),
    "cleanliness": ("condition", "卫生"),
    "place": ("place", "环境"),
    "taste": ("taste", "味道"),
    "scent": ("scent", "气味"),
    "ingredients": ("ingredients", "成分"),
    "effect": ("effect", "效果"),
    "selection": ("selection", "种类"),
    "content": ("content", "内容"),
}


def change_of(words: str) -> Change | None:
    """What a complaint in these words asks for; None where they do not tell."""
    return next((change for change in CHANGES if change.complaint.search(words)), None)


def topic_of(question: str, *, chinese: bool) -> str | None:
    """What a question is about in a word or two; None where no known word says it."""
    for pattern, english, han in TOPICS:
        if pattern.search(question):
            return han if chinese else english
    return None


def phrase_of(change: Change, thing: str, *, chinese: bool) -> str:
    """The need in words: the change, with the thing where there is one."""
    template = change.chinese if chinese else change.english
    return template.format(thing).strip()
