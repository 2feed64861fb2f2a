"""What the encoder learns in one fine-tuning, and which of it is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server.training.corpora import (
    SELF_LABELLED,
    UNLABELLED,
    Example,
    fingerprint,
    joined_examples,
)

if TYPE_CHECKING:
    from server.training.aspect_task import AspectTask
    from server.training.meaning import Meanings

NEVER_HELD_OUT = {"zh_eprstmt", SELF_LABELLED, *UNLABELLED}  # too few; not labelled by people


@dataclass(frozen=True)
class Lessons:
    """Texts with labels, and what else is learnt of them or beside them.

    `meanings` holds target vectors by text, `taught` the probabilities that a teacher gives.
    """

    examples: Sequence[Example]
    meanings: Meanings | None = None
    aspects: AspectTask | None = None
    taught: Meanings | None = None


def split_examples(
    examples: Sequence[Example], dev_share: float
) -> tuple[list[Example], list[Example]]:
    """(train, dev): by a hash of each text, so that the split outlives additions.

    Joined examples are made of the texts on their own side of the split.
    """
    held_out = [
        int(fingerprint([row.text]), 16) / 16**16 < dev_share and row.source not in NEVER_HELD_OUT
        for row in examples
    ]
    train = [row for row, out in zip(examples, held_out, strict=True) if not out]
    dev = [row for row, out in zip(examples, held_out, strict=True) if out]
    joined = joined_examples(dev)
    return train + joined_examples(train), dev + joined[:: round(1 / dev_share)]
