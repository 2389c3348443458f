import timeit

import attrs
import pytest
from attrs import frozen
from hypothesis import given

from conversations_hub import Author, Message, Ref
from conversations_hub.construct import constructor
from strategies import messages


@given(messages)
def test_it_builds_what_the_model_would(message):
    """Every field, from arguments: same class, equal, as frozen."""
    values = {f.name: getattr(message, f.name) for f in attrs.fields(Message)}
    built = constructor(Message)(**values)
    assert type(built) is Message
    assert built == message
    assert all(getattr(built, name) is value for name, value in values.items())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        built.text = "other"


def test_defaults_are_the_models_and_not_shared():
    make = constructor(Message)
    needed = {"ref": Ref("a", "1"), "conversation": Ref("a", "2")}
    assert make(**needed) == Message(**needed)
    assert make(**needed).metadata is not make(**needed).metadata
    assert constructor(Ref)("a", "1") == Ref("a", "1")
    assert constructor(Author)() == Author()


def test_arguments_are_as_strict_as_the_models():
    make = constructor(Message)
    with pytest.raises(TypeError):
        make(ref=Ref("a", "1"))
    with pytest.raises(TypeError):
        make(ref=Ref("a", "1"), conversation=Ref("a", "2"), txet="")
    with pytest.raises(TypeError):
        make(Ref("a", "1"), Ref("a", "2"))


def test_a_model_that_checks_its_values_is_refused():
    @frozen
    class Checked:
        size: int = attrs.field(converter=int)

    with pytest.raises(TypeError, match="converter"):
        constructor(Checked)


def test_it_is_what_it_is_for():
    """Faster than the class, by a margin that noise does not hide every time."""
    make, values = constructor(Message), {"ref": Ref("a", "1"), "conversation": Ref("a", "2")}

    def ratio():
        ours = timeit.timeit(lambda: make(**values), number=1000)
        return ours / timeit.timeit(lambda: Message(**values), number=1000)

    assert min(ratio() for _ in range(30)) < 0.7
