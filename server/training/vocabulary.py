"""Builds the bilingual tokenizer: the English word pieces of the start model, Chinese on top.

Chinese characters become word pieces of their own; frequent Chinese words become added tokens,
which the tokenizer matches first (leftmost, longest): a review needs a quarter fewer tokens, and
"不错" or "差评" has an embedding of its own. Any word outside the list falls back to characters.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import jieba
from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from tokenizers.processors import TemplateProcessing

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_HAN_WORD = re.compile(r"[\u4e00-\u9fff]{2,4}")
_UNUSED = re.compile(r"\[unused\d+\]")


def build_tokenizer(
    start_vocab: Path, texts: Iterable[str], *, characters: int, words: int
) -> Tokenizer:
    """The bilingual tokenizer; `without_words` gives its character view, with the same ids.

    `start_vocab` is the vocab.txt of a BERT model; its unused entries make room
    for new characters. `characters` and `words` cap how many are added, most frequent first; a
    character needs three occurrences, a word thirty.
    """
    vocab = start_vocab.read_text(encoding="utf-8").splitlines()
    known = set(vocab)
    character_counts: Counter[str] = Counter()
    word_counts: Counter[str] = Counter()
    jieba.setLogLevel("ERROR")
    for text in texts:
        han = _HAN.findall(text)
        if not han:
            continue
        character_counts.update(han)
        word_counts.update(w for w in jieba.cut(text) if _HAN_WORD.fullmatch(w))
    fresh = [c for c, n in character_counts.most_common() if n >= 3 and c not in known]
    vocab = _fill_unused(vocab, fresh[:characters])
    chosen = [w for w, n in word_counts.most_common(words) if n >= 30]
    return _assemble(vocab, chosen)


def special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """Ids of [PAD], [UNK], [CLS], [SEP] and [MASK], by token."""
    vocab = tokenizer.get_vocab()
    return {token: vocab[token] for token in SPECIAL}


def start_ids(tokenizer: Tokenizer, start_vocab: Path) -> tuple[list[int], list[int]]:
    """Ids that the start model knows: (id in the new tokenizer, id in the start model)."""
    old = {token: i for i, token in enumerate(start_vocab.read_text(encoding="utf-8").splitlines())}
    pairs = [(i, old[t]) for t, i in tokenizer.get_vocab().items() if t in old]
    return [new for new, _ in pairs], [before for _, before in pairs]


def _fill_unused(vocab: list[str], fresh: list[str]) -> list[str]:
    """The vocabulary with the fresh tokens in unused places first, then at its end."""
    queue = iter(fresh)
    filled = [next(queue, None) if _UNUSED.fullmatch(token) else token for token in vocab]
    return [token for token in filled if token is not None] + list(queue)


def _assemble(vocab: list[str], words: list[str]) -> Tokenizer:
    ids = {token: i for i, token in enumerate(vocab)}
    tokenizer = Tokenizer(WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.BertNormalizer(
                clean_text=True, handle_chinese_chars=False, strip_accents=True, lowercase=True
            ),
        ]
    )
    han = pre_tokenizers.Split(Regex(_HAN.pattern), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([han, pre_tokenizers.BertPreTokenizer()])
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.add_tokens([AddedToken(word, normalized=True) for word in words])
    return tokenizer


def without_words(tokenizer: Tokenizer) -> Tokenizer:
    """The character view of a tokenizer that was built here, read back from its file."""
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [t for t in state["added_tokens"] if t["special"]]
    return Tokenizer.from_str(json.dumps(state))
