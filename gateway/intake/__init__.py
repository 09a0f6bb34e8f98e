"""A mail becomes faxes: who it is from, where it goes, what of it is faxed, and the one commit before the 250."""

from gateway.intake.desk import Intake
from gateway.intake.routing import Route, Routing

__all__ = ["Intake", "Route", "Routing"]
