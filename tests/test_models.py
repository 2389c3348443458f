import pickle

import attrs
import pytest
from hypothesis import given

from conversations_hub import Conversation, Ref
from strategies import models, refs


@given(refs)
def test_a_ref_reads_back_from_its_text(ref):
    assert Ref.parse(str(ref)) == ref


@pytest.mark.parametrize("text", ["", "clio", "clio:", ":42", None, 42, b"a:b"])
def test_what_is_no_ref_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="PROVIDER:ID"):
        Ref.parse(text)


@given(models)
def test_models_pickle_hash_and_keep_still(model):
    copy = pickle.loads(pickle.dumps(model))
    assert copy == model
    assert hash(copy) == hash(model)
    assert copy.raw == model.raw
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        model.ref = None


def test_raw_counts_neither_in_equality_nor_in_repr():
    bare = Conversation(ref=Ref("a", "1"))
    full = attrs.evolve(bare, raw={"secret": "words"})
    assert bare == full
    assert "words" not in repr(full)
