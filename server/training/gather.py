"""Gathers what a recipe wants learnt: labels, a teacher's probabilities, meanings, aspects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from server.artefacts import is_artefact, load_artefact
from server.training import corpora
from server.training.aspect_task import AspectTask
from server.training.committee import committee_probabilities, linear_reader
from server.training.corpora import Example
from server.training.finetune_encoder import FinetuneRecipe, predict
from server.training.lessons import Lessons, split_examples
from server.training.meaning import Meanings, learn_meanings
from server.training.network import EncoderNetwork, packaged_start_model
from server.training.packaged_teacher import packaged_teacher
from server.training.run import Run
from server.training.teacher import Teacher, TeacherRecipe, train_teacher
from server.training.variants import sentences_of, varied_texts, word_neighbours
from udfs.errors import BadInput


def gather_lessons(
    recipe: FinetuneRecipe,
    teacher: TeacherRecipe | None,
    data: Path,
    texts: Mapping[str, Sequence[str]],
    start: tuple[Path, EncoderNetwork, Tokenizer],
    teacher_model: Path | None,
    work: Path,
    device: str,
) -> Lessons:
    """Everything that is learnt, made from the data folder and kept under `work` where it is dear.

    Raises: BadInput when the recipe needs a start that was not given, or a teacher that is nowhere.
    """
    folder, network, tokenizer = start
    examples = corpora.load_sentiment_examples(data)
    train, dev = split_examples(examples, recipe.dev_share)
    said: dict[str, np.ndarray] = {}
    if recipe.self_label:
        rows = self_labelled(recipe, folder, network, tokenizer, texts, train, device)
        examples += [Example(text, frozenset(), corpora.SELF_LABELLED) for text in rows]
        said |= rows
    if teacher:
        model = teacher_model or packaged_teacher(work / "teacher" / "model")
        more, taught = learn_from_teacher(teacher, model, train, dev, Run(work / "teacher"), device)
        examples += more
        said |= taught
    meanings = None
    if recipe.meaning_weight:
        more, meanings = learn_meanings(
            packaged_start_model(), examples, texts["zh_queries"], Run(work / "meanings")
        )
        examples += more
    aspects = AspectTask.load(data, tokenizer) if recipe.aspect_weight else None
    probabilities = Meanings(list(said), np.stack(list(said.values()))) if said else None
    return Lessons(examples, meanings, aspects, probabilities)


def self_labelled(
    recipe: FinetuneRecipe,
    folder: Path,
    network: EncoderNetwork,
    tokenizer: Tokenizer,
    texts: Mapping[str, Sequence[str]],
    train: Sequence[Example],
    device: str,
) -> dict[str, np.ndarray]:
    """Probabilities of the unlabelled reviews, by text, from the start and a linear reader.

    Raises: BadInput when the start is no encoder of ours.
    """
    if not is_artefact(folder):
        raise BadInput(
            "This recipe labels texts with the model that it starts from. Give an encoder of "
            "ours with --start-model, or leave out self_label."
        )
    reviews = texts[corpora.SELF_LABELLED]
    rows = [Example(text, frozenset(), corpora.SELF_LABELLED) for text in reviews]
    logits = predict(network.to(device), tokenizer, rows, recipe)
    logits /= load_artefact(folder).config["temperature"]
    probabilities = committee_probabilities(reviews, logits, linear_reader(train))
    return dict(zip(reviews, probabilities.astype(np.float16), strict=True))


def learn_from_teacher(
    recipe: TeacherRecipe,
    folder: Path,
    train: Sequence[Example],
    dev: Sequence[Example],
    run: Run,
    device: str,
) -> tuple[list[Example], dict[str, np.ndarray]]:
    """New English texts to learn, and the teacher's probabilities of them and of the labelled."""
    english = [row for row in train if row.source.startswith("en_")]
    held_out = [row for row in dev if row.source.startswith("en_")]
    teacher = train_teacher(recipe, folder, english, held_out, run, device)
    new = new_texts(recipe, teacher, english)
    known = [row.text for row in english if row.source in recipe.labels_sources]
    probabilities = np.concatenate(
        [teacher.probabilities(part, run) for part in (known, [row.text for row in new])]
    )
    everything = [*known, *(row.text for row in new)]
    return new, dict(zip(everything, probabilities, strict=True))


def new_texts(recipe: TeacherRecipe, teacher: Teacher, english: Sequence[Example]) -> list[Example]:
    """Varied sentences of SST-2 and single sentences of reviews, without labels."""
    phrases = [
        row.text
        for row in english
        if row.source in ("en_sst2", "en_sst5")
        and len(row.text.split()) >= recipe.varied_from_words
    ]
    vectors = teacher.network.body.get_input_embeddings().weight.detach().float().cpu().numpy()
    neighbours = word_neighbours(vectors, teacher.tokenizer, phrases)
    varied = varied_texts(phrases, neighbours, recipe.varied, recipe.seed)
    reviews = [row.text for row in english if row.source == "en_amazon"]
    sentences = sentences_of(reviews, recipe.sentences, recipe.seed)
    return [Example(text, frozenset(), "en_varied") for text in varied] + [
        Example(text, frozenset(), "en_sentences") for text in sentences
    ]
