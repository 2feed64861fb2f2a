"""What an aspect is about: the shop's few categories, and the data sets' finer ones that they sum.

A fine category is named as its data set names it, in capitals: ENTITY#ATTRIBUTE in English, one
word in Chinese. Training learns both; a user sees a shop category.
"""

import re
from functools import lru_cache

SHOP_CATEGORIES = (
    "overall",
    "quality",
    "performance",
    "price",
    "delivery",
    "packaging",
    "service",
    "authenticity",
    "brand",
    "design",
    "size & weight",
    "comfort & feel",
    "ease of use",
    "battery & power",
    "screen",
    "sound & camera",
    "keyboard & controls",
    "connectivity",
    "software",
    "parts & storage",
    "noise & heat",
    "cleanliness",
    "place",
    "taste",
    "scent",
    "ingredients",
    "effect",
    "selection",
    "content",
    "other",
)

_SPELLINGS = {  # MEMD writes some laptop categories in two ways.
    "HARD_DISK": "HARD_DISC",
    "FANS_COOLING": "FANS&COOLING",
    "OUTOFSCOPE": "OUT_OF_SCOPE",
}
_WHOLE = {
    "整体": "overall",
    "使用体验": "comfort & feel",
    "功效": "effect",
    "价格": "price",
    "物流": "delivery",
    "气味": "scent",
    "包装": "packaging",
    "真伪": "authenticity",
    "服务": "service",
    "其他": "other",
    "成分": "ingredients",
    "尺寸": "size & weight",
    "新鲜度": "ingredients",
    "BOOK#QUALITY": "quality",
    "BOOK#GENERAL": "overall",
    "LAPTOP#CONNECTIVITY": "connectivity",
    "FOOD#GENERAL": "taste",
    "FOOD_DRINKS#GENERAL": "taste",
    "FOOD#QUALITY": "taste",
    "FOOD_DRINKS#QUALITY": "taste",
    "DRINKS#QUALITY": "taste",
}
_ATTRIBUTES_FIRST = {  # What is said of any part.
    "PRICE": "price",
    "PRICES": "price",
    "BRAND": "brand",
    "OPTIONS": "selection",
    "STYLE_OPTIONS": "selection",
    "CLEANLINESS": "cleanliness",
    "PORTABILITY": "size & weight",
}
_ENTITIES = {
    "SUPPORT": "service",
    "WARRANTY": "service",
    "SERVICE": "service",
    "SHIPPING": "delivery",
    "COMPANY": "brand",
    "BATTERY": "battery & power",
    "POWER_SUPPLY": "battery & power",
    "DISPLAY": "screen",
    "MULTIMEDIA_DEVICES": "sound & camera",
    "KEYBOARD": "keyboard & controls",
    "MOUSE": "keyboard & controls",
    "PORTS": "connectivity",
    "OS": "software",
    "SOFTWARE": "software",
    "CPU": "performance",
    "GRAPHICS": "performance",
    "MEMORY": "parts & storage",
    "HARD_DISC": "parts & storage",
    "HARDWARE": "parts & storage",
    "MOTHERBOARD": "parts & storage",
    "OPTICAL_DRIVES": "parts & storage",
    "FANS&COOLING": "noise & heat",
    "AMBIENCE": "place",
    "LOCATION": "place",
    "CONTENT": "content",
    "BOOK": "content",
    "DERIVATIVES": "content",
    "OUT_OF_SCOPE": "other",
}
_ATTRIBUTES_LAST = {
    "OPERATION_PERFORMANCE": "performance",
    "DESIGN_FEATURES": "design",
    "LOOKING": "design",
    "PAIR": "design",
    "SIZE": "size & weight",
    "COMFORT": "comfort & feel",
    "USABILITY": "ease of use",
    "QUALITY": "quality",
}
_OF_A_PLACE = {"ROOMS", "ROOM_AMENITIES", "FACILITIES"}

# Words of an aspect that tell its category in reviews whose data set names none.
_WORDS = {
    "price": "prices?|priced|costs?|value|deal|价格|价钱|性价比|价位|人均|售价",
    "delivery": "shipping|delivery|shipment|arrival|arrived|shipped|ship|received|delivered|"
    "物流|快递|发货|送货|配送|外卖|快递公司|快递员|送货速度|发货速度|物流速度|到货速度",
    "packaging": "packag(?:e|ing|ed)|box|包装|盒子|外包装|包装盒|箱子",
    "service": "(?:customer )?(?:service|support)|sellers?|vendor|staff|warranty|waiter|"
    "服务员?|服务态度|态度|客服|卖家|店员|老板娘?|上菜速度|服务质量|售后|售后服务|前台|"
    "安装师傅|师傅|工作人员|商家|店家",
    "design": "colou?rs?|look|looks|looked|styles?|designs?|designed|appearance|patterns?|"
    "shade|shape|"
    "颜色|外观|款式|样式|摆盘|卖相|色差|外形|版型|设计|封面|颜值",
    "size & weight": "sizes?|sizing|fit|fits|fitting|length|width|weight|thickness|"
    "尺寸|大小|尺码|分量|份量|个头|个子|长度|宽度|重量|码子|鞋码",
    "comfort & feel": "comfort|texture|feel|feels|grip|cushion|padding|consistency|"
    "口感|手感|质感|舒适度|触感|鞋底|床|隔音",
    "quality": "quality|build(?: quality)?|built|made|materials?|fabric|construct(?:ion|ed)|"
    "leather|finish|plastic|metal|steel|zipper|seams?|stitching|"
    "质量|材质|做工|面料|品质|布料|料子|纸张|纸质|印刷|印刷质量|线头|拉链|扣子|弹性|鞋面",
    "performance": "performance|speed|suction|power|works?|worked|working|cuts?|"
    "速度|性能|运行速度|反应|反应速度|运行|配置|加热|加热速度|保温效果|保温",
    "ease of use": "ease of use|use|set ?up|install(?:ation|ed)?|instructions?|assembly|"
    "clean(?: |ing )?up|"
    "安装|操作|使用|触摸",
    "battery & power": "batter(?:y|ies)|battery life|charger|charge|charging|"
    "电池|续航|充电|待机|待机时间|充电器",
    "screen": "screen|display|picture(?: quality)?|resolution|屏幕|画面|分辨率|显示屏|屏|显示效果",
    "sound & camera": "sounds?|sound quality|audio|tone|bass|speakers?|camera|mic(?:rophone)?|"
    "treble|volume|"
    "音质|声音|音效|拍照|摄像头|相机|像素|摄像|喇叭|音量",
    "keyboard & controls": "keyboard|keys|mouse|buttons?|remote(?: control)?|touchpad|"
    "键盘|鼠标|按键",
    "connectivity": "connection|connectivity|bluetooth|wi-?fi|ports?|signal|usb|cable|"
    "蓝牙|信号|连接",
    "software": "software|app|interface|firmware|drivers?|menu|系统|软件|界面",
    "parts & storage": "memory|storage|hard drive|ram|内存|硬盘|配件|赠品|附件",
    "noise & heat": "noise|heat|fan|噪音|散热|噪声|发热",
    "place": "atmosphere|location|environment|"
    "环境|氛围|位置|地理位置|交通|装修|座位|停车|房间|设施|地段|卫生间|周边",
    "taste": "taste|flavou?r|food|"
    "味道|口味|菜品|菜|菜式|出品|汤底|锅底|食材|早餐|餐饮|水分|甜度|果肉",
    "scent": "scents?|smells?|smelling|fragrance|odou?r|气味|味儿|香味|香气",
    "ingredients": "ingredients?|formula|成分|配方|新鲜度|生产日期|日期|保质期",
    "selection": "selection|variety|choices?|种类|品种|菜单|选择",
    "brand": "brand|company|品牌|牌子",
    "cleanliness": "cleanliness|卫生|清洁度|卫生情况|卫生条件",
    "effect": "effects?|coverage|lather|shine|效果|去屑效果|泡沫|清洁效果|洗后效果",
    "content": "story|plot|characters?|内容|故事|情节|文笔|文字|翻译|插图",
    "overall": "products?|items?|purchase|buy|stuff|thing|"
    "产品|东西|宝贝|商品|整体|总体|衣服|裤子|鞋子|鞋|裙子|手机|电脑|本本|平板|酒店|宾馆|书|"
    "热水器|机器|水果|苹果|牛奶|洗发水|总体感觉|整体感觉|整体效果|货",
}
# Words of an opinion that tell what it is about where the aspect does not; the first that fits.
_OPINION_WORDS = {
    "price": "expensive|pric(?:e|ey|ed)|cheap(?!ly)|overpriced|worth|affordable|money|penny|"
    "贵|便宜|实惠|划算|不值",
    "delivery": "arriv|shipp|deliver|on time|days? late|发货|送达",
    "scent": "smell|scent|odou?r|stink|fragran|好闻|难闻|刺鼻",
    "taste": "tast[ey]|delicious|yummy|flavou?r|好吃|难吃|入味|鲜|嫩|[甜咸辣酸]",
    "noise & heat": "loud|nois[ey]|quiet|silent|overheat",
    "comfort & feel": "comf(?:ortabl[ey]|y)|soft|itchy|scratchy|greasy|smooth|舒服|舒适|柔软",
    "ease of use": "eas(?:y|ily|ier)|simple|difficult|hard to|confus|convenient|handy|方便|好用",
    "size & weight": r"\bfits?\b|small|large|\bbig|tight|loose|heav(?!y duty)|\blight(?!s)|"
    "compact|true to size|too (?:short|long)|"
    "偏小|偏大|合身",
    "quality": r"brok|break|apart|durab|sturd|flims|solid|rugged|well[ -]made|made|\brip|\btore|"
    r"crack|quality|\blast|defect|junk|heavy duty|strong|"
    "耐用|结实|破|坏",
    "effect": "moisturi|hydrat|dr(?:y|ies) out|break ?outs?|burn|irritat|effective|gentle|"
    "补水|保湿",
    "design": r"cute|beaut|pretty|stylish|ugly|\blooks?|gorgeous|attractive|"
    "好看|漂亮|难看",
    "performance": r"\bwork|does the (?:job|trick)|\bfast|\bslow|powerful|sharp|reliable|"
    "accurate",
    "overall": "love|great|good|happy|recommend|disappoint|perfect|awesome|amazing|excellent|"
    r"\bbad\b|terrible|like|best|pleased|satisfied|nice|stars?\b|buy|complain|thank|wonderful|"
    "fantastic|"
    "喜欢|满意|推荐|不错|很好|失望",
}
_ANY_OPINION = {
    category: re.compile(words, re.IGNORECASE) for category, words in _OPINION_WORDS.items()
}
_ANY_WORD = {
    category: re.compile(f"(?:{words})", re.IGNORECASE) for category, words in _WORDS.items()
}


def han_words() -> list[str]:
    """The Chinese words (as patterns) that name a category."""
    alternatives = [word for words in _WORDS.values() for word in words.split("|")]
    return [word for word in alternatives if re.match("[\u4e00-\u9fff]", word)]


def fine_category(name: str) -> str:
    """The one spelling of a data set's category, so that sets with the same ones share them."""
    entity, mark, attribute = name.upper().partition("#")
    return _SPELLINGS.get(entity, entity) + mark + attribute


def shop_category(fine: str) -> str:
    """The shop category that a fine one belongs to; "other" for an unknown one."""
    entity, _, attribute = fine.partition("#")
    if fine in _WHOLE:
        return _WHOLE[fine]
    if attribute in _ATTRIBUTES_FIRST:
        return _ATTRIBUTES_FIRST[attribute]
    if entity in _ENTITIES:
        return _ENTITIES[entity]
    if attribute in _ATTRIBUTES_LAST:
        return _ATTRIBUTES_LAST[attribute]
    if attribute == "GENERAL":
        return "place" if entity in _OF_A_PLACE else "overall"
    return "other"


def category_of_opinion(opinion: str) -> str | None:
    """The shop category that the words of an opinion tell; None when they tell none."""
    for category, words in _ANY_OPINION.items():
        if words.search(opinion):
            return category
    return None


@lru_cache(maxsize=20_000)  # a long column says the same few things
def category_of_words(aspect: str) -> str | None:
    """The shop category that an aspect's own words name; None when they name none."""
    for category, words in _ANY_WORD.items():
        if words.fullmatch(aspect.strip()):
            return category
    return None
