import importlib.resources
import pickle
import subprocess
import sys

import pytest

import conversations_hub
from conversations_hub import ConfigurationError, Provider
from conversations_hub.providers import PROVIDERS, load


def test_every_name_on_offer_is_there():
    for name in conversations_hub.__all__:
        assert getattr(conversations_hub, name) is not None
    assert sorted(conversations_hub.__all__) == conversations_hub.__all__


def test_every_provider_is_on_offer():
    for place in PROVIDERS.values():
        assert place.partition(":")[2] in conversations_hub.__all__


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Slack"):
        conversations_hub.Slack  # noqa: B018


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_is_found_by_its_line(name):
    assert issubclass(load(name), Provider)


def test_an_unknown_provider_is_named_with_those_there_are():
    with pytest.raises(ConfigurationError, match="'slack'; there are twilio"):
        load("slack")


def test_importing_the_package_imports_no_provider_and_no_extra():
    code = (
        "import sys, conversations_hub;"
        "print([m for m in sys.modules if m.startswith('conversations_hub.providers.')"
        " or m in ('click', 'rich', 'filelock', 'opentelemetry', 'twilio', 'aiohttp.web')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_is_typed():
    files = importlib.resources.files("conversations_hub")
    assert (files / "py.typed").is_file()


def test_models_pickle_by_their_own_names():
    assert pickle.loads(pickle.dumps(conversations_hub.Ref)) is conversations_hub.Ref
