"""Circuit's REST API version 2, faked."""

from conversations_hub.providers.circuit.emulator.api import CircuitApi
from conversations_hub.providers.circuit.emulator.switches import CircuitSwitches

__all__ = ["CircuitApi", "CircuitSwitches"]
