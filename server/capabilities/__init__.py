"""The capabilities of the server by name, as the catalogue refers to them."""

from server.capabilities.anomaly import Anomaly
from server.capabilities.aspects import Aspects
from server.capabilities.base import KNOWLEDGE, Capability, Operation, Outcome, cost_of
from server.capabilities.classify import Classify
from server.capabilities.clean import Clean
from server.capabilities.deciding import Eval, LiftTest
from server.capabilities.drivers import Drivers
from server.capabilities.forecast import Forecast
from server.capabilities.keywords import Keywords
from server.capabilities.lift import Lift
from server.capabilities.model_info import ModelInfo
from server.capabilities.needs import Needs
from server.capabilities.profile import Profile
from server.capabilities.segment import Segment
from server.capabilities.sentiment import Sentiment
from server.capabilities.similar import Similar
from server.capabilities.summarize import Summarize
from server.capabilities.topics import Topics

CAPABILITIES: dict[str, Capability] = {
    capability.name: capability
    for capability in (
        Sentiment(),
        Aspects(),
        Clean(),
        Keywords(),
        Topics(),
        Segment(),
        Classify(),
        Similar(),
        Summarize(),
        Needs(),
        Profile(),
        Eval(),
        LiftTest(),
        Drivers(),
        ModelInfo(),
        Forecast(),
        Anomaly(),
        Lift(),
    )
}

__all__ = ["CAPABILITIES", "KNOWLEDGE", "Capability", "Operation", "Outcome", "cost_of"]
