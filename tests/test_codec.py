import json

import pytest
from hypothesis import given

from conversations_hub import (
    ConfigurationError,
    Conversation,
    ConversationKind,
    Message,
    Ref,
    codec,
)
from strategies import models


@given(models)
def test_json_and_back_is_the_same_model(model):
    text = codec.dumps(model)
    assert "\n" not in text
    back = codec.loads(text, type(model))
    assert back == model
    assert back.raw == model.raw


def test_an_enum_value_of_a_newer_release_is_unknown():
    value = codec.to_json(Conversation(ref=Ref("a", "1"))) | {"kind": "hologram"}
    assert codec.from_json(value, Conversation).kind is ConversationKind.UNKNOWN


def test_refs_and_times_are_plain_text():
    value = json.loads(codec.dumps(Conversation(ref=Ref("clio", "42"))))
    assert value["ref"] == "clio:42"


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"ref": 1}', '{"ref": "nothing"}', "{}", "[" * 100_000], ids=range(6)
)
def test_what_is_no_model_says_so(text):
    with pytest.raises(ConfigurationError, match="no Message"):
        codec.loads(text, Message)
