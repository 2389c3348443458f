"""Lists the parameters of Twilio's write operations (section 3)."""

from __future__ import annotations

from conversations_hub.providers.twilio.emulator import forms, limits
from conversations_hub.providers.twilio.emulator.forms import Field, Table
from conversations_hub.providers.twilio.emulator.reads import ADDRESS_TYPES, STATES

NAME = Field("friendly_name", forms.text(limits.NAME), None)
IDENTITY = Field("identity", forms.text(limits.IDENTITY, 1))
ROLE = Field("role_sid", forms.sid("RL"))
ATTRIBUTES = Field("attributes", forms.attributes())
DATES: Table = {
    "DateCreated": Field("date_created", forms.date),
    "DateUpdated": Field("date_updated", forms.date),
}

CONVERSATION: Table = DATES | {
    "FriendlyName": NAME,
    "UniqueName": Field("unique_name", forms.plain, None),
    "MessagingServiceSid": Field("messaging_service_sid", forms.sid("MG")),
    "Attributes": Field("attributes", forms.attributes(limits.CONVERSATION_ATTRIBUTES)),
    "State": Field("state", forms.one_of(*STATES)),
    "Timers.Inactive": Field("inactive_after", forms.duration(limits.INACTIVE_TIMER), None),
    "Timers.Closed": Field("closed_after", forms.duration(limits.CLOSED_TIMER), None),
    "Bindings.Email.Address": Field("email_address", forms.text(limits.ADDRESS), None),
    "Bindings.Email.Name": Field("email_name", forms.text(limits.NAME), None),
}
WITH_PARTICIPANTS: Table = CONVERSATION | {
    "Participant": Field("participants", forms.flattened, many=True),
}

MESSAGE_UPDATE: Table = DATES | {
    "Author": Field("author", forms.text(limits.IDENTITY, 1)),
    "Body": Field("body", forms.octets(limits.BODY)),
    "Attributes": ATTRIBUTES,
    "Subject": Field("subject", forms.text(limits.SUBJECT)),
}
MESSAGE: Table = MESSAGE_UPDATE | {
    "MediaSid": Field("media_sid", forms.sid("ME")),
    "ContentSid": Field("content_sid", forms.sid("HX")),
    "ContentVariables": Field("content_variables", forms.attributes(limits.BODY)),
}

PARTICIPANT_UPDATE: Table = DATES | {
    "Identity": IDENTITY,
    "Attributes": ATTRIBUTES,
    "RoleSid": ROLE,
    "MessagingBinding.ProxyAddress": Field("proxy_address", forms.text(limits.ADDRESS)),
    "MessagingBinding.ProjectedAddress": Field("projected_address", forms.text(limits.ADDRESS)),
    "LastReadMessageIndex": Field("last_read_message_index", forms.horizon),
    "LastReadTimestamp": Field("last_read_timestamp", forms.date, None),
}
PARTICIPANT: Table = {
    name: field for name, field in PARTICIPANT_UPDATE.items() if not name.startswith("LastRead")
} | {"MessagingBinding.Address": Field("address", forms.text(limits.ADDRESS))}

MEMBERSHIP: Table = {
    "NotificationLevel": Field("notification_level", forms.one_of("default", "muted")),
    "LastReadTimestamp": PARTICIPANT_UPDATE["LastReadTimestamp"],
    "LastReadMessageIndex": PARTICIPANT_UPDATE["LastReadMessageIndex"],
}

WEBHOOK: Table = {
    "Configuration.Url": Field("url", forms.url),
    "Configuration.Method": Field("method", forms.one_of("get", "post")),
    "Configuration.Filters": Field("filters", forms.plain, many=True),
    "Configuration.Triggers": Field("triggers", forms.plain, many=True),
    "Configuration.FlowSid": Field("flow_sid", forms.sid("FW")),
}
NEW_WEBHOOK: Table = WEBHOOK | {
    "Target": Field("target", forms.one_of("webhook", "trigger", "studio")),
    "Configuration.ReplayAfter": Field("replay_after", forms.integer),
}

USER: Table = {"FriendlyName": NAME, "Attributes": ATTRIBUTES, "RoleSid": ROLE}
NEW_USER: Table = USER | {"Identity": IDENTITY}

CONFIGURATION: Table = {
    "DefaultChatServiceSid": Field("default_chat_service_sid", forms.sid("IS")),
    "DefaultMessagingServiceSid": Field("default_messaging_service_sid", forms.sid("MG")),
    "DefaultInactiveTimer": Field(
        "default_inactive_timer", forms.duration_text(limits.INACTIVE_TIMER), None
    ),
    "DefaultClosedTimer": Field(
        "default_closed_timer", forms.duration_text(limits.CLOSED_TIMER), None
    ),
}
SERVICE_WEBHOOK: Table = {
    "Method": Field("method", forms.one_of("GET", "POST")),
    "Filters": Field("filters", forms.plain, many=True),
    "PreWebhookUrl": Field("pre_webhook_url", forms.url, None),
    "PostWebhookUrl": Field("post_webhook_url", forms.url, None),
}
ACCOUNT_WEBHOOK: Table = SERVICE_WEBHOOK | {
    "Target": Field("target", forms.one_of("webhook", "flex")),
}

ADDRESS: Table = {
    "FriendlyName": NAME,
    "AutoCreation.Enabled": Field("auto_enabled", forms.boolean),
    "AutoCreation.Type": Field("auto_type", forms.one_of("webhook", "studio", "default")),
    "AutoCreation.ConversationServiceSid": Field("auto_conversation_service_sid", forms.sid("IS")),
    "AutoCreation.WebhookUrl": Field("auto_webhook_url", forms.url),
    "AutoCreation.WebhookMethod": Field("auto_webhook_method", forms.one_of("GET", "POST")),
    "AutoCreation.WebhookFilters": Field("auto_webhook_filters", forms.plain, many=True),
    "AutoCreation.StudioFlowSid": Field("auto_studio_flow_sid", forms.sid("FW")),
    "AutoCreation.StudioRetryCount": Field("auto_studio_retry_count", forms.integer),
}
NEW_ADDRESS: Table = ADDRESS | {
    "Type": Field("type", forms.one_of(*ADDRESS_TYPES)),
    "Address": Field("address", forms.text(limits.ADDRESS)),
    "AddressCountry": Field("address_country", forms.matching("[A-Za-z]{2}")),
}

SERVICE: Table = {"FriendlyName": Field("friendly_name", forms.text(limits.NAME, 1))}
SERVICE_CONFIGURATION: Table = {
    "DefaultConversationCreatorRoleSid": Field(
        "default_conversation_creator_role_sid", forms.sid("RL")
    ),
    "DefaultConversationRoleSid": Field("default_conversation_role_sid", forms.sid("RL")),
    "DefaultChatServiceRoleSid": Field("default_chat_service_role_sid", forms.sid("RL")),
    "ReachabilityEnabled": Field("reachability_enabled", forms.boolean),
}
