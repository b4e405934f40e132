"""A second hearing of what was said: masked like the first, and no more is remembered or expected because of it."""

import pytest

from compliance.events import EngineHeard
from compliance.redaction import REDACTION_FAILED, Redactor
from compliance.redaction.heard_again import found_again
from compliance.redaction.spans import Span
from compliance.redaction.spoken import hear

pytestmark = pytest.mark.unit


def heard(record: str, engine: str) -> EngineHeard:
    return EngineHeard(
        call_id="c",
        at_ms=1,
        turn=1,
        engine="realtime",
        record=record,
        engine_text=engine,
        words=1,
        substituted=1,
        inserted=0,
        deleted=0,
        word_error_rate=1,
    )


def masked(redactor: Redactor, record: str, engine: str) -> tuple[str, str]:
    event = redactor.redact_event(heard(record, engine))
    assert isinstance(event, EngineHeard)
    return event.record, event.engine_text


def found(record: str, entity: str, value: str, engine: str) -> list[str]:
    start = record.index(value)
    second = hear(engine)
    spans = found_again(hear(record), [Span(start, start + len(value), entity)], second)
    return sorted({engine[one.start : one.end] for one in spans})


def test_a_name_that_was_heard_otherwise_is_masked_where_the_record_has_it() -> None:
    assert found(
        "my name is jane smith thank you", "PERSON", "jane smith", "my name is jayne smyth thank you"
    ) == ["jayne smyth"]


def test_a_name_that_was_heard_alike_is_masked_word_by_word() -> None:
    assert found("my name is jane smith", "PERSON", "jane smith", "your name is jane smith") == [
        "jane",
        "smith",
    ]


def test_a_word_that_only_the_engine_heard_inside_of_a_name_is_masked() -> None:
    assert "van" in found("it is jane dam yes", "PERSON", "jane dam", "it is jane van dam yes")


def test_other_differences_stay_readable() -> None:
    assert found("i am jane and i want a refund", "PERSON", "jane", "i am jane and i wanted refunds") == [
        "jane"
    ]


def test_every_number_of_the_second_hearing_is_masked(redactor: Redactor) -> None:
    redactor.redact_spoken("what is your card number?", speaker="agent")
    redactor.redact_spoken("four one one one two two three four", speaker="caller")
    record, engine = masked(
        redactor, "four one one one two two three four", "four one one one two two tree 4 and 99"
    )
    for text in (record, engine):
        assert not any(character.isdecimal() for character in text)
        assert "one" not in text


def test_hearing_a_turn_again_closes_nothing_that_is_expected(redactor: Redactor) -> None:
    redactor.redact_spoken("what is your card number?", speaker="agent")
    redactor.redact_spoken("four one one one two two three four", speaker="caller")
    expected = redactor.expected
    masked(redactor, "four one one one two two three four", "for one one one to two three four")
    assert redactor.expected == expected
    assert (
        "nine" not in redactor.redact_spoken("nine eight seven six five five zero one", speaker="caller").text
    )


def test_a_second_hearing_that_cannot_be_redacted_is_withheld(redactor: Redactor) -> None:
    class Broken:
        def find(self, *_: object) -> object:
            raise ValueError("the caller said four one one one")

    broken = Redactor(Broken())  # type: ignore[arg-type]
    assert masked(broken, "four one one one", "for one one one") == (REDACTION_FAILED, REDACTION_FAILED)
    assert broken.last_failure == "ValueError"
