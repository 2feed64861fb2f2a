"""The contents of a knowledge file, as the functions use them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final

from server.text.names import BRAND, NO_NAMES, PRODUCT, WORD, Name, Names, fold

SHEETS: Final = ("brands", "products", "synonyms", "aspects")
DIGEST_BYTES: Final = 4


@dataclass(frozen=True)
class Entry:
    """A brand, product or aspect with all that it is called.

    `left_out`: a brand that keywords, topics and words leave out. `category`: of an aspect, in the
    user's words; "" where none is given.
    """

    name: str
    words: tuple[str, ...] = ()
    left_out: bool = False
    category: str = ""


@dataclass(frozen=True)
class Synonym:
    """A word, and what it is counted as; `slang` is also read as that where moods are told."""

    word: str
    means: str
    slang: bool = False


@dataclass(frozen=True)
class Knowledge:
    """What is known of a shop. Nothing is known by default, and then no answer changes."""

    brands: tuple[Entry, ...] = ()
    products: tuple[Entry, ...] = ()
    synonyms: tuple[Synonym, ...] = ()
    aspects: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)  # what a person should look at

    def __bool__(self) -> bool:
        return any(getattr(self, sheet) for sheet in SHEETS)

    def counts(self) -> dict[str, int]:
        """Rows by sheet."""
        return {sheet: len(getattr(self, sheet)) for sheet in SHEETS}

    def digest(self, sheets: Iterable[str] = SHEETS) -> str:
        """A hash of these sheets' contents; "" where they are empty."""
        wanted = tuple(sheets)
        if wanted not in self._digests:
            data = {sheet: [asdict(row) for row in getattr(self, sheet)] for sheet in wanted}
            text = json.dumps(data, ensure_ascii=False, sort_keys=True)
            found = hashlib.blake2b(text.encode("utf-8"), digest_size=DIGEST_BYTES).hexdigest()
            self._digests[wanted] = found if any(data.values()) else ""
        return self._digests[wanted]

    @cached_property
    def _digests(self) -> dict[tuple[str, ...], str]:
        return {}  # each call asks several times

    @cached_property
    def names(self) -> Names:
        """Brands, products and synonyms by every form in which they are written."""
        if not (self.brands or self.products or self.synonyms):
            return NO_NAMES
        forms: dict[str, Name] = {}
        for kind, entries in ((BRAND, self.brands), (PRODUCT, self.products)):
            for entry in entries:
                name = Name(entry.name, kind, entry.left_out)
                forms |= dict.fromkeys((entry.name, *entry.words), name)
        found = {fold(form): name for form, name in forms.items()}
        means = {fold(one.word): one.means for one in self.synonyms}
        for one in self.synonyms:
            last = one.means
            while fold(last) in means:
                last = means[fold(last)]
            name = found.get(fold(last)) or Name(last, WORD)
            forms |= {one.word: name, last: name}
        return Names(forms)

    @property
    def slang(self) -> tuple[Synonym, ...]:
        """The synonyms that are read in place of the word; `digest` takes it as a sheet."""
        return tuple(one for one in self.synonyms if one.slang)

    def as_read(self, text: str) -> str:
        """A text as its mood is read: with what slang means in its place."""
        return self._slang.replace(text)

    @cached_property
    def _slang(self) -> Names:
        return Names({one.word: Name(one.means) for one in self.slang})

    def aspect_of(self, phrase: str) -> Entry | None:
        """The aspect that a phrase is called by, all of it."""
        return self._aspect_by_form.get(fold(phrase.strip()))

    def preferred(self, phrase: str) -> str:
        """A phrase in the shop's own names: an aspect's, or with names put for synonyms."""
        if aspect := self.aspect_of(phrase):
            return aspect.name
        renamed = self.names.replace(phrase) if self.names else phrase
        again = self.aspect_of(renamed) if renamed != phrase else None
        return again.name if again else renamed

    def forms_of(self, name: str) -> tuple[str, ...]:
        """All other forms in which the file writes what a name means; () for a strange name."""
        meant = fold(self.preferred(name))
        forms = [form for form in self._forms_by_name.get(meant, ()) if fold(form) != fold(name)]
        return tuple(dict.fromkeys(forms))

    @cached_property
    def _aspect_by_form(self) -> Mapping[str, Entry]:
        return {fold(form): one for one in self.aspects for form in (one.name, *one.words)}

    @cached_property
    def _forms_by_name(self) -> Mapping[str, Sequence[str]]:
        forms: dict[str, list[str]] = {}
        for entry in self.aspects:
            forms.setdefault(fold(entry.name), []).extend((entry.name, *entry.words))
        for form, shown, *_ in self.names.to_json():
            forms.setdefault(fold(shown), []).extend((shown, form))
        return forms

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it; `from_json` reads it back."""
        return {sheet: [asdict(row) for row in getattr(self, sheet)] for sheet in SHEETS}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Knowledge:
        """What `to_json` wrote. Raises: KeyError or TypeError if it is something else."""

        def entries(sheet: str) -> tuple[Entry, ...]:
            return tuple(Entry(**{**row, "words": tuple(row["words"])}) for row in data[sheet])

        synonyms = tuple(Synonym(**row) for row in data["synonyms"])
        return cls(entries("brands"), entries("products"), synonyms, entries("aspects"))


NO_KNOWLEDGE = Knowledge()
