"""Twilio's Conversations API v1, faked from its published words."""

from conversations_hub.providers.twilio.emulator.api import TwilioApi
from conversations_hub.providers.twilio.emulator.switches import TwilioSwitches

__all__ = ["TwilioApi", "TwilioSwitches"]
