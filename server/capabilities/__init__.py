"""The capabilities of the server by name, as the catalogue refers to them."""

from server.capabilities.base import Capability, Outcome, cost_of
from server.capabilities.clean import Clean
from server.capabilities.segment import Segment
from server.capabilities.sentiment import Sentiment

CAPABILITIES: dict[str, Capability] = {
    capability.name: capability for capability in (Sentiment(), Clean(), Segment())
}

__all__ = ["CAPABILITIES", "Capability", "Outcome", "cost_of"]
