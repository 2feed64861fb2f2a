"""The heads that read aspects, opinions, polarity and category off the encoder's token vectors.

Shapes: B texts, T tokens (padded), N = B * T, H hidden, K outputs of a token (see
`server.models.aspects`, which holds all that training and serving do alike), P pairs, D role.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Encoding
from torch import Tensor, nn

from server.models.aspect_categories import (
    SHOP_CATEGORIES,
    category_of_opinion,
    category_of_words,
    shop_category,
)
from server.models.aspects import (
    BEGIN,
    INSIDE,
    NEIGHBOURHOODS,
    OUTSIDE,
    PAIR_CLASSES,
    PLACES,
    TAGS,
    Candidates,
    all_pairs,
    neighbours,
    places,
    spans_of_tags,
)
from server.training.aspect_examples import SOURCES, AspectExample, AspectOpinion, Span

MAX_TOKENS = 128
UNLABELLED = -100  # what torch's cross-entropy passes over
NEGATIVES = 24  # wrong pairs that are learnt from, per text at most
WEIGHTS = {"tags": 4.0, "pairs": 1.0, "fine": 0.5, "shop": 0.5}
DEFAULT_THRESHOLDS = (0.5, 0.5)  # added to the logits of begin and inside; least pair probability


@dataclass(frozen=True)
class CategoryNames:
    """The fine categories in the order of the logits, and those that each data set knows."""

    fine: tuple[str, ...]
    sets: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, examples: Iterable[AspectExample]) -> "CategoryNames":
        sets: dict[str, set[str]] = {}
        for row in examples:
            names = {item.category for item in row.items if item.category}
            sets.setdefault(row.set_name, set()).update(names)
        fine = sorted(set().union(*sets.values()))
        return cls(tuple(fine), {name: tuple(sorted(s)) for name, s in sorted(sets.items()) if s})


@dataclass(frozen=True)
class AspectTargets:
    """One text as the heads should read it.

    ids (T,); tags (T, 2) by role; pairs (n, 4) aspect start, end, opinion start, end in tokens,
    (0, 1) when unsaid; classes, fine, shop (n,), UNLABELLED where not known.
    """

    ids: list[int]
    style: int
    tags: np.ndarray
    pairs: np.ndarray
    classes: np.ndarray
    fine: np.ndarray
    shop: np.ndarray


@dataclass(frozen=True)
class AspectBatch:
    """Texts of one padded length T; pairs are counted in tokens of the whole batch, b * T + t."""

    ids: np.ndarray
    style: np.ndarray
    tags: np.ndarray
    pairs: np.ndarray
    classes: np.ndarray
    fine: np.ndarray
    shop: np.ndarray


class AspectHead(nn.Module):
    """`tokens` is what the runtime's graph computes; the rest is done in numpy, pair by pair.

    A fine category's weights are the sum of its entity's, its attribute's and its own, so that
    rare combinations ("MOUSE#QUALITY") are learnt from common ones.
    """

    def __init__(
        self,
        hidden_size: int,
        names: CategoryNames,
        *,
        styles: Sequence[str] = SOURCES,
        role_size: int = 64,
        pair_size: int = 128,
    ) -> None:
        super().__init__()
        self.names = names
        self.styles = tuple(styles)
        self.role_size = role_size
        self.tokens = nn.Linear(hidden_size, len(styles) * 2 * TAGS + 2 * role_size)
        self.pair = nn.Linear(3 * role_size, pair_size)
        self.place = nn.Embedding(PLACES, pair_size)
        self.neighbours = nn.Embedding(NEIGHBOURHOODS, pair_size)
        self.style = nn.Embedding(len(styles), pair_size)
        self.polarity = nn.Linear(pair_size, len(PAIR_CLASSES))
        self.shop = nn.Linear(pair_size, len(SHOP_CATEGORIES))
        parts = [name.partition("#")[::2] for name in names.fine]
        entities, attributes = (sorted({part[i] for part in parts}) for i in range(2))
        self.fine_entity = nn.Parameter(0.05 * torch.randn(len(entities), pair_size))
        self.fine_attribute = nn.Parameter(0.05 * torch.randn(len(attributes), pair_size))
        self.fine_own = nn.Parameter(torch.zeros(len(parts), pair_size))
        self.fine_bias = nn.Parameter(torch.zeros(len(parts)))
        self.register_buffer(
            "_parts",
            torch.tensor(
                [(entities.index(e), attributes.index(a)) for e, a in parts], dtype=torch.long
            ).view(-1, 2),
            persistent=False,
        )
        for table in (self.place, self.neighbours, self.style):
            nn.init.normal_(table.weight, std=0.05)

    def forward(self, hidden: Tensor) -> Tensor:
        """Token outputs, shape (B, T, K), fp32."""
        outputs: Tensor = self.tokens(hidden)
        return outputs.float()

    def pair_vectors(
        self, u: Tensor, v: Tensor, place: Tensor, beside: Tensor, style: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The hidden layer of pairs, from vectors of their aspects and opinions (P, D).

        For the polarity, which is annotated in each style in its own way, and for the category.
        """
        hidden = F.linear(
            torch.cat([u, v, u * v], dim=-1), self.pair.weight.float(), self.pair.bias.float()
        )
        hidden = hidden + self.place(place).float() + self.neighbours(beside).float()
        return F.relu(hidden + self.style(style).float()), F.relu(hidden)

    def fine_weight(self) -> Tensor:
        """Weights of the fine categories, shape (fine, pair_size)."""
        parts: Any = self._parts
        weight: Tensor = self.fine_own.float()
        weight = weight + self.fine_entity[parts[:, 0]].float()
        return weight + self.fine_attribute[parts[:, 1]].float()

    def export(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """(tensors, config) of an `AspectDecoder`, and tokens.weight (K, H), tokens.bias."""
        tensors = {
            "tokens.weight": self.tokens.weight,
            "tokens.bias": self.tokens.bias,
            "pair.weight": self.pair.weight,
            "pair.bias": self.pair.bias,
            "place": self.place.weight,
            "neighbours": self.neighbours.weight,
            "style": self.style.weight,
            "polarity.weight": self.polarity.weight,
            "polarity.bias": self.polarity.bias,
            "fine.weight": self.fine_weight(),
            "fine.bias": self.fine_bias,
            "shop.weight": self.shop.weight,
            "shop.bias": self.shop.bias,
        }
        config = {
            "styles": list(self.styles),
            "role_size": self.role_size,
            "shop": list(SHOP_CATEGORIES),
            "fine": list(self.names.fine),
            "sets": {name: list(fine) for name, fine in self.names.sets.items()},
            "thresholds": {name: list(DEFAULT_THRESHOLDS) for name in self.styles},
        }
        return {name: t.detach().float().cpu().numpy() for name, t in tensors.items()}, config

    def take_over(self, tensors: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> bool:
        """Whether what `export` gave has this head's styles and categories; then it is taken."""
        own, shape = self.export()
        alike = all(config[key] == shape[key] for key in ("styles", "role_size", "shop", "fine"))
        if not alike or any(tensors[name].shape != t.shape for name, t in own.items()):
            return False
        names = {
            "place": "place.weight",
            "neighbours": "neighbours.weight",
            "style": "style.weight",
        }
        names |= {"fine.weight": "fine_own", "fine.bias": "fine_bias"}
        parameters = dict(self.named_parameters())
        with torch.no_grad():
            self.fine_entity.zero_()
            self.fine_attribute.zero_()
            for name, tensor in tensors.items():
                parameters[names.get(name, name)].copy_(torch.from_numpy(tensor).float())
        return True


def build_targets(
    examples: Sequence[AspectExample],
    encodings: Sequence[Encoding],
    names: CategoryNames,
    *,
    max_tokens: int = MAX_TOKENS,
) -> list[AspectTargets]:
    """The targets of each text; `encodings` by `Tokenizer.encode_batch`, special tokens included.

    A long text loses its end, and the aspects that reach into it.
    """
    return [
        _targets(row, encoding, names, max_tokens)
        for row, encoding in zip(examples, encodings, strict=True)
    ]


def cut_encoding(encoding: Encoding, max_tokens: int) -> tuple[list[int], np.ndarray]:
    """(token ids, (T, 2) offsets), the end of a long text left out."""
    ids, offsets = list(encoding.ids), np.array(encoding.offsets)
    if len(ids) > max_tokens:
        ids = [*ids[: max_tokens - 1], ids[-1]]
        offsets = np.concatenate([offsets[: max_tokens - 1], offsets[-1:]])
    return ids, offsets


def build_batch(targets: Sequence[AspectTargets], *, multiple: int = 8) -> AspectBatch:
    """The texts padded to one length, rounded up to `multiple`."""
    length = -(-max(len(one.ids) for one in targets) // multiple) * multiple
    ids = np.zeros((len(targets), length), dtype=np.int64)
    tags = np.full((len(targets), length, 2), UNLABELLED)
    for i, one in enumerate(targets):
        ids[i, : len(one.ids)] = one.ids
        tags[i, : len(one.ids)] = one.tags
    return AspectBatch(
        ids,
        np.array([one.style for one in targets]),
        tags,
        np.concatenate([one.pairs + i * length for i, one in enumerate(targets)]),
        *(
            np.concatenate([getattr(one, name) for one in targets])
            for name in ("classes", "fine", "shop")
        ),
    )


def aspect_loss(
    head: AspectHead, hidden: Tensor, batch: AspectBatch, rng: np.random.Generator
) -> dict[str, Tensor]:
    """The mean losses (fp32) of tags, pairs and categories, already weighted: add them up.

    hidden (B, T, H). Wrong pairs are those of the right spans and of the spans that the head marks
    by now, so that it learns to reject its own mistakes; no (B, T, T) table is built.
    """
    device = hidden.device
    outputs = head(hidden).flatten(0, 1)  # (N, K)
    length = batch.ids.shape[1]
    style_of_token = np.repeat(batch.style, length)
    edge = len(head.styles) * 2 * TAGS
    tag_logits = outputs[:, :edge].view(-1, len(head.styles), 2, TAGS)
    rows = torch.arange(len(tag_logits), device=device)
    own = tag_logits[rows, torch.from_numpy(style_of_token).to(device)]
    wanted = torch.from_numpy(batch.tags).to(device).flatten(0, 1)
    losses = {"tags": F.cross_entropy(own.flatten(0, 1), wanted.flatten(), ignore_index=UNLABELLED)}
    marked = own.detach().argmax(-1).cpu().numpy()
    aspects, opinions, a, o, classes, gold = _sampled_pairs(batch, marked, rng)

    def means(role: int, found: Candidates, chosen: np.ndarray) -> Tensor:
        first = edge + role * head.role_size
        vectors = outputs[:, first : first + head.role_size]
        sums = F.pad(vectors.cumsum(0), (0, 0, 1, 0))
        start, end = torch.from_numpy(found.spans[chosen]).to(device).T
        mean: Tensor = (sums[end] - sums[start]) / (end - start).unsqueeze(1)
        return mean

    judged, about = head.pair_vectors(
        means(0, aspects, a),
        means(1, opinions, o),
        torch.from_numpy(places(aspects, opinions, a, o)).to(device),
        torch.from_numpy(neighbours(aspects, opinions, a, o)).to(device),
        torch.from_numpy(batch.style[aspects.texts[a]]).to(device),
    )
    losses["pairs"] = F.cross_entropy(
        _linear(head.polarity, judged), torch.from_numpy(classes).to(device)
    )
    right = about[torch.from_numpy(gold).to(device)]
    fine_logits = F.linear(right, head.fine_weight(), head.fine_bias.float())
    for name, logits, labels in (
        ("fine", fine_logits, batch.fine),
        ("shop", _linear(head.shop, right), batch.shop),
    ):
        known = np.flatnonzero(labels != UNLABELLED)
        if len(known):
            losses[name] = F.cross_entropy(
                logits[torch.from_numpy(known).to(device)],
                torch.from_numpy(labels[known]).to(device),
            )
    return {name: WEIGHTS[name] * loss for name, loss in losses.items()}


def _sampled_pairs(
    batch: AspectBatch, marked: np.ndarray, rng: np.random.Generator
) -> tuple[Candidates, Candidates, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(aspects, opinions, rows of each in a pair, class of the pair, the pair of each right one).

    `marked` (N, 2) are the tags that the head gives by now.
    """
    texts, length = batch.ids.shape
    total = texts * length
    allowed = (batch.tags[:, :, 0] != UNLABELLED).reshape(-1)
    nothing_new = np.zeros(total, dtype=bool)
    cls = np.arange(texts) * length
    unsaid = np.stack([cls, cls + 1], axis=1)
    found = []
    for role in range(2):
        spans = spans_of_tags(marked[:, role], allowed, nothing_new)
        gold = batch.pairs[:, 2 * role : 2 * role + 2]
        every = np.unique(np.concatenate([unsaid, spans, gold]), axis=0)
        found.append(Candidates(every, every[:, 0] // length, every[:, 0] % length == 0))
    aspects, opinions = found
    a, o = all_pairs(aspects, opinions)
    keys = _keys(np.concatenate([aspects.spans[a], opinions.spans[o]], axis=1), total)
    own_keys = _keys(batch.pairs, total)
    order = np.argsort(own_keys, kind="stable")
    first = np.minimum(np.searchsorted(own_keys[order], keys), max(0, len(order) - 1))
    right = own_keys[order][first] == keys if len(order) else np.zeros(len(keys), dtype=bool)
    classes = np.zeros(len(keys), dtype=np.int64)
    classes[right] = batch.classes[order][first[right]]
    wrong = np.flatnonzero(~right)
    if len(wrong) > NEGATIVES * texts:
        wrong = rng.choice(wrong, NEGATIVES * texts, replace=False)
    chosen = np.concatenate([np.flatnonzero(right), wrong])
    place_of = np.argsort(keys[chosen])
    gold_rows = place_of[np.searchsorted(keys[chosen][place_of], own_keys)]
    return aspects, opinions, a[chosen], o[chosen], classes[chosen], gold_rows


def _keys(pairs: np.ndarray, total: int) -> np.ndarray:
    """One number for the four of a pair."""
    base = total + 1
    keys: np.ndarray = pairs.astype(np.int64) @ np.array([base**3, base**2, base, 1])
    return keys


def _targets(
    row: AspectExample, encoding: Encoding, names: CategoryNames, max_tokens: int
) -> AspectTargets:
    ids, offsets = cut_encoding(encoding, max_tokens)
    tags = np.where(offsets[:, 1:] > offsets[:, :1], OUTSIDE, UNLABELLED).repeat(2, axis=1)
    pairs, items = [], []
    for item in row.items:
        aspect, opinion = (_tokens_of(span, offsets) for span in (item.aspect, item.opinion))
        if aspect is None or opinion is None:
            continue
        pairs.append((*aspect, *opinion))
        items.append(item)
        for role, (start, end) in enumerate((aspect, opinion)):
            free = (tags[start:end, role] == OUTSIDE).all()
            if free and (item.aspect, item.opinion)[role] is not None:
                tags[start:end, role] = INSIDE
                tags[start, role] = BEGIN
    return AspectTargets(
        ids,
        SOURCES.index(row.style),
        tags,
        np.array(pairs, dtype=np.int64).reshape(-1, 4),
        np.array([PAIR_CLASSES.index(item.polarity) for item in items], dtype=np.int64),
        np.array([_fine_id(item, names) for item in items], dtype=np.int64),
        np.array([_shop_id(row.text, item) for item in items], dtype=np.int64),
    )


def _tokens_of(span: Span | None, offsets: np.ndarray) -> Span | None:
    """The tokens that cover the span; [CLS] for an unsaid one; None for one that is cut off."""
    if span is None:
        return 0, 1
    inside = np.flatnonzero((offsets[:, 0] < span[1]) & (offsets[:, 1] > span[0]))
    if not len(inside) or offsets[inside[-1], 1] < span[1]:
        return None
    return int(inside[0]), int(inside[-1]) + 1


def _fine_id(item: AspectOpinion, names: CategoryNames) -> int:
    return names.fine.index(item.category) if item.category in names.fine else UNLABELLED


def _shop_id(text: str, item: AspectOpinion) -> int:
    if item.category:
        return SHOP_CATEGORIES.index(shop_category(item.category))
    name = category_of_words(text[slice(*item.aspect)]) if item.aspect else None
    if name in (None, "overall") and item.opinion:
        name = category_of_opinion(text[slice(*item.opinion)]) or name
    return SHOP_CATEGORIES.index(name) if name else UNLABELLED


def _linear(layer: nn.Linear, x: Tensor) -> Tensor:
    return F.linear(x, layer.weight.float(), layer.bias.float())
