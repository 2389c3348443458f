"""Sunshine Conversations' API version 2, faked on loopback."""

from conversations_hub.providers.sunshine.emulator.api import SunshineApi
from conversations_hub.providers.sunshine.emulator.switches import SunshineSwitches

__all__ = ["SunshineApi", "SunshineSwitches"]
