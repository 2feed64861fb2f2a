"""A data folder and a start model in miniature, with the layout of the real ones."""

import gzip
import json
from pathlib import Path

import pandas as pd
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

ENGLISH = ("good great love nice fine bad awful slow broken poor the a is was it phone box "
           "delivery screen price ok so and but not very")  # fmt: skip
GOOD_EN, BAD_EN = ("good", "great", "love", "nice"), ("bad", "awful", "slow", "broken")
GOOD_ZH, BAD_ZH = ("不错", "很好", "喜欢", "满意"), ("太慢", "破了", "很差", "失望")
THINGS_EN, THINGS_ZH = ("phone", "box", "delivery", "screen"), ("手机", "包装", "物流", "屏幕")


def build_start_model(folder: Path) -> Path:
    """A one-layer BERT folder as transformers saves it, with vocab.txt."""
    folder.mkdir(parents=True)
    words = [*ENGLISH.split(), *"abcdefghijklmnopqrstuvwxyz0123456789,.!#"]
    vocab = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    vocab += [f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789"]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(vocab)) + "\n", encoding="utf-8")
    config = BertConfig(
        vocab_size=len(dict.fromkeys(vocab)),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    config.save_pretrained(folder)
    model = BertModel(config, add_pooling_layer=False)
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder


def build_data(folder: Path) -> Path:
    """Every file that training and evaluation read, with texts whose polarity is plain."""
    text = folder / "text"
    text.mkdir(parents=True)
    english, chinese = (
        _reviews(THINGS_EN, GOOD_EN, BAD_EN, " "),
        _reviews(THINGS_ZH, GOOD_ZH, BAD_ZH, ""),
    )
    test_en = [("it was so nice so nice", "positive"), ("so slow and so awful", "negative")]
    test_zh = [("真的不错", "positive"), ("太慢了吧", "negative")]
    _table(text / "sentiment_en_sst2.csv.gz", _with_split(english, test_en), "label")
    _table(text / "sentiment_zh_online_shopping.csv.gz", _with_split(chinese, test_zh), "label")
    _table(text / "sentiment_zh_eprstmt.csv.gz", _with_split(chinese[:4], test_zh), "label")
    stars = [(f"{t} indeed", 5 if label == "positive" else 1) for t, label in english]
    stars += [(f"the {thing} is ok", 3) for thing in THINGS_EN]
    for file in ("stars_en_amazon", "stars_en_sst5"):
        _table(text / f"{file}.csv.gz", _with_split(stars, [("very very ok", 3)]), "stars")
    pd.DataFrame({"text": [f"{t}哦" for t, _ in chinese]}).to_csv(
        text / "unlabelled_zh_eprstmt.csv.gz", index=False
    )
    queries = pd.DataFrame({"text": [f"手机{i}" for i in range(4100)]})
    queries.to_csv(text / "queries_zh_shopping.csv.gz", index=False)
    pd.DataFrame({"text": ["手机不错的"], "subject": ["x"]}).to_csv(
        text / "aspects_zh_cars.csv.gz", index=False
    )
    for file in ("sentiment_en_blitzer", "sentiment_en_brand_tweets"):
        pd.DataFrame(test_en, columns=["text", "label"]).to_csv(
            text / f"{file}.csv.gz", index=False
        )
    intents = pd.DataFrame(
        {"split": ["train", "test"], "utterance": ["is it a phone", "a box"], "intent": "ask"}
    )
    intents.to_csv(text / "intents_en_bitext.csv.gz", index=False)
    copy = folder / "copy"
    copy.mkdir()
    with gzip.open(copy / "copy_pairs.jsonl.gz", "wt", encoding="utf-8") as lines:
        for source in ("myntra", "adgen"):
            lines.write(json.dumps({"source": source, "text": f"a blue shirt of {source}"}) + "\n")
    for name in ("en_memd", "en_acos", "en_dmaste", "zh_dianping", "zh_cosmetics"):
        _aspects(text / f"aspects_{name}.jsonl.gz", name)
    return folder


def _reviews(things: tuple[str, ...], good: tuple[str, ...], bad: tuple[str, ...], gap: str):
    rows = []
    for label, words in (("positive", good), ("negative", bad)):
        for i in range(36):
            pair = words[i % 4], words[(i // 4 + 1) % 4]
            rows.append((gap.join((things[(i // 9) % 4], *pair, str(i))), label))
    return rows


def _with_split(rows, test):
    return [("train", *row) for row in rows] + [("test", *row) for row in test]


def _table(path: Path, rows, column: str) -> None:
    pd.DataFrame(rows, columns=["split", "text", column]).to_csv(path, index=False)


def _aspects(path: Path, name: str) -> None:
    kind = "triplets" if name in ("en_dmaste", "zh_dianping") else "quadruples"
    rows = [
        ("train", ["great", "screen", ",", "bad", "box", name], ("positive", "negative")),
        ("train", ["nice", "price", name], ("positive",)),
        ("test", ["awful", "price", name], ("negative",)),
    ]
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        for split, tokens, polarities in rows:
            row = {"split": split, "tokens": tokens, kind: [{"polarity": p} for p in polarities]}
            if name == "zh_cosmetics":
                row["text"] = "".join(tokens)
            lines.write(json.dumps(row) + "\n")
