"""Fits a version to labelled rows and measures it beside the one in use; the better one stays."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from server.own.heads import in_use, load_version
from server.own.kinds import OwnKind, kind_of
from server.own.reader import Progress, Reader
from server.own.rows import Labelled, LabelledRow, held_out, to_lines
from server.own.scores import Scores
from server.own.versions import Version, Versions
from server.topic_drift import wilson
from udfs.errors import BadInput

MANY = 400  # held-out rows from which on chance matters little


@dataclass(frozen=True)
class Trained:
    """What became of a training: the version, its scores beside those of the model before."""

    version: Version
    title: str
    typed: str  # the title as a command line takes it
    is_used: bool
    is_worse: bool
    rows: int
    held_out: int
    scores: Scores
    before: str  # the version that was in use, or "shipped"
    scores_before: Scores
    labels: dict[str, int]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As --json prints it and a job gives it."""
        return {
            "model": self.title,
            "version": self.version.id,
            "used": self.is_used,
            "worse": self.is_worse,
            "rows": self.rows,
            "held_out": self.held_out,
            "scores": self.scores,
            "before": self.before,
            "scores_before": self.scores_before,
            "labels": self.labels,
            "notes": list(self.notes),
        }


def train(
    versions: Versions,
    data: Labelled,
    reader: Reader,
    source: str,
    force: bool = False,
    progress: Progress | None = None,
) -> Trained:
    """The new version, in use if it is no worse on the held-out rows than what was in use before.

    source: what the card says of where the rows come from.
    Raises: BadInput if the rows are too few; Stopped.
    """
    progress = progress or Progress()
    kind = kind_of(versions.kind)
    kind.check(data)
    out = held_out(data.rows)
    learnt = [row for row, is_out in zip(data.rows, out, strict=True) if not is_out]
    measured = [row for row, is_out in zip(data.rows, out, strict=True) if is_out]
    reader.outcomes([row.text for row in data.rows])  # all at once: the progress shows how far
    progress.step("fitting", 0, 1)
    fitted = kind.fit(reader, learnt)
    progress.step("measuring", 0, 1)
    before, scores_before = score_in_use(kind, versions, reader, measured)
    labels = dict(sorted(data.counts().items()))
    card = {
        "trained_on": source,
        "date": time.strftime("%Y-%m-%d"),
        "fingerprint": data.fingerprint,
        "encoder": reader.version,
        "rows": len(data.rows),
        "held_out": len(measured),
        "labels": labels,
        "before": before,
        "scores_before": scores_before,
    }
    # The scores are those of the saved bytes, which are what will answer.
    fresh = versions.save(fitted.tensors, fitted.config, card, to_lines(data.rows))
    scores = kind.score(reader, load_version(versions, fresh.id).head, measured)
    is_new = "scores" not in fresh.card  # the same rows again give the same version
    version = versions.describe(fresh.id, {**card, "scores": scores}) if is_new else fresh
    progress.step("measuring", 1, 1)
    is_worse = scores[kind.measure] < scores_before[kind.measure]
    if force or not is_worse:
        versions.use(version.id)
    return Trained(
        version=version,
        title=versions.title,
        typed=versions.typed,
        is_used=versions.current() == version.id,
        is_worse=is_worse,
        rows=len(data.rows),
        held_out=len(measured),
        scores=scores,
        before=before,
        scores_before=scores_before,
        labels=labels,
        notes=(*data.notes, *how_sure(scores, len(measured))),
    )


def how_sure(scores: Scores, rows: int) -> list[str]:
    """A note on how far chance may move the accuracy, where few rows were held out."""
    if "accuracy" not in scores or rows >= MANY:
        return []
    chance = wilson(round(scores["accuracy"] * rows), rows)
    return [
        f"Only {rows:,} rows are held out: the accuracy is between {chance.lo:.2f} and "
        f"{chance.hi:.2f} with 95 % confidence."
    ]


def score_in_use(
    kind: OwnKind, versions: Versions, reader: Reader, rows: Sequence[LabelledRow]
) -> tuple[str, Scores]:
    """Version and scores of what answers now; the shipped model where that cannot."""
    now = in_use(versions.home, versions.kind, versions.name)
    if now is not None and now.encoder == reader.version:
        return now.id, kind.score(reader, now.head, rows)
    return "shipped", kind.score(reader, None, rows)


def rows_kept(versions: Versions) -> tuple[Labelled, str]:
    """Rows of the version in use, or of the newest, and what their card says of their source.

    Raises: BadInput if there is no version.
    """
    all_versions = versions.all()
    if not all_versions:
        raise BadInput(
            f"There is no version of {versions.title} to fit again. Train one from a file: "
            f"shopsheet train {versions.kind} FILE --text NAME ..."
        )
    current = versions.current()
    version = versions.get(current) if current else all_versions[-1]
    return version.rows(), str(version.card.get("trained_on", "rows kept"))
