"""Whole-column reviews per second: our encoder beside two ways people score reviews today.

    python bench/encoder_throughput.py --texts reviews.csv --limit 5000

All three run the same weights over the same texts in one process, in turn: our Encoder,
sentence-transformers' `encode` (its default batches), and the transformers pipeline one text at a
time. Needs the bench extra. Ends in one JSON line.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from common import distinct_texts, interleaved, parser, print_result, rows_of, texts_of


def main() -> None:
    options = _arguments()
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from server.models.encoder import Encoder

    texts = distinct_texts(texts_of(rows_of(options.texts), options.column), options.limit)
    encoder = Encoder.load(options.folder, precision=options.precision)
    contenders: dict[str, Any] = {"shopsheet": lambda: encoder.predict_proba(texts)}
    with tempfile.TemporaryDirectory() as folder:
        if not options.alone:
            contenders |= peers(options.folder, Path(folder), texts)
        for work in contenders.values():
            if not options.no_warm_up:
                work()
        best = interleaved(contenders, options.rounds)
    rates = {name: len(texts) / time_s for name, time_s in best.items()}
    for name, rate in rates.items():
        print(f"{name:24s} {rate:8.1f} reviews/s   {rates['shopsheet'] / rate:5.2f} x slower")
    print_result(
        "encoder_throughput",
        {
            "texts": len(texts),
            "mean_characters": round(float(np.mean([len(text) for text in texts])), 1),
            "model": encoder.version,
            "precision": encoder.precision,
            "reviews_per_s": {name: round(rate, 1) for name, rate in rates.items()},
            "ratio": {
                name: round(rates["shopsheet"] / rate, 2)
                for name, rate in rates.items()
                if name != "shopsheet"
            },
        },
    )


def peers(artefact_folder: Path, folder: Path, texts: list[str]) -> dict[str, Any]:
    """The other contenders, with the artefact's weights written in their own format."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    from sentence_transformers import SentenceTransformer, models
    from transformers import pipeline

    max_tokens = export_huggingface(artefact_folder, folder)
    transformer = models.Transformer(str(folder / "encoder"), max_seq_length=max_tokens)
    pooling = models.Pooling(transformer.get_word_embedding_dimension(), "mean")
    sentences = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    classifier = pipeline("text-classification", model=str(folder / "classifier"), device="cpu")

    def one_at_a_time() -> list[Any]:
        return [classifier(text, truncation=True, max_length=max_tokens) for text in texts]

    return {
        "sentence_transformers": lambda: sentences.encode(texts, show_progress_bar=False),
        "transformers_pipeline": one_at_a_time,
    }


def export_huggingface(artefact_folder: Path, folder: Path) -> int:
    """The longest text in tokens; the folder then holds `encoder` and `classifier`.

    The classifier has BERT's own head with random weights: it costs the same, its answers are
    not looked at.
    """
    import torch
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        BertModel,
        PreTrainedTokenizerFast,
    )

    from server.artefacts import load_artefact
    from server.models.encoder_torch import BERT_SETTINGS

    artefact = load_artefact(artefact_folder)
    sizes = {name: artefact.config[name] for name in BERT_SETTINGS if name in artefact.config}
    state = {
        name: torch.from_numpy(array.astype(np.float32))
        for name, array in artefact.tensors().items()
        if not name.startswith(("classifier.", "embedder.", "aspects."))
    }
    encoder = BertModel(BertConfig(**sizes), add_pooling_layer=False)
    encoder.load_state_dict(state)
    encoder.save_pretrained(folder / "encoder")
    labels = artefact.config["labels"]
    classifier = BertForSequenceClassification(BertConfig(**sizes, num_labels=len(labels)))
    classifier.bert.load_state_dict(state, strict=False)
    classifier.save_pretrained(folder / "classifier")
    (folder / "tokenizer.json").write_text(artefact.tokenizer_json, encoding="utf-8")
    max_tokens = int(artefact.config["max_tokens"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        model_max_length=max_tokens,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    for name in ("encoder", "classifier"):
        tokenizer.save_pretrained(folder / name)
    return max_tokens


def _arguments() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("--limit", type=int, default=2000, help="number of texts")
    options.add_argument("--rounds", type=int, default=2, help="turns; the best counts")
    options.add_argument("--precision", choices=("f32", "bf16", "int8"), help="default: as served")
    options.add_argument("--alone", action="store_true", help="leave the other libraries out")
    options.add_argument("--no-warm-up", action="store_true", help="time the first pass as well")
    return options.parse_args()


if __name__ == "__main__":
    main()
