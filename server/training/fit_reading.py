"""Fits what a cosine means to an encoder: the numbers of server/models/scale.py.

Run again whenever the encoder's weights change (a minute or two), before train_needs:

    python -m server.training.fit_reading --data DIR --model FOLDER [--save]

Reads training splits alone. --save writes the numbers into the encoder's config.json, which gives
it another version; the head for NEEDS, which looks at vectors only, is moved to that version.
Ends in one JSON line: the numbers, those before, and what each gains.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_expit

from server.artefacts import update_config
from server.models import intents
from server.models.aspect_categories import SHOP_CATEGORIES, shop_category
from server.models.encoder import Encoder
from server.models.found_aspect import FoundAspect
from server.models.scale import KEY, Scale
from server.semantics.extract import likeness_in_words
from server.semantics.few_shot import Strength, fit_head
from server.semantics.needs import find_need
from server.settings import WEIGHTS_FOLDER
from server.text.changes import CATEGORY_WORDS
from server.text.words import words
from server.training.aspect_data import load_aspect_examples
from server.training.aspect_examples import AspectExample
from server.training.glossary import ASPECTS, PRODUCTS, pairs

SEED = 20261125
TEXTS = 300  # judged per set
SHOTS = (0, 4, 16)  # examples per label
SCALES = (6.0, 10.0, 15.0, 20.0, 30.0, 45.0)
STEPS = np.arange(0.2, 0.9, 0.01)  # cosines that are tried
OPEN = ("overall", "other")
LEAST_TEXTS = 25  # of a category that is used as a label
LOOKUPS = 1500
PAIRS_OF = 700  # sentences of a domain that are compared with each other
CERTAIN = 0.9  # of the largest share of pairs that say the same

Embed = Callable[[Sequence[str]], np.ndarray]
Fitted = tuple[dict[str, float], dict[str, Any]]  # numbers of Scale, what they were found by


@dataclass(frozen=True)
class Labelled:
    """Texts with one label each."""

    name: str
    texts: list[str]
    labels: list[str]


def fit_scale(embed: Embed, data: Path, before: Scale) -> tuple[Scale, dict[str, Any]]:
    """The scale that fits these vectors, and what each part of it gains over the one before."""
    rows = load_aspect_examples(data)
    rows = [row for row in rows if row.source in ("en_memd", "en_acos", "zh_cosmetics")]
    found = before
    measured: dict[str, Any] = {}
    for name, fitted in (
        ("labels", fit_labels(embed, labelled_sets(data), before)),
        ("several labels", fit_several(embed, rows, before)),
        ("found", fit_found(embed, data, before)),
        ("found, Chinese", fit_found_chinese(embed, before)),
        ("needs", fit_needs(embed, rows, before, chinese=False)),
        ("needs, Chinese", fit_needs(embed, rows, before, chinese=True)),
        ("summaries", fit_summaries(embed, rows)),
    ):
        numbers, measured[name] = fitted
        found = replace(found, **{key: round(value, 3) for key, value in numbers.items()})
        print(f"{name:16s} {numbers} {measured[name]}", flush=True)
    return found, measured


# CLASSIFY


def labelled_sets(data: Path) -> list[Labelled]:
    """Training splits with a label that says what it is: requests and goods of both languages."""
    text = data / "text"
    intents_en = pd.read_csv(text / "intents_en_bitext.csv.gz")
    goods_en = pd.read_csv(text / "stars_en_amazon.csv.gz")
    goods_zh = pd.read_csv(text / "sentiment_zh_online_shopping.csv.gz")
    sets = []
    for name, table, column, label in (
        ("intents en", intents_en, "utterance", "intent"),
        ("goods en", goods_en, "text", "category"),
        ("goods zh", goods_zh, "text", "category"),
    ):
        rows = table[table.split == "train"].sample(frac=1, random_state=SEED).head(4000)
        labels = rows[label].str.replace("_", " ").tolist()
        sets.append(Labelled(name, rows[column].str.slice(0, 400).tolist(), labels))
    return sets


def fit_labels(embed: Embed, sets: Sequence[Labelled], before: Scale) -> Fitted:
    """Steepness of least log loss over 0, 4 and 16 examples per label, labels without description.

    How far examples may move a label (label_freedom) is not fitted here: see
    bench/classify_few_shot.py --tune, which takes longer.
    """
    losses: dict[float, list[float]] = {}
    for one in sets:
        names = sorted(set(one.labels))
        ids = np.array([names.index(label) for label in one.labels])
        for shots in SHOTS:
            chosen = np.concatenate([np.flatnonzero(ids == k)[:shots] for k in range(len(names))])
            rest = np.setdiff1d(np.arange(len(ids)), chosen)[:TEXTS]
            vectors = embed([one.texts[i] for i in rest])
            examples = embed([one.texts[i] for i in chosen]) if shots else None
            targets = np.eye(len(names))[ids[chosen]] if shots else None
            for steepness in dict.fromkeys([*SCALES, before.label_scale]):
                strength = Strength(scale=steepness, freedom=before.label_freedom)
                head = fit_head(embed(names), examples, targets, strength=strength)
                right = head.predict_proba(vectors)[np.arange(len(rest)), ids[rest]]
                loss = -float(np.log(np.maximum(right, 1e-9)).mean())
                losses.setdefault(steepness, []).append(loss)
    means = {steepness: float(np.mean(values)) for steepness, values in losses.items()}
    best = min(means, key=lambda steepness: means[steepness])
    facts = {"log_loss": round(means[best], 4), "before": round(means[before.label_scale], 4)}
    return {"label_scale": best}, facts


def fit_several(embed: Embed, rows: Sequence[AspectExample], before: Scale) -> Fitted:
    """The middle from which labels apply with the best F1, then the steepness of least log loss.

    A label is a category that a text speaks of. A text speaks of few, so that the middle of least
    log loss lies far higher, and most texts would get no label at all.
    """
    cosines, right = [], []
    for texts, held in _by_domain(rows):
        names = [
            name
            for name in SHOP_CATEGORIES
            if name not in OPEN and sum(name in own for own in held) >= LEAST_TEXTS
        ]
        if len(names) > 1:
            cosines.append((embed(texts) @ embed(names).T).ravel())
            right.append(np.array([[name in own for name in names] for own in held]).ravel())
    near, holds = np.concatenate(cosines).astype(np.float64), np.concatenate(right)

    def f1(middle: float) -> float:
        return float(2 * np.sum(holds & (near >= middle)) / (holds.sum() + np.sum(near >= middle)))

    def loss(steepness: float) -> float:
        logits = steepness * (near - middle)
        return -float(np.mean(np.where(holds, log_expit(logits), log_expit(-logits))))

    middle = float(max(STEPS, key=f1))
    steepness = float(minimize_scalar(loss, bounds=(3.0, 30.0), method="bounded").x)
    facts = {"f1": round(f1(middle), 4), "before": round(f1(before.multi_cosine), 4)}
    return {"multi_scale": steepness, "multi_cosine": middle}, facts


def _by_domain(rows: Sequence[AspectExample]) -> Iterator[tuple[list[str], list[set[str]]]]:
    """Per data set and domain its texts and the shop categories that each speaks of."""
    domains: dict[str, list[AspectExample]] = {}
    for row in rows:
        domains.setdefault(row.set_name, []).append(row)
    for own in domains.values():
        some = [own[i] for i in np.random.default_rng(SEED).permutation(len(own))[: 2 * TEXTS]]
        held = [{shop_category(item.category or "") for item in row.items} for row in some]
        yield [row.text for row in some], held


# SIMILAR and the list of NEEDS


def fit_found(embed: Embed, data: Path, before: Scale) -> Fitted:
    """Where what is nearest is right as often as "not found", of English requests to shops.

    Half of the groups of requests have nothing of their own to be found.
    """
    table = pd.read_csv(data / "text" / "intents_en_bitext.csv.gz")
    table = table[table.split == "train"].sample(frac=1, random_state=SEED).head(2 * LOOKUPS)
    names, groups = sorted(set(table.intent)), sorted(set(table.category))
    ids = np.array([names.index(name) for name in table.intent])
    listed = {names.index(i) for i, g in zip(table.intent, table.category, strict=True)
              if groups.index(g) % 2 == 0}  # fmt: skip
    there = np.concatenate([np.flatnonzero(ids == k)[:3] for k in sorted(listed)])
    rest = np.setdiff1d(np.arange(len(ids)), there)[:LOOKUPS]
    texts = table.utterance.to_numpy()
    requests = embed(texts[rest]) @ embed(texts[there]).T
    return _least("found", [_judged(requests, ids[there], ids[rest])], before.found)


def fit_found_chinese(embed: Embed, before: Scale) -> Fitted:
    """The same for words in Chinese among every second of their translations.

    They were learnt as translations, so other texts may lie less near.
    """
    chinese, english = zip(*dict.fromkeys(pairs(PRODUCTS) + pairs(ASPECTS)), strict=True)
    ids = np.array([sorted(set(english)).index(one) for one in english])
    near = embed(chinese) @ embed(english[::2]).T
    return _least("found_chinese", [_judged(near, ids[::2], ids)], before.found_chinese)


def fit_needs(
    embed: Embed, rows: Sequence[AspectExample], before: Scale, *, chinese: bool
) -> Fitted:
    """The same for complaints and a list of needs ("battery", then "better battery"), every second
    one missing."""
    own = [
        (row.text, row.items[0], shop_category(row.items[0].category or ""))
        for row in rows
        if len(row.items) == 1
        and row.items[0].polarity == "negative"
        and row.source.startswith("zh") is chinese
    ]
    named = [name for name in CATEGORY_WORDS if any(name == one[2] for one in own)]
    own = [one for one in own if one[2] in named][:LOOKUPS]
    vectors = []
    for text, item, category in own:
        aspect = FoundAspect(item.aspect, item.opinion, item.polarity, 1.0, 1.0, category, 1.0)
        need = find_need(text, "complaint", 1.0, [aspect])
        vectors.append(embed([words for words in (need.phrase, need.evidence) if words]))
    ids = np.array([named.index(category) for _, _, category in own])
    listed = np.arange(0, len(named), 2)
    judged = []
    for template in ("{}", "{}更好" if chinese else "better {}"):
        needs = embed([template.format(CATEGORY_WORDS[named[k]][chinese]) for k in listed])
        near = np.array([(both @ needs.T).max(axis=0) for both in vectors])
        judged.append(_judged(near, listed, ids))
    name = "need_chinese" if chinese else "need"
    return _least(name, judged, asdict(before)[name])


def _judged(
    near: np.ndarray, listed: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cosine of the nearest, whether it is the right one, whether there is a right one."""
    best = near.argmax(axis=1)
    return near.max(axis=1), listed[best] == wanted, np.isin(wanted, listed)


def _least(
    name: str, judged: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], before: float
) -> Fitted:
    """The cosine of the best mean of: found and right, and rightly not found; sets count alike."""

    def share(least: float) -> float:
        shares = []
        for near, right, there in judged:
            shares.append(np.mean((right & (near >= least))[there]))
            shares.append(np.mean((near < least)[~there]))
        return float(np.mean(shares))

    best = float(max(STEPS, key=share))
    return {name: best}, {"right": round(share(best), 4), "before": round(share(before), 4)}


# SUMMARIZE


def fit_summaries(embed: Embed, rows: Sequence[AspectExample]) -> Fitted:
    """Likeness from which sentences say the same of one thing: category and polarity alike.

    unrelated: where that becomes twice as probable as for any two; spoken_for: where it is nearly
    as probable as it gets; same: the cosine from which it is so for those of the same words.
    """
    likeness, meaning, worded, same = [], [], [], []
    single: dict[str, list[AspectExample]] = {}
    for row in rows:
        if len(row.items) == 1:
            single.setdefault(row.set_name, []).append(row)
    for own in single.values():
        some = [own[i] for i in np.random.default_rng(SEED).permutation(len(own))[:PAIRS_OF]]
        said = [(shop_category(r.items[0].category or ""), r.items[0].polarity) for r in some]
        ids = np.array([sorted(set(said)).index(one) for one in said])
        vectors = embed([row.text for row in some])
        two = np.triu_indices(len(some), 1)
        cosines = (vectors @ vectors.T)[two]
        in_words = likeness_in_words([words(row.text) for row in some])[two]
        meaning.append(cosines)
        worded.append(in_words)
        likeness.append((cosines + in_words) / 2)
        same.append((ids[:, None] == ids)[two])
    alike, near, holds = map(np.concatenate, (likeness, meaning, same))
    base = float(holds.mean())
    middles, shares = _shares(alike, holds)
    most = float(shares.max())
    unrelated = float(middles[np.flatnonzero(shares >= 2 * base)[0]])
    spoken_for = float(middles[np.flatnonzero(shares >= CERTAIN * most)[0]])
    own_words = np.concatenate(worded) >= 0.5
    middles, shares = _shares(near[own_words], holds[own_words], bins=10)
    certain = np.flatnonzero(shares >= CERTAIN * float(shares.max()))
    numbers = {"unrelated": unrelated, "spoken_for": spoken_for}
    if len(certain):
        numbers["same"] = float(middles[certain[0]])
    return numbers, {"base": round(base, 4), "most": round(most, 4), "pairs": len(holds)}


def _shares(
    values: np.ndarray, right: np.ndarray, bins: int = 200
) -> tuple[np.ndarray, np.ndarray]:
    """Mean value and share of right ones in groups of equal size, shares never falling."""
    order = np.argsort(values, kind="stable")
    groups = np.array_split(order, bins)
    groups[-1:] = np.array_split(groups[-1], 8)  # the nearest pairs are what it is about
    middles = np.array([values[group].mean() for group in groups if len(group)])
    shares = np.array([right[group].mean() for group in groups if len(group)])
    return middles, np.maximum.accumulate(shares)


# The command


def save_scale(folder: Path, scale: Scale, head: Path | None) -> str:
    """The encoder's new version; a head fitted to the one before is moved to it."""
    was = Encoder.load(folder)
    was.close()
    artefact = update_config(folder, **{KEY: asdict(scale)})
    if head is not None and (head / intents.CONFIG_FILE).is_file():
        path = head / intents.CONFIG_FILE
        config = json.loads(path.read_text(encoding="utf-8"))
        if config.get("encoder") == intents.encoder_version(was):
            text = path.read_text(encoding="utf-8")
            path.write_text(
                text.replace(config["encoder"], artefact.version), encoding="utf-8", newline="\n"
            )
    return artefact.version


def main(argv: Sequence[str] | None = None) -> int:
    """0 when the numbers are fitted; prints them as one JSON line."""
    parser = argparse.ArgumentParser(description="Fit what a cosine means to an encoder.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", type=Path, default=WEIGHTS_FOLDER / "encoder", metavar="FOLDER")
    parser.add_argument("--needs", type=Path, default=intents.FOLDER, metavar="FOLDER")
    parser.add_argument("--save", action="store_true", help="write them into config.json")
    args = parser.parse_args(argv)
    encoder = Encoder.load(args.model)
    known: dict[str, np.ndarray] = {}

    def embed(texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, encoder.embed(new), strict=True) if new else ())
        return np.array([known[text] for text in texts])

    try:
        before = encoder.scale
        found, measured = fit_scale(embed, args.data, before)
    finally:
        encoder.close()
    version = save_scale(args.model, found, args.needs) if args.save else encoder.version
    facts = {"encoder": version, "scale": asdict(found), "before": asdict(before)}
    print(json.dumps({"fitted": "scale", **facts, "measured": measured}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
