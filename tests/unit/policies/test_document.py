"""YAML documents: every problem is found, and stands where an editor should jump to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from policies import Document, DocumentError

pytestmark = pytest.mark.unit


def problems(document: Document) -> list[str]:
    with pytest.raises(DocumentError) as raised:
        document.finish()
    return str(raised.value).splitlines()


def refusal(text: str) -> str:
    with pytest.raises(DocumentError) as raised:
        Document.parse(text, file="f.yaml")
    return str(raised.value)


def test_a_file_that_does_not_exist_is_a_problem_of_that_file(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none\.yaml:1:1: cannot be read: No such file"):
        Document.load(tmp_path / "none.yaml")


def test_a_folder_and_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(DocumentError, match="not UTF-8"):
        Document.load(tmp_path / "latin.yaml")
    with pytest.raises(DocumentError, match="directory"):
        Document.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml:1:1: must be a mapping of keys to values"),
        ("- a\n- b", "f.yaml:1:1: must be a mapping of keys to values"),
        ("a: 1\nb: [1, 2", "f.yaml:2:9: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\na: 2", 'f.yaml:2:1: found duplicate key "a" with value "2" (original value: "1")'),
        ("a: !!int x", "f.yaml:1:1: holds a value that cannot be read: ValueError: invalid literal"),
        ("a: 2001-99-99", "f.yaml:1:1: holds a value that cannot be read: ValueError: month must be"),
        ("a: " + "[" * 400 + "]" * 400, "f.yaml:1:1: is nested too deeply to read"),
        ("a: 1\nb: \x07", "f.yaml:2:4: is not YAML: unacceptable character"),
        (
            "a: &x 1\nb: &x 2",
            "f.yaml:1:1: holds a value that cannot be read: ReusedAnchorWarning: found duplicate",
        ),
        ("---\na: 1\n---\nb: 1", "f.yaml:3:1: but found another document"),
    ],
)
def test_text_that_is_not_one_mapping_is_refused_where_it_goes_wrong(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


def test_all_problems_are_listed_once_and_in_the_order_of_the_file() -> None:
    document = Document.parse("a: x\nb: 1\nc: 2\n", file="f.yaml")
    root = document.root
    for key in ("c", "b", "b"):
        node = root.require(key)
        assert node is not None
        node.text()
    assert problems(document) == [
        "f.yaml:2:4: must be text, is a whole number",
        "f.yaml:3:4: must be text, is a whole number",
    ]


def test_a_document_without_problems_finishes() -> None:
    Document.parse("a: 1").finish()


def test_scalars_of_the_wrong_type_say_what_they_are_and_give_nothing() -> None:
    document = Document.parse("m: {}\nl: []\nt: x\ni: 1\nf: 1.5\nb: true\nn:\nd: 2001-01-01\n", file="f")
    read = {key: node for key, node in document.root.items()}
    assert [read["m"].text(), read["t"].integer(), read["f"].integer(), read["b"].integer()] == [None] * 4
    assert [read["b"].number(), read["i"].boolean(), read["n"].text(), read["d"].text()] == [None] * 4
    assert list(read["t"].items()) == []
    assert list(read["m"].elements()) == []
    assert problems(document) == [
        "f:1:4: must be a list, is a mapping",
        "f:1:4: must be text, is a mapping",
        "f:3:4: must be a mapping, is text",
        "f:3:4: must be a whole number, is text",
        "f:4:4: must be true or false, is a whole number",
        "f:5:4: must be a whole number, is a number",
        "f:6:4: must be a number, is true or false",
        "f:6:4: must be a whole number, is true or false",
        "f:7:1: must be text, is empty",
        "f:8:4: must be text, is a date",
    ]


def test_scalars_of_the_right_type_come_back_as_plain_python() -> None:
    root = Document.parse("t: 'x'\ni: 0x1F\nf: 1e3\nb: false\nl: [a, b]\n").root
    read = {key: node for key, node in root.items()}
    assert type(read["t"].text()) is str
    assert (read["i"].integer(), read["i"].number(), read["f"].number()) == (31, 31.0, 1000.0)
    assert read["b"].boolean() is False
    assert [element.text() for element in read["l"].elements()] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 7", "must be at most 5, is 7"),
        ("a: -1", "must be from 0 to 5, is -1"),
        ("a: .nan", "must be a finite number"),
        ("a: 0x" + "F" * 5000, "must be at most 5"),
    ],
)
def test_numbers_out_of_bounds_are_refused(text: str, message: str) -> None:
    document = Document.parse(text, file="f")
    node = document.root.get("a")
    assert node is not None
    least = 0.0 if "from" in message else None
    assert node.number(least=least, most=5) is None
    assert problems(document) == [f"f:1:4: {message}"]


def test_a_number_too_large_for_a_double_is_refused() -> None:
    document = Document.parse("a: 0x" + "F" * 400, file="f")
    node = document.root.get("a")
    assert node is not None
    assert node.number() is None
    assert problems(document) == ["f:1:4: must be a finite number"]


def test_an_unknown_key_or_choice_names_the_nearest_known_one() -> None:
    document = Document.parse("engin: fast\nkind: realtme\n", file="f")
    document.root.only(("engine", "kind"))
    kind = document.root.get("kind")
    assert kind is not None
    assert kind.one_of(("fast", "realtime"), what="engine") is None
    assert problems(document) == [
        "f:1:1: unknown key 'engin', did you mean 'engine'?",
        "f:2:7: unknown engine 'realtme', did you mean 'realtime'?",
    ]


def test_a_missing_key_is_reported_at_its_mapping() -> None:
    document = Document.parse("rules:\n  - id: a\n", file="f")
    rules = document.root.require("rules")
    assert rules is not None
    for element in rules.elements():
        assert element.require("when") is None
    assert problems(document) == ["f:2:5: `when` is missing"]


def test_keys_and_merged_entries_have_a_place() -> None:
    document = Document.parse("base: &b {a: 1}\nuse:\n  <<: *b\n  c: 2\n", file="f")
    use = document.root.get("use")
    assert use is not None
    assert (use.key("c").line, use.key("c").column) == (4, 3)
    merged = use.get("a")
    assert merged is not None
    merged.text()
    assert problems(document) == ["f:3:3: must be text, is a whole number"]


@pytest.mark.parametrize(
    "text",
    [
        "a: alpha beta GAMMA\n",
        "a: 'alpha ''beta'' GAMMA'\n",
        'a: "alpha \\"beta\\" \\u00e9\\x41 GAMMA"\n',
        'a: "alpha\\n \\t beta GAMMA"\n',
        'a: "alpha \\\n   beta GAMMA"\n',
        "a: |\n  alpha\n    beta\n\n  GAMMA\n",
        "a: >-\n  alpha\n  beta\n\n  GAMMA\n",
        "a: > # folded\n  alpha\n  GAMMA\n",
        "a: alpha\n  beta\n  GAMMA\n",
        "a: &anchor 'alpha GAMMA'\n",
        "a: !!str alpha é GAMMA\n",
        "b: [1, {c: 2}]\r\na: >-\r\n  alpha\r\n  GAMMA\r\n",
    ],
)
def test_a_character_of_a_text_is_found_in_the_file_however_the_text_is_written(text: str) -> None:
    document = Document.parse(text)
    node = document.root.get("a")
    assert node is not None
    line, column = node.locate(str(getattr(node.value, "value", node.value)).index("GAMMA"))
    assert text.replace("\r", "").split("\n")[line - 1][column - 1 :].startswith("GAMMA")


def test_a_problem_with_text_that_cannot_be_printed_can_be_printed() -> None:
    document = Document.parse('a: "\\ud800"\n"\\udc00": 1\n', file="f")
    node = document.root.get("a")
    assert node is not None
    assert node.text() is None
    document.root.only(("a",))
    assert [line.encode() for line in problems(document)] == [
        b"f:1:4: holds half of a surrogate pair, which is not text",
        b"f:2:1: unknown key '\\udc00'",
    ]


@given(st.binary(max_size=80))
@example(b"a: !!bool x")
@example(b"\xef\xbb\xbfa: 1")
@example(b"? [a]\n: 1")
@settings(max_examples=150, deadline=None)
def test_a_file_of_any_bytes_is_a_document_or_a_clean_error(raw: bytes) -> None:
    try:
        text = raw.decode()
        document = Document.parse(text)
        document.root.only(("a",))
        for key, node in document.root.items():
            node.one_of([key], what="key")
            node.number()
            list(node.elements())
        document.finish()
    except (UnicodeDecodeError, DocumentError) as error:
        str(error).encode()
