"""Writes every file that is derived from the function catalogue; `--check` only compares."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from addin import build_libreoffice, build_office, build_reference

Files: TypeAlias = Mapping[Path, str | bytes]

ROOT = Path(__file__).resolve().parent.parent
GENERATORS = (build_office, build_libreoffice, build_reference)


def generated_files() -> dict[Path, bytes]:
    """Content of every generated file, by absolute path; texts as UTF-8 with LF line ends."""
    files: dict[Path, bytes] = {}
    for generator in GENERATORS:
        made: Files = generator.generated_files()
        for path, content in made.items():
            path = ROOT / path
            if path in files:
                raise ValueError(f"{path.relative_to(ROOT).as_posix()} is generated twice.")
            files[path] = content.encode("utf-8") if isinstance(content, str) else content
    return files


def stale(files: Mapping[Path, bytes]) -> list[Path]:
    """Those of `files` that are missing on disk or differ from what would be written now."""
    return [path for path, content in sorted(files.items()) if _on_disk(path) != content]


def write(files: Mapping[Path, bytes], paths: Iterable[Path]) -> None:
    """Write `paths`, each with its content in `files`."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[path])


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 when all files are current, 1 when `--check` found stale ones."""
    parser = argparse.ArgumentParser(prog="python -m addin.build", description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit 1 and name the stale files, if any",
    )
    args = parser.parse_args(argv)

    files = generated_files()
    changed = stale(files)
    names = [path.relative_to(ROOT).as_posix() for path in changed]
    if args.check and changed:
        print(
            f"{len(changed)} of {len(files)} generated files are stale: {', '.join(names)}.\n"
            "Run `python -m addin.build` and commit the result.",
            file=sys.stderr,
        )
        return 1
    write(files, changed)
    for name in names:
        print(f"wrote {name}")
    print(f"{len(files)} generated files are current.")
    return 0


def _on_disk(path: Path) -> bytes | None:
    """The file as git has it: a checkout on Windows may have turned LF into CRLF."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return content if b"\0" in content else content.replace(b"\r\n", b"\n")


if __name__ == "__main__":
    sys.exit(main())
