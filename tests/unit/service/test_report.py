"""service.report: one page that is well-formed, complete in itself, and safe with whatever a caller says."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from compliance.events import AgentSaid, CallerSaid, CallStarted, Decided, ToolCalled
from service.promises import Broken
from service.report import ReportCall, render_report
from service.report.colours import engine_classes, wait_classes
from service.report.envelope import POINTS, outline, path, peak
from service.report.timeline import timeline
from service.summary import LedgerCheck, RecordError, summarise
from tests.unit.service.sample_call import (
    SAMPLE_RATE_HZ,
    audio_of,
    call_with_a_person,
    furious_call,
    quick_call,
)

pytestmark = pytest.mark.unit
HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)> \" onmouseover=\"alert(2)"
VOID = {"meta", "br", "img", "link", "input", "hr", "path", "source"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that every tag is closed where it should be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def furious() -> ReportCall:
    events = furious_call()
    return ReportCall(
        events,
        audio_of(events, "caller"),
        audio_of(events, "agent"),
        SAMPLE_RATE_HZ,
        LedgerCheck(True, len(events), "9c1f" * 16, "chain unbroken"),
    )


@pytest.fixture(scope="module")
def html() -> str:
    cut_off = ReportCall(furious_call("call-0009", "lab:09_cut_off")[:44])
    return render_report([furious(), ReportCall(quick_call()), cut_off], title="Patchbay demo")


def test_the_page_is_well_formed_and_has_every_call(html: str) -> None:
    page = Page(html)
    assert page.tags.count("section") == 4
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {"overview", "call-1", "call-2", "call-3"} <= set(ids)
    links = {value[1:] for name, value in page.attributes if name == "href"}
    assert links <= set(ids)


def test_the_page_loads_nothing(html: str) -> None:
    page = Page(html)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", html)
    assert not {"link", "img", "iframe", "audio", "video", "object", "source"} & set(page.tags)
    assert not {"src", "srcset", "action", "data"} & {name for name, _ in page.attributes}


def test_a_browser_is_told_to_run_only_the_page_s_own_script(html: str) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in html


def test_the_page_has_what_each_reader_looks_for(html: str) -> None:
    text = " ".join(" ".join(Page(html).text).split())
    for expected in (
        "Simulated: deepgram, elevenlabs, openai",
        "upset 0.83 ≥ 0.70 with confidence 0.88",
        "policy default v3, tenant acme",
        "· arm tool of earlier-tools · waits for 1,200 ms of silence",
        "· shadow try-lower: tool",
        "Shadow rule try-lower would have chosen fast",
        "1,575 ms",
        "cut by the caller",
        "9c1f" * 16,
        "chain unbroken",
        "credit card",
        "emotion.upset",
        "The record stops at",
        "Record not verified",
    ):
        assert expected in text


def test_every_drawn_thing_can_be_read_out(html: str) -> None:
    for tag in re.findall(r"<(?:div|svg|button)[^>]*role=\"img\"[^>]*>", html):
        assert "aria-label=" in tag


def test_audio_is_never_in_the_page(html: str) -> None:
    assert "data:" not in html
    assert "base64" not in html
    assert len(html) < 400_000


def test_what_a_person_said_stands_under_their_name() -> None:
    page = Page(render_report([ReportCall(call_with_a_person())], title="x"))
    assert page.text.count("human (anna)") == 2
    assert "thank you that is paid" in page.text


def test_hostile_words_names_and_reasons_stay_text() -> None:
    update = {"text": HOSTILE}
    events = []
    for event in furious_call():
        match event:
            case CallStarted():
                event = event.model_copy(update={"source": f"file:{HOSTILE}", "simulated": (HOSTILE,)})
            case CallerSaid() | AgentSaid():
                event = event.model_copy(update=update)
            case Decided():
                event = event.model_copy(
                    update={
                        "rule": HOSTILE,
                        "reason": HOSTILE,
                        "engine": HOSTILE,
                        "signals": {HOSTILE: HOSTILE},
                        "arms": {HOSTILE: HOSTILE},
                        "shadow": {HOSTILE: HOSTILE + "other"},
                    }
                )
            case ToolCalled():
                event = event.model_copy(update={"name": HOSTILE, "result": {HOSTILE: [HOSTILE]}})
            case _:
                pass
        events.append(event)
    page = Page(render_report([ReportCall(events), ReportCall(quick_call())], title=HOSTILE))
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert any(HOSTILE in text for text in page.text)


def test_what_is_broken_by_other_means_is_shown_too() -> None:
    call = ReportCall(quick_call(), also=[Broken("The reply is heard", 1, "Turn 1 was silent at the ear.")])
    text = render_report([call], title="One")
    assert "Turn 1 was silent at the ear." in text
    assert "1 promise broken" in text


def test_a_report_of_one_call_has_no_overview_and_one_of_none_says_so() -> None:
    assert 'id="overview"' not in render_report([furious()], title="One")
    assert "No calls are in this report" in render_report([], title="None")


def test_a_call_without_events_is_refused() -> None:
    with pytest.raises(RecordError):
        render_report([ReportCall(())], title="Empty")


def test_an_outline_keeps_the_extremes_in_at_most_two_thousand_points() -> None:
    audio = np.zeros(100_003, dtype=np.int16)
    audio[70_001], audio[99_999] = 9_000, -32_768
    low, high = outline(audio)
    assert len(low) + len(high) <= POINTS
    assert (high.max(), low.min()) == (9_000, -32_768)
    assert peak(audio, None) == 32_768
    assert path(audio, 16_000, until_ms=7_000, peak=peak(audio)).count(" ") == POINTS


def test_the_outline_of_very_short_or_empty_audio_can_be_drawn() -> None:
    assert path(np.zeros(0, dtype=np.int16), 16_000, until_ms=1, peak=0) == ""
    assert path(np.array([5, -5, 0], dtype=np.int16), 16_000, until_ms=1, peak=5).startswith("M")


@pytest.mark.parametrize("audio", [np.zeros((4, 2), dtype=np.int16), np.zeros(4, dtype=np.float32)])
def test_audio_of_another_kind_is_refused(audio: np.ndarray) -> None:
    with pytest.raises(ValueError, match="one channel of int16"):
        outline(audio)


def test_everything_lies_on_the_axis_and_near_markers_do_not_cover_each_other() -> None:
    events = furious_call()
    line = timeline(events, summarise(events), audio_ms=500_000)
    assert line.until_ms == 500_000
    spans = [*line.caller, *line.agent, *line.route, *(bar.span for bar in line.emotion)]
    assert all(0 <= span.left <= span.left + span.width <= 100.001 for span in spans)
    places = [(marker.row, marker.left) for marker in line.markers]
    for row, left in places:
        assert not [other for at, other in places if at == row and 0 < other - left < 100 * 22 / 760]
    assert [tick.label for tick in line.ticks if tick.level == 1][:3] == ["0:00", "1:00", "2:00"]


def test_the_route_ribbon_has_no_gap_and_shows_a_fall_over() -> None:
    events = furious_call()
    route = timeline(events, summarise(events)).route
    assert [span.group for span in route] == [
        "fast",
        "fast",
        "tool",
        "standard",
        "realtime",
        "realtime",
        "standard",
        "tool",
        "fast",
    ]
    for before, after in pairwise(route):
        assert before.left + before.width == pytest.approx(after.left, abs=0.01)


def test_known_engines_and_waits_keep_their_colour() -> None:
    assert engine_classes(["mine", "realtime"])["realtime"] == engine_classes([])["realtime"]
    assert engine_classes(["mine", "yours"])["mine"] != engine_classes(["mine", "yours"])["yours"]
    assert wait_classes(["playout", "queue"])["playout"] == wait_classes(["voice", "playout"])["playout"]
