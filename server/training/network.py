"""The encoder as torch trains it: a BERT body, a masked-language head, a sentence head."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from server.artefacts import load_artefact
from server.training.vocabulary import start_ids

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


class EncoderNetwork(nn.Module):
    """Token ids -> masked-language logits or sentence logits.

    `body` is a Hugging Face BertModel without pooler; a sentence vector is the mean of its token
    vectors; `classifier` maps it to logits in the order of the labels.
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
        weights = mask.unsqueeze(-1).float()
        hidden = self.hidden(ids, mask).float()
        return (hidden * weights).sum(1) / weights.sum(1)

    def sentence_logits(self, ids: Tensor, mask: Tensor, *, dropout: float = 0.0) -> Tensor:
        """fp32 logits of each text, shape (rows, labels)."""
        vectors = F.dropout(self.sentence_vectors(ids, mask), dropout, self.training)
        return F.linear(vectors, self.classifier.weight.float(), self.classifier.bias.float())


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


def load_trained_encoder(folder: Path, labels: int) -> EncoderNetwork:
    """The network of an encoder artefact, to train it further; its masked-language head is new."""
    artefact = load_artefact(folder)
    network = EncoderNetwork(
        artefact.config["vocab_size"],
        labels,
        **{name: artefact.config[name] for name in SHAPE},
    )
    state = {name: torch.from_numpy(t).float() for name, t in artefact.tensors().items()}
    body = {"body." + n: t for n, t in state.items() if not n.startswith("classifier.")}
    heads = {n: t for n, t in state.items() if n.startswith("classifier.")}
    network.load_state_dict(body | heads, strict=False)
    return network
