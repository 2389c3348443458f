"""Clio's API, faked."""

from conversations_hub.providers.clio.emulator.api import ClioApi
from conversations_hub.providers.clio.emulator.switches import ClioSwitches

__all__ = ["ClioApi", "ClioSwitches"]
