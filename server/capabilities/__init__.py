"""The capabilities of the server by name, as the catalogue refers to them."""

from server.capabilities.base import Capability, Outcome
from server.capabilities.sentiment import Sentiment

CAPABILITIES: dict[str, Capability] = {capability.name: capability for capability in (Sentiment(),)}

__all__ = ["CAPABILITIES", "Capability", "Outcome"]
