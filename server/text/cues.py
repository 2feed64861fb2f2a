"""Words on the surface of a text that show what its writer is after, in English and Chinese."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from server.text.changes import change_of

_HAN = re.compile("[\u4e00-\u9fff]")
READ_CHARS: Final = 4000  # of one text; what a writer is after stands in the first sentences

_START = r"(?:^|[.!?;,\n]\s*(?:and |but |so |also )?)"
QUESTION = re.compile(
    _START + r"(?:does|do|is|are|was|will|would|can|could|has|have|did|may|should|what|what's|"
    r"when|where|which|who|why|how|any ?one|any idea|any body)\b(?! not even)"
    r"|\b(?:wondering|wonder if|let me know (?:if|whether)|tell me|like to know|"
    r"not sure (?:which|if"
    r"|whether|how)|anyone know)\b"
    r"|吗|么[？?]|呢[？?]|请问|想问|问一下|问下|求问|是否|有没有|是不是|能不能|可不可以|"
    r"怎么(?!.{0,4}[都也])|"
    r"怎样|如何|多少|多久|多大|几[天点号个年杯层米]|什么时候|哪[里儿个款种位家]|为什么|啥|"
    r"谁(?:能|有|知道|用)|"
    r"[行能好可]不[？?]?$|不[？?]$"
    r"|有什么|有哪些|哪(?:天|一|些|儿)|要不要|找谁|什么(?:区别|意思|材质|牌子)|想知道",
    re.I,
)
QUESTION_MARK = re.compile("[?？]")
SUGGESTION = re.compile(
    r"\bwish(?:ed|ing)?\b(?! list)|\b(?:would|'d) (?:be|have been) (?:\w+ ){0,2}(?:nice|great|good|"
    r"better|cool|perfect|ideal|helpful|useful|handy|lovely|welcome|possible to make)\b"
    r"|\bshould(?! have (?:read|known|checked|listened|returned))\b|\bought to\b|\bsuggest"
    r"|\bif (?:only|it had|it were|you could|they could)\b|\bwhy (?:not|don't you)\b|\bhow about\b"
    r"|\bhope (?:you|they|the|that|to see)\b|\bconsider (?:adding|making|offering|a|an|putting)\b"
    r"|\bplease (?:add|make|offer|bring|let|use|include|give|consider|stock|allow|put|sell|get rid|"
    r"change|improve|keep|extend|open|do)\b"
    r"|\b(?:would|could|might) (?:help if|use an?|do with|be improved)\b|\bi'd (?:prefer|like an?|"
    r"love to see)\b|\bwould (?:love to see|prefer)\b|\bneeds? (?:a|an|to be|more|better)\b"
    r"|\bnext (?:version|time|model)\b|\brather than\b|\binstead of\b"
    r"|希望|建议|要是|如果能|能不能|可不可以|最好|应该|不妨|期待|盼|就(?:更|太)?(?:好|完美|"
    r"棒|贴心|无敌)了"
    r"|会更|更好一?些|有待|改进|下次(?:能|麻烦|请)|下一[代版]|求出|麻烦(?:加|出|改|把)|宁愿|"
    r"考虑(?:出|加|一下)"
    r"|[做加多出印装改换]\S{0,6}[吧嘛]"
    r"|^(?:make|offer|put|let|give|bring|add|stock|ship|try|use|allow|include|sell) "
    r"|\bmore \w+,? please\b|\b(?:only|just) lacks\b|\broom for improvement\b|\bi miss\b"
    r"|\bplease (?:stop|do not|don't)\b|\bwould be (?:fair|welcome|easier)\b"
    r"|\bif \w+ \w+ (?:was|were|had|came)\b"
    r"|再\S{1,5}(?:一点|一些|些|一号)|可以(?:再|单独|更|做)|做(?:成|大|小|得)|多(?:送|放|出|"
    r"备|设|印)"
    r"|少(?:放|用|点)|别再|[吧呗嘛][。!！]?$|就(?:好|够用)|就差|换回|想自己选|出(?:一款|个|一个)"
    r"|也安排一下|会(?:很|更)?(?:贴心|方便)",
    re.I,
)
PURCHASE = re.compile(
    r"\b(?:want|wanted|like|love|need|plan|planning|hoping|hope|going|ready|about|looking|keen|"
    r"decided|have) to (?:\w+ )?(?:buy|order|get|purchase|pick up|replace|upgrade|grab|book|take)\b"
    r"|\blooking for\b|\bin the market for\b|\bshopping (?:for|around)\b|\bsearching for\b"
    r"|\b(?:i'll|i will|we'll|we will|shall|will|i'd) (?:\w+ )?(?:buy|order|get|take|grab)\b"
    r"|\b(?:thinking (?:of|about)|interested in|considering) (?:getting|buying|ordering|this|"
    r"a|an)\b"
    r"|\b(?:buying|ordering|getting|purchasing) (?:\w+ ){1,3}(?:for|when|as soon|next|"
    r"tonight|again|"
    r"this|the minute|on)\b|\bplace an order\b|\bpre-?order\b|\badd(?:ing|"
    r"ed) (?:\w+ )?to (?:my|the) "
    r"(?:cart|basket)\b|\bi(?:'m| am) after\b|\bi need (?:a|an|some|new|to get)\b|\bin need of\b"
    r"|\bput me down\b|\bwhere can i (?:buy|get)\b"
    r"|想(?:要)?(?:再)?(?:买|入|收|订|换|找|囤)|想要|(?:准备|打算|计划)(?:再)?(?:买|入|下单|"
    r"换|订|给|收)"
    r"|下单(?!后|了以后|之后)|求购|采购|入手|加购|求链接|求推荐|给我来|来一[件份箱个]|种草|"
    r"回购|预订|预售"
    r"|帮我留|再(?:入|囤|买|订)|(?:一定|肯定|立刻|马上|这就)(?:再)?[买拍入换]|"
    r"我要[买订带一两三]|预算"
    r"|就(?:买|拍|它)了|哪里(?:能|可以)?买"
    r"|\bneeds? (?:a|an|some|new|another|to get|\d+)\b|\bwants? (?:\d+|the|one|it)\b|\bquote for\b"
    r"|\bcount me in\b|\bshopping list\b|\bgoing for the\b|\b(?:we|i)'ll have\b|\blet me have\b"
    r"|\bsaving (?:up )?for\b|\bon the lookout\b|\bhave to have\b|\bi pay\b|\bi'd pay\b|"
    r"\bnext purchase\b"
    r"|\btreat myself\b|\brenewing\b|\bcould do with an?\b|\ba dozen\b|\bway to get it\b"
    r"|要(?:买|订|配|添|换|[一两三几五十\d])|得(?:配|添|换|买)|"
    r"[就来定缺收]一?[一两个套瓶台箱斤件把双]|缺[个把张件]"
    r"|[拍收]了|算上我|势在必得|非买不可|看中|心动|攒钱|存钱|剁手|报[个一]?价|蹲一|"
    r"有没有合适|求[个一]|就买|会买"
    r"|安排上|再去入|想[淘试]|需要[一两三四五六七八九十几\d]",
    re.I,
)
# Questions that ask for information. Not "why is it so slow?" or 怎么这么慢？, which complain.
_ASKS_EN = re.compile(
    r"^(?:(?:and|but|so|also|hi|hello)\b,? )*"
    r"(?:does|do|did|is|are|was|were|will|would|can|could|has|have|should|may|what|what's|when|where"
    r"|which|who|whose|how (?:long|many|much|big|large|heavy|often|far|do|does|can|to|is|are)"
    r"|any ?one|any idea|anybody|any chance)\b",
    re.I,
)
_ASKS_ZH = re.compile(
    "吗[？?]?$|[么呢][？?]$|有没有|是不是|能不能|可不可以|如何|多少|多久|多大|什么时候|哪[里儿个款种]"
    "|谁(?:能|有|知道|用)|[行能好可]不[？?]?$|有什么|有哪些"
)
_PLEASE_TELL = re.compile("请问|想问一?下|求问")
EXCLAMATION = re.compile("[!！]")
_CUES: Final = {
    "question_mark": QUESTION_MARK,
    "question": QUESTION,
    "suggestion": SUGGESTION,
    "purchase": PURCHASE,
    "exclamation": EXCLAMATION,
}
CUES: Final = (*_CUES, "complaint", "length")


def asks(sentence: str) -> bool:
    """Whether a sentence asks for information, by its form: it has a question mark, or 请问."""
    if _PLEASE_TELL.search(sentence):
        return True
    if not sentence.endswith(("?", "？")):
        return False
    chinese = _HAN.search(sentence) is not None
    return (_ASKS_ZH if chinese else _ASKS_EN).search(sentence) is not None


def cues(text: str) -> np.ndarray:
    """1 where a cue stands in the text, else 0; then its length on a log scale. Shape: (cues,)."""
    text = text[:READ_CHARS]
    found = [float(pattern.search(text) is not None) for pattern in _CUES.values()]
    found.append(float(change_of(text) is not None))
    return np.array([*found, length_of(text)])


def length_of(text: str) -> float:
    """Its length on a log scale, the last of the cues."""
    return float(np.log1p(min(len(text), READ_CHARS)) / 5)
