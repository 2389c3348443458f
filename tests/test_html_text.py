"""What a reader sees of markup."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub.html_text import plain


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("just words", "just words", id="no markup"),
        pytest.param("<b>bold</b> and <i>it</i><u>!</u>", "bold and it!", id="inline tags"),
        pytest.param("one<br>two<br/>three<BR />four", "one\ntwo\nthree\nfour", id="breaks"),
        pytest.param("one<br><br>two", "one\n\ntwo", id="an empty line"),
        pytest.param("before<hr/>after", "before\nafter", id="rule"),
        pytest.param(
            "a<ul><li>one</li><li>two</li></ul><ol><li>first</li></ol>end",
            "a\none\ntwo\nfirst\nend",
            id="lists",
        ),
        pytest.param("<p>one</p>\n<p>two</p>", "one\n\ntwo", id="a newline of the source"),
        pytest.param("<div>one</div><div>two</div>", "one\ntwo", id="blocks"),
        pytest.param("<div><br></div>x", "\nx", id="a block of one empty line"),
        pytest.param("end<br><br>\n", "end", id="newlines at the end"),
        pytest.param("  two spaces  ", "  two spaces  ", id="spaces stay"),
        pytest.param('<span class="mention" abbr="u1">@Ana</span>!', "@Ana!", id="mention"),
        pytest.param('ok <img class="emoticon-icon" abbr=":)"> x', "ok :) x", id="emoticon"),
        pytest.param('<img abbr=">:(" src="x">', ">:(", id="an emoticon with a bracket"),
        pytest.param("<img abbr='&lt;3'/>", "<3", id="an emoticon with an entity"),
        pytest.param("<img src=x><img data-abbr='y'>", "", id="an image without words"),
        pytest.param(
            "a &lt;b&gt; &amp;amp; &#128526;&nbsp;&eacute;", "a <b> &amp; 😎\xa0é", id="entities"
        ),
        pytest.param("a<script>if (a<b) x('</b>')</script>b", "ab", id="script"),
        pytest.param("a<STYLE>p > b {}</Style >b", "ab", id="style"),
        pytest.param("a<script>never closed", "a", id="an endless script"),
        pytest.param("a<!-- no > <b> -->b<!DOCTYPE x>c<?xml?>d", "abcd", id="comments"),
        pytest.param("1 < 2 and I <3 you", "1 < 2 and I <3 you", id="less than"),
        pytest.param("a <b", "a <b", id="a tag that never ends"),
        pytest.param("a <!-- b", "a <!-- b", id="a comment that never ends"),
        pytest.param("<a title=\"1 > 0\" href='x>y'>link</a>", "link", id="brackets in quotes"),
        pytest.param("<a title=it's>link</a> isn't", "link isn't", id="an apostrophe is no quote"),
        pytest.param("&#" + "9" * 5000 + ";!", "\ufffd!", id="a number beyond all numbers"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_plain(html: str, text: str) -> None:
    assert plain(html) == text


@given(st.text())
def test_escaped_text_comes_back(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert plain(escaped) == text.rstrip("\n")


@given(st.text(alphabet="<>/!-?&#;= \"'abrsciptyle[1"))
def test_nothing_is_an_error(html: str) -> None:
    plain(html)


@pytest.mark.parametrize(
    "unit",
    ["<a ", "<", "<!--", "<![", "<?", "</", "&#", "&am ", "<a x='", '<a x="\'', "<a x = ",
     "<script>", "<script></scrip", "<img abbr=", "<br>", "<a x='\">", "=  ", "<b a='\"' "],
)  # fmt: skip
def test_hostile_markup_takes_no_longer(unit: str) -> None:
    html = unit * (400_000 // len(unit)) + ">"
    start = time.perf_counter()
    plain(html)
    assert time.perf_counter() - start < 2
