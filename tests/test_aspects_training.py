"""Training the aspect heads in miniature: targets, loss, export, scores."""

import numpy as np
import torch

from server.models.aspects import BEGIN, INSIDE, OUTSIDE, AspectDecoder, neighbours, places
from server.training.aspect_examples import AspectExample, AspectOpinion
from server.training.aspect_network import (
    UNLABELLED,
    AspectBatch,
    AspectHead,
    CategoryNames,
    _sampled_pairs,
    aspect_loss,
    build_batch,
    build_targets,
)
from server.training.evaluate_aspects import (
    LexiconReader,
    as_markdown,
    decoded,
    evaluate_aspects,
    f1_score,
    fit_thresholds,
    token_outputs,
)
from server.training.network import EncoderNetwork
from server.training.optimiser import MasterWeightAdamW
from tests.tiny_encoder import build_tiny_tokenizer

TOKENIZER = build_tiny_tokenizer()
THINGS = {"battery": "BATTERY#GENERAL", "price": "LAPTOP#PRICE", "phone": "LAPTOP#GENERAL"}
WORDS = {"great": "positive", "bad": "negative", "love": "positive", "slow": "negative"}


def example(text: str, *items: tuple[str | None, str | None, str, str | None]) -> AspectExample:
    """Each item names its aspect and opinion by their words."""

    def span(words: str | None) -> tuple[int, int] | None:
        return None if words is None else (text.index(words), text.index(words) + len(words))

    found = tuple(AspectOpinion(span(a), span(o), p, c) for a, o, p, c in items)
    return AspectExample(text, found, "en_acos", "laptop")


def examples() -> list[AspectExample]:
    rows = []
    for thing, category in THINGS.items():
        for word, polarity in WORDS.items():
            rows.append(example(f"the {thing} is {word}", (thing, word, polarity, category)))
            rows.append(
                example(
                    f"{word}, but the {thing} was not very great",
                    (None, word, polarity, "LAPTOP#GENERAL"),
                    (thing, "not very great", "negative", category),
                )
            )
    rows.append(example("again after day", (None, None, "negative", "LAPTOP#GENERAL")))
    rows.append(example("we ordered a box"))
    return rows


def batch_of(rows: list[AspectExample], names: CategoryNames, **settings: int) -> AspectBatch:
    encodings = TOKENIZER.encode_batch([row.text for row in rows])
    return build_batch(build_targets(rows, encodings, names, **settings))


def network(seed: int = 1) -> EncoderNetwork:
    torch.manual_seed(seed)
    return EncoderNetwork(
        TOKENIZER.get_vocab_size(),
        4,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
    )


def test_targets_name_the_tokens_of_each_span() -> None:
    rows = [example("great, the battery is not bad", ("battery", "not bad", "negative", "A#B"))]
    names = CategoryNames.of(rows)
    [one] = build_targets(rows, TOKENIZER.encode_batch([rows[0].text]), names)
    tokens = [TOKENIZER.id_to_token(i) for i in one.ids]
    [[a_start, a_end, o_start, o_end]] = one.pairs.tolist()
    assert tokens[a_start:a_end] == ["battery"]
    assert tokens[o_start:o_end] == ["not", "bad"]
    assert one.tags[a_start].tolist() == [BEGIN, OUTSIDE]
    assert one.tags[o_start:o_end].tolist() == [[OUTSIDE, BEGIN], [OUTSIDE, INSIDE]]
    assert one.tags[0].tolist() == one.tags[-1].tolist() == [UNLABELLED, UNLABELLED]


def test_an_aspect_that_is_cut_off_is_not_learnt() -> None:
    row = example("great, but the battery is bad", ("battery", "bad", "negative", "A#B"))
    batch = batch_of([row], CategoryNames.of([row]), max_tokens=6)
    assert batch.ids.shape == (1, 8)
    assert len(batch.pairs) == 0


def test_wrong_pairs_are_those_of_right_and_of_marked_spans() -> None:
    rows = [
        example("the battery is great", ("battery", "great", "positive", "A#B")),
        example("again after day"),
    ]
    batch = batch_of(rows, CategoryNames.of(rows))
    length = batch.ids.shape[1]
    marked = np.zeros((batch.ids.size, 2), dtype=int)
    marked[length + 1, 1] = BEGIN  # a mistake in the second text
    rng = np.random.default_rng(1)
    aspects, opinions, a, o, classes, gold = _sampled_pairs(batch, marked, rng)
    found = [
        (*aspects.spans[i], *opinions.spans[j], c) for i, j, c in zip(a, o, classes, strict=True)
    ]
    assert found[gold[0]] == (*batch.pairs[0], 3)
    assert sum(c > 0 for *_, c in found) == 1
    assert (length, length + 1, length + 1, length + 2, 0) in found
    assert len(found) == 4 + 2


def test_the_loss_falls_and_the_export_reads_what_was_learnt() -> None:
    rows = examples()
    names = CategoryNames.of(rows)
    batch = batch_of(rows, names)
    body, head = network().bfloat16(), AspectHead(64, names, role_size=16, pair_size=32).bfloat16()
    parameters = list(body.body.parameters()) + list(head.parameters())
    optimiser = MasterWeightAdamW([(parameters, 3e-3, 0.0)])
    rng = np.random.default_rng(1)
    ids = torch.from_numpy(batch.ids)
    totals = []
    for _ in range(120):
        losses = aspect_loss(head, body.hidden(ids, (ids != 0).long()), batch, rng)
        assert {loss.dtype for loss in losses.values()} == {torch.float32}
        total = torch.stack(list(losses.values())).sum()
        total.backward()
        optimiser.step(1.0)
        totals.append(total.item())
    assert np.mean(totals[-10:]) < 0.2 * np.mean(totals[:10])
    body.float()
    head.float()
    made = token_outputs(body, head, TOKENIZER, [row.text for row in rows])
    tensors, config = head.export()
    config["thresholds"] = fit_thresholds(made, rows, tensors, config)
    table = evaluate_aspects(lambda own: decoded(AspectDecoder(tensors, config), made, own), rows)
    assert table["en_acos/laptop"]["quadruple"] > 0.9


def test_a_batch_without_any_pair_gives_a_finite_loss() -> None:
    names = CategoryNames.of(examples())
    rows = [example("we ordered a box"), example("again")]
    head = AspectHead(64, names)
    hidden = torch.randn(2, 8, 64)
    losses = aspect_loss(head, hidden, batch_of(rows, names), np.random.default_rng(1))
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert set(losses) == {"tags", "pairs"}


def test_decoding_scores_pairs_as_training_does() -> None:
    """The numpy layers equal the torch ones."""
    rows = examples()
    names = CategoryNames.of(rows)
    head = AspectHead(64, names)
    tensors, config = head.export()
    decoder = AspectDecoder(tensors, config)
    draw = torch.Generator().manual_seed(2)
    flat = torch.randn(6, len(tensors["tokens.bias"]), generator=draw)
    batch = batch_of([rows[0]], names)
    aspects, opinions, a, o, _, _ = _sampled_pairs(
        batch, np.zeros((8, 2), dtype=int), np.random.default_rng(1)
    )
    place = places(aspects, opinions, a, o)
    role_a, role_o = flat[:, -128:-64], flat[:, -64:]

    def mean(vectors: torch.Tensor, spans: np.ndarray) -> torch.Tensor:
        return torch.stack([vectors[s:e].mean(0) for s, e in spans])

    _, wanted = head.pair_vectors(
        mean(role_a, aspects.spans[a]),
        mean(role_o, opinions.spans[o]),
        torch.from_numpy(place),
        torch.from_numpy(neighbours(aspects, opinions, a, o)),
        torch.zeros(len(a), dtype=torch.long),
    )
    found = decoder._pair_vectors(flat.numpy(), aspects, opinions, a, o)
    np.testing.assert_allclose(np.maximum(found, 0), wanted.detach().numpy(), atol=1e-5)


def test_scores_count_whole_matches_once() -> None:
    assert f1_score([({("a",), ("b",)}, {("a",), ("c",)}), (set(), {("d",)})]) == 0.4
    rows = examples()
    perfect = evaluate_aspects(lambda own: [list(row.items) for row in own], rows)
    assert perfect["en_acos/laptop"]["quadruple"] == 1
    nothing = evaluate_aspects(lambda own: [[] for _ in own], rows)
    assert nothing["en_acos/laptop"]["quadruple"] == 0
    assert "| en_acos/laptop | 26 | 1.000 (0.000) |" in as_markdown(perfect, nothing)


def test_the_floor_knows_the_commonest_words() -> None:
    rows = examples()
    [[found]] = LexiconReader(rows)([example("my battery: slow")])
    assert (found.aspect, found.opinion) == ((3, 10), (12, 16))
    assert (found.polarity, found.category) == ("negative", "BATTERY#GENERAL")
    [[unsaid]] = LexiconReader(rows)([example("xyz")])
    assert unsaid == AspectOpinion(None, None, "negative", "LAPTOP#GENERAL")


def test_category_names_are_those_of_the_examples() -> None:
    names = CategoryNames.of(examples())
    assert names.fine == ("BATTERY#GENERAL", "LAPTOP#GENERAL", "LAPTOP#PRICE")
    assert names.sets == {"en_acos/laptop": names.fine}
