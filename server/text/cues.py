"""Words on the surface of a text that show what its writer is after, in English and Chinese."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

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
    r"[行能好可]不[？?]?$|不[？?]$",
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
    r"|[做加多出印装改换]\S{0,6}[吧嘛]",
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
    r"|就(?:买|拍|它)了|哪里(?:能|可以)?买",
    re.I,
)
EXCLAMATION = re.compile("[!！]")
_CUES: Final = {
    "question_mark": QUESTION_MARK,
    "question": QUESTION,
    "suggestion": SUGGESTION,
    "purchase": PURCHASE,
    "exclamation": EXCLAMATION,
}
CUES: Final = (*_CUES, "length")


def cues(text: str) -> np.ndarray:
    """1 where a cue stands in the text, else 0; then its length on a log scale. Shape: (cues,)."""
    text = text[:READ_CHARS]
    found = [float(pattern.search(text) is not None) for pattern in _CUES.values()]
    return np.array([*found, np.log1p(len(text)) / 5])
