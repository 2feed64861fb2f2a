"""The verbs of the `shopsheet` command, one module each."""

VERBS: tuple[str, ...] = (
    "serve",
    "call",
    "score",
    "refresh",
    "train",
    "evaluate",
    "models",
    "knowledge",
    "addin",
    "doctor",
)
