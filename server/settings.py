"""Every setting of the server in one frozen dataclass; nothing else here reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from udfs.client import shopsheet_home
from udfs.errors import BadInput

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
ADDIN_FOLDER = Path(__file__).parent.parent / "addin" / "office_js"


@dataclass(frozen=True)
class Settings:
    """What the server may use and how much of it. Each field can be set as SHOPSHEET_<FIELD>."""

    home: Path  # token, result store, logs
    token: str = field(default="", repr=False)  # empty: the one in the token file
    # Where it listens
    host: str = "127.0.0.1"
    port: int = 8421
    https_port: int = 8422  # for Excel, once `shopsheet addin install excel` has made a certificate
    allowed_hosts: tuple[str, ...] = ()  # names in the Host header beyond the loopback ones
    allowed_origins: tuple[
        str, ...
    ] = ()  # pages elsewhere that may call, e.g. https://localhost:3000
    metrics_without_token: bool = False  # for a Prometheus on this machine
    # What one request may cost
    max_body_bytes: int = 64 * 1024 * 1024
    max_cells: int = 1_000_000  # 100,000 texts and as many orders in PROFILE are 700,000
    call_timeout_s: float = 900.0
    read_timeout_s: float = 60.0  # from the first to the last byte of a request
    # What all requests together may cost
    threads: int = 16
    max_queued_requests: int = 128
    max_connections: int = 4096
    max_waiting_items: int = 300_000
    # Knowledge of the shop: a workbook, or a folder of csv files; None: knowledge.xlsx in home
    knowledge: Path | None = None
    # Models
    encoder_folder: Path = WEIGHTS_FOLDER / "encoder"
    backend: str = "auto"
    precision: str = "auto"
    model_threads: int = 0  # 0: as many as the machine has cores
    load_timeout_s: float = 60.0  # how long a call waits for a model that is still loading
    # Batches: how long a batch of a long column may keep the model. Short while somebody types
    # single formulas, long when only columns are being scored.
    batch_ms: float = 200.0
    quiet_batch_ms: float = 1000.0
    max_batch_items: int = 512
    interactive_items: int = 16  # a request of at most so many items goes before long columns
    # Result store
    store: bool = True
    store_max_mb: int = 512
    store_memory_items: int = 20_000
    # Files for Excel, served under /addin/
    addin_folder: Path = ADDIN_FOLDER

    def __post_init__(self) -> None:
        for name, lo, hi in _RANGES:
            value = getattr(self, name)
            if not lo <= value <= hi:
                raise BadInput(
                    f"{_variable(name)} is {value}; expected a number from {lo:g} to {hi:g}."
                )
        for name, choices in (("backend", BACKENDS), ("precision", PRECISIONS)):
            if getattr(self, name) not in choices:
                raise BadInput(
                    f"{_variable(name)} is {getattr(self, name)!r}; expected one of "
                    f"{', '.join(choices)}."
                )

    @property
    def store_path(self) -> Path:
        return self.home / "results.sqlite3"

    @property
    def knowledge_path(self) -> Path:
        return self.knowledge or self.home / "knowledge.xlsx"

    @property
    def token_path(self) -> Path:
        return self.home / "token"

    @property
    def url(self) -> str:
        """Where a client on this machine reaches the server."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "") else self.host
        host = "::1" if host == "::" else host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, **overrides: Any
    ) -> Settings:
        """Defaults, changed by SHOPSHEET_... variables, changed by what is passed and not None.

        Raises: BadInput if a variable holds something that its setting cannot be.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, Any] = {"home": shopsheet_home()}
        for setting in fields(cls):
            text = environment.get(_variable(setting.name), "").strip()
            if text:
                values[setting.name] = _read(setting.name, str(setting.type), text)
        values |= {name: value for name, value in overrides.items() if value is not None}
        return cls(**values)

    def changed(self, **changes: Any) -> Settings:
        """The same settings with some replaced."""
        return replace(self, **changes)


BACKENDS = ("auto", "openvino", "torch")
PRECISIONS = ("auto", "f32", "bf16", "int8")
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("port", 0, 65_535),
    ("https_port", 0, 65_535),
    ("max_body_bytes", 1_024, 2**31),
    ("max_cells", 1, 10_000_000),
    ("call_timeout_s", 0.01, 86_400),
    ("read_timeout_s", 0.1, 3_600),
    ("threads", 1, 256),
    ("max_queued_requests", 1, 100_000),
    ("max_connections", 8, 100_000),
    ("max_waiting_items", 1, 10_000_000),
    ("model_threads", 0, 1_024),
    ("load_timeout_s", 0, 3_600),
    ("batch_ms", 1, 60_000),
    ("quiet_batch_ms", 1, 60_000),
    ("max_batch_items", 1, 100_000),
    ("interactive_items", 0, 10_000),
    ("store_max_mb", 1, 1_000_000),
    ("store_memory_items", 0, 10_000_000),
)
# Names that a user meets elsewhere under a shorter name.
_SHORT = {"encoder_folder": "SHOPSHEET_ENCODER"}


def _variable(name: str) -> str:
    return _SHORT.get(name, f"SHOPSHEET_{name.upper()}")


def _read(name: str, kind: str, text: str) -> Any:
    if kind in ("Path", "Path | None"):
        return Path(text).expanduser()
    if kind == "tuple[str, ...]":
        return tuple(part.strip() for part in text.replace(";", ",").split(",") if part.strip())
    if kind == "bool":
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        if text.lower() in words:
            return words[text.lower()]
        raise BadInput(f"{_variable(name)} is {text!r}; expected 1 or 0.")
    if kind in ("int", "float"):
        try:
            return int(text) if kind == "int" else float(text)
        except ValueError as error:
            noun = "a whole number" if kind == "int" else "a number"
            raise BadInput(f"{_variable(name)} is {text!r}; expected {noun}.") from error
    return text
