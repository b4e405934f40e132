"""The engine catalogue: what operators write, and every complaint with its place."""

from pathlib import Path

import pytest

from engines.catalogue import Catalogue
from engines.plugins import TEXT_ONLY
from policies import DocumentError, shipped

pytestmark = pytest.mark.unit

WHOLE = """\
version: 1
greeting: Hello.
instructions: Be brief.
transcriber: {plugin: deepgram, model: nova-3}
voices:
  house: {plugin: elevenlabs, model: flash}
engines:
  fast:
    kind: cascade
    model: {plugin: openai, model: gpt-4.1-nano}
    voices: [house]
"""


def problems(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        Catalogue.parse(text, file="engines.yaml")
    return str(caught.value).splitlines()


def changed(old: str, new: str) -> str:
    assert old in WHOLE
    return WHOLE.replace(old, new)


def test_the_shipped_catalogue_loads_with_its_four_engines() -> None:
    catalogue = Catalogue.load(shipped("engines.yaml"))
    assert list(catalogue.engines) == ["fast", "standard", "tool", "realtime"]
    assert [engine.kind for engine in catalogue.engines.values()] == ["cascade"] * 3 + ["realtime"]
    assert catalogue.engines["tool"].first_reply_s == 6.0
    assert catalogue.engines["realtime"].voices == ()
    assert catalogue.endpointing_s == 0.3
    assert len(catalogue.components()) == 7


def test_what_is_not_written_has_a_default() -> None:
    catalogue = Catalogue.parse(WHOLE)
    [engine] = catalogue.engines.values()
    assert (engine.tools, engine.first_reply_s, catalogue.endpointing_s) == (False, 4.0, 0.3)
    assert dict(engine.mind.options) == {}


def test_a_provider_that_speaks_openais_protocol_is_an_entry() -> None:
    text = changed(
        "model: {plugin: openai, model: gpt-4.1-nano}",
        "model: {plugin: openai, model: llama, base_url: https://api.groq.com/openai/v1, api_key_env: GROQ_API_KEY}",
    )
    mind = Catalogue.parse(text).engines["fast"].mind
    assert (mind.base_url, mind.api_key_env) == ("https://api.groq.com/openai/v1", "GROQ_API_KEY")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("version: 1", "version: 2", "1:10: this Patchbay reads catalogue version 1, not 2"),
        ("greeting:", "greting:", "2:1: unknown key 'greting', did you mean 'greeting'?"),
        ("greeting: Hello.", "greeting: [Hello]", "2:11: must be text, is a list"),
        (
            "plugin: deepgram",
            "plugin: deepgrm",
            "4:23: unknown stt plugin 'deepgrm', did you mean 'deepgram'?",
        ),
        (
            "plugin: elevenlabs",
            "plugin: deepgrams",
            "6:19: unknown tts plugin 'deepgrams', did you mean 'deepgram'?",
        ),
        (", model: flash", "", "6:10: `model` is missing"),
        ("kind: cascade", "kind: cascad", "9:11: unknown kind of engine 'cascad', did you mean 'cascade'?"),
        ("    kind: cascade\n", "", "9:5: `kind` is missing"),
        ("plugin: openai", "plugin: opnai", "10:21: unknown llm plugin 'opnai', did you mean 'openai'?"),
        ("[house]", "[hause]", "11:14: unknown voice 'hause', did you mean 'house'?"),
        ("[house]", "[]", "11:13: a cascade needs at least one voice"),
        ("[house]", "house", "11:13: must be a list, is text"),
        ("    voices: [house]\n", "", "9:5: `voices` is missing"),
        ("voices: [house]", "voices: [house]\n    tools: perhaps", "12:12: must be true or false, is text"),
        (
            "voices: [house]",
            "voices: [house]\n    first_reply_ms: 20",
            "12:21: must be from 200 to 30000, is 20",
        ),
        (
            "model: flash",
            "model: flash, base_url: example",
            "6:55: must be a URL such as https://example.com/v1",
        ),
        (
            "model: flash",
            "model: flash, options: {speed: [1]}",
            "6:62: an option is text, a number, true or false",
        ),
        ("greeting: Hello.", "greeting: Hello.\nendpointing_ms: 5", "3:17: must be from 100 to 3000, is 5"),
        ("engines:\n", "engines: {}\nvoicez:\n", "7:10: at least one engine is needed"),
    ],
)
def test_a_complaint_says_where_and_what(old: str, new: str, complaint: str) -> None:
    assert f"engines.yaml:{complaint}" in problems(changed(old, new))


def test_a_catalogue_without_a_cascade_is_refused() -> None:
    text = WHOLE[: WHOLE.index("  fast:")] + (
        "  realtime: {kind: realtime, model: {plugin: openai, model: gpt-realtime}}\n"
    )
    assert problems(text) == [
        "engines.yaml:8:3: at least one cascade engine is needed: it speaks the greeting and is the last resort"
    ]


def test_a_realtime_engine_has_no_voices_of_ours() -> None:
    text = (
        WHOLE
        + "  realtime: {kind: realtime, model: {plugin: openai, model: gpt-realtime}, voices: [house]}\n"
    )
    assert len(problems(text)) == 1
    assert "unknown key 'voices'" in problems(text)[0]


def test_a_half_cascade_needs_a_voice_and_answers_in_text() -> None:
    half = "  branded: {kind: half_cascade, model: {plugin: openai, model: gpt-realtime}, voices: [house]}\n"
    engine = Catalogue.parse(WHOLE + half).engines["branded"]
    assert (engine.kind, engine.voices, engine.mind.options[TEXT_ONLY]) == ("half_cascade", ("house",), True)
    [complaint] = problems(WHOLE + half.replace("[house]", "[]"))
    assert complaint.endswith("a half-cascade needs at least one voice")


def test_a_cascade_may_hear_how_the_caller_sounds_and_answer_in_another_voice() -> None:
    spec = Catalogue.parse(WHOLE + "    audio_aware: true\n    voices_when: {upset: [house]}\n").engines[
        "fast"
    ]
    assert (spec.audio_aware, spec.voices_when) == (True, {"upset": ("house",)})
    [unheard] = problems(WHOLE + "    voices_when: {upst: [house]}\n")
    assert "nobody is heard to sound 'upst', did you mean 'upset'?" in unheard
    [voiceless] = problems(WHOLE + "    voices_when: {upset: []}\n")
    assert "who sounds upset needs a voice too" in voiceless


def test_every_problem_is_listed_at_once_in_the_order_of_the_file() -> None:
    text = WHOLE.replace("version: 1", "version: 3").replace("deepgram", "deepgrm").replace("[house]", "[]")
    places = [line.split(": ")[0] for line in problems(text)]
    assert places == ["engines.yaml:1:10", "engines.yaml:4:23", "engines.yaml:11:13"]


def test_an_empty_part_is_a_complaint_and_not_a_crash() -> None:
    for part in ("voices", "engines", "transcriber", "greeting", "instructions"):
        [complaint, *_] = problems(f"{part}:\n" + "".join(WHOLE.splitlines(True)[:1]))
        assert complaint.startswith("engines.yaml:")


def test_a_file_that_is_not_there_is_a_complaint(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        Catalogue.load(tmp_path / "none.yaml")


def test_a_decision_model_is_a_part_that_a_catalogue_may_have() -> None:
    assert Catalogue.parse(WHOLE).decisions is None
    decisions = "decisions: {model: {plugin: openai, model: luna}, timeout_ms: 500, most_per_call: 9}\n"
    catalogue = Catalogue.parse(WHOLE + decisions)
    assert catalogue.decisions is not None
    assert (catalogue.decisions.timeout_s, catalogue.decisions.most_per_call) == (0.5, 9)
    assert catalogue.decisions.model in catalogue.components()


def test_a_decision_model_has_a_time_limit_and_a_budget_unless_told() -> None:
    found = problems(
        WHOLE + "decisions: {model: {plugin: deepgram, model: luna}, timeout_ms: 5, most_per_call: 0}\n"
    )
    assert [each.split(": ", 1)[0] for each in found] == [
        f"engines.yaml:12:{column}" for column in (29, 65, 83)
    ]
