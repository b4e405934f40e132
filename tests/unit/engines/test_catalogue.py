"""The engine catalogue: what operators write, and every complaint with its place."""

from pathlib import Path

import pytest

from engines.catalogue import Catalogue
from engines.component import Component
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
    assert [one.provider for one in catalogue.transcribers] == ["deepgram", "openai"]
    assert len(catalogue.components()) == 8


def test_what_is_not_written_has_a_default() -> None:
    catalogue = Catalogue.parse(WHOLE)
    [engine] = catalogue.engines.values()
    assert (engine.tools, engine.first_reply_s, catalogue.endpointing_s) == (False, 4.0, 0.3)
    assert dict(engine.mind.options) == {}


MIND = "model: {plugin: openai, model: gpt-4.1-nano}"


def entry(text: str) -> Component:
    """The mind of the only engine, written as ``text``."""
    return Catalogue.parse(changed(MIND, f"model: {{{text}}}")).engines["fast"].mind


def test_a_preset_and_a_model_are_enough() -> None:
    groq = entry("preset: groq, model: llama-3.1-8b-instant")
    assert (groq.plugin, groq.base_url, groq.api_key_env, groq.provider) == (
        "openai",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        "groq",
    )
    cerebras = entry("preset: cerebras, model: llama3.1-8b")
    assert (cerebras.base_url, cerebras.api_key_env, cerebras.provider) == (
        "https://api.cerebras.ai/v1",
        "CEREBRAS_API_KEY",
        "cerebras",
    )


def test_a_preset_may_be_told_another_address_and_another_key() -> None:
    mine = entry("preset: groq, model: llama, base_url: https://gateway.example/v1, api_key_env: GATEWAY_KEY")
    assert (mine.base_url, mine.api_key_env, mine.provider) == (
        "https://gateway.example/v1",
        "GATEWAY_KEY",
        "groq",
    )


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ("plugin: openai, model: m", "openai"),
        ("plugin: openai, model: m, base_url: 'https://eu.api.openai.com/v1'", "openai"),
        ("plugin: openai, model: m, base_url: 'https://llm.example/v1', api_key_env: LLM_KEY", "llm.example"),
        ("plugin: openai, model: m, base_url: 'http://10.0.0.7:8000/v1', keyless: true", "self-hosted"),
        ("plugin: openai, model: m, base_url: 'http://gpu/v1', keyless: true, provider: attic", "attic"),
        ("preset: groq, model: m, provider: groq-eu", "groq-eu"),
    ],
)
def test_whoever_answers_is_paid_under_a_name_of_its_own(text: str, provider: str) -> None:
    assert entry(text).provider == provider


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("preset: grok, model: m", "10:21: unknown preset 'grok', did you mean 'groq'?"),
        ("preset: groq", "10:12: `model` is missing"),
        (
            "preset: groq, plugin: openai, model: m",
            "10:35: a preset says which plugin it is: leave out `plugin` or `preset`",
        ),
        (
            "plugin: openai, model: m, base_url: 'https://llm.example/v1'",
            "10:49: OPENAI_API_KEY is not sent to https://llm.example/v1: name the variable with this server's own "
            "key as `api_key_env`, or write `keyless: true`",
        ),
        (
            "plugin: openai, model: m, base_url: 'http://api.openai.com/v1'",
            "10:49: OPENAI_API_KEY is not sent to http://api.openai.com/v1: name the variable with this server's own "
            "key as `api_key_env`, or write `keyless: true`",
        ),
        (
            "plugin: openai, model: m, base_url: 'https://notopenai.com/v1', api_key_env: OPENAI_API_KEY",
            "10:90: OPENAI_API_KEY is not sent to https://notopenai.com/v1: name the variable with this server's own "
            "key as `api_key_env`, or write `keyless: true`",
        ),
        (
            "preset: groq, model: m, base_url: 'https://gateway.example/v1'",
            "10:47: GROQ_API_KEY is not sent to https://gateway.example/v1: name the variable with this server's own "
            "key as `api_key_env`, or write `keyless: true`",
        ),
        ("plugin: openai, model: m, keyless: true", "10:48: a server that takes no key needs a `base_url`"),
        (
            "plugin: openai, model: m, base_url: 'http://gpu/v1', api_key_env: K, keyless: true",
            "10:91: a server takes a key or none: leave out `api_key_env` or `keyless`",
        ),
        (
            "plugin: openai, model: m, base_url: 'https://api.openai.com/v1', keyless: true",
            "10:87: the servers of openai take nobody without a key",
        ),
        (
            "plugin: openai, model: m, base_url: 'https://me:secret@gpu/v1', api_key_env: K",
            "10:49: must hold no name or password: a key belongs into the environment, see `api_key_env`",
        ),
        (
            "plugin: openai, model: m, base_url: 'ftp://gpu'",
            "10:49: must be a URL such as https://example.com/v1",
        ),
        (
            "preset: groq, model: m, api_key_env: sk-looks-like-a-key",
            "10:50: must be the name of an environment variable, such as GROQ_API_KEY",
        ),
        (
            "plugin: openai, model: m, provider: Groq Inc",
            "10:49: a provider's name has small letters, digits, '-', '_' and '.', such as self-hosted",
        ),
        (
            "plugin: openai, model: m, options: {base_url: 'https://gpu/v1'}",
            "10:49: 'base_url' is not an option",
        ),
    ],
)
def test_an_address_and_its_key_are_checked_where_they_are_written(text: str, complaint: str) -> None:
    assert f"engines.yaml:{complaint}" in problems(changed(MIND, f"model: {{{text}}}"))


def test_a_preset_is_only_what_its_provider_offers() -> None:
    text = changed("{plugin: elevenlabs, model: flash}", "{preset: cerebras, model: m}")
    assert problems(text)[0] == "engines.yaml:6:19: cerebras can be llm here, not tts"


def test_a_catalogue_that_names_its_hosts_reaches_no_others() -> None:
    named = "hosts: [api.deepgram.com, api.elevenlabs.io, api.openai.com]\n"
    assert Catalogue.parse(WHOLE + named).hosts == ("api.deepgram.com", "api.elevenlabs.io", "api.openai.com")
    own = changed(MIND, "model: {plugin: openai, model: m, base_url: http://gpu.local/v1, keyless: true}")
    assert problems(own + named) == [
        "engines.yaml:10:49: gpu.local is asked here, which is not among `hosts`"
    ]
    assert problems(WHOLE + "hosts: [api.elevenlabs.io, api.openai.com]\n") == [
        "engines.yaml:4:14: api.deepgram.com is asked here, which is not among `hosts`"
    ]
    spare = "spare_transcriber: {preset: groq, model: whisper-large-v3-turbo}\n"
    assert problems(WHOLE + spare + named) == [
        "engines.yaml:12:20: api.groq.com is asked here, which is not among `hosts`"
    ]


def test_a_second_recogniser_may_hear_callers_when_the_first_fails() -> None:
    [only] = Catalogue.parse(WHOLE).transcribers
    spare = "spare_transcriber: {plugin: openai, model: gpt-4o-mini-transcribe, callers: [us]}\n"
    first, second = Catalogue.parse(WHOLE + spare).transcribers
    assert first == only
    assert (second.provider, second.model, second.callers) == ("openai", "gpt-4o-mini-transcribe", ("us",))
    [problem] = problems(WHOLE + "spare_transcriber: {plugin: elevenlabs, model: scribe}\n")
    assert "unknown stt plugin 'elevenlabs'" in problem


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
        (
            "model: flash",
            "model: flash, options: {voice_settings: {stability: 2, similarity_boost: 0.8}}",
            "6:83: must be from 0 to 1, is 2",
        ),
        (
            "model: flash",
            "model: flash, options: {voice_settings: {stabilty: 0.5, similarity_boost: 0.8}}",
            "6:72: unknown key 'stabilty', did you mean 'stability'?",
        ),
        (
            "model: flash",
            "model: flash, options: {voice_settings: {stability: 0.5}}",
            "6:71: `similarity_boost` is missing",
        ),
        (
            "model: flash",
            "model: flash, options: {voice_settings: calm}",
            "6:71: must be a mapping, is text",
        ),
        (
            "model: flash",
            "model: flash, options: {voice_settings: {stability: 1, similarity_boost: 1, use_speaker_boost: 1}}",
            "6:126: must be true or false, is a whole number",
        ),
        (
            "model: gpt-4.1-nano",
            "model: gpt-4.1-nano, options: {voice_settings: {stability: 1}}",
            "10:76: an option is text, a number, true or false",
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


def test_a_realtime_engine_may_be_asked_for_its_reply_ahead_of_the_end_of_a_turn() -> None:
    eager = "  eager: {kind: realtime, model: {plugin: openai, model: gpt-realtime}, previews: true}\n"
    assert Catalogue.parse(WHOLE + eager).engines["eager"].previews
    assert not Catalogue.parse(WHOLE + eager.replace(", previews: true", "")).engines["eager"].previews
    [cascade] = problems(WHOLE + "    previews: true\n")
    assert "unknown key 'previews'" in cascade
    model = "model: {plugin: google, model: gemini-2.5-flash}"
    [gemini] = problems(WHOLE + f"  live: {{kind: realtime, {model}, previews: true}}\n")
    assert gemini.endswith("what models of google were asked cannot be taken back: they preview nothing")


def test_a_cascade_may_hear_how_the_caller_sounds_and_answer_in_another_voice() -> None:
    spec = Catalogue.parse(WHOLE + "    audio_aware: true\n    voices_when: {upset: [house]}\n").engines[
        "fast"
    ]
    assert (spec.audio_aware, spec.voices_when) == (True, {"upset": ("house",)})
    [unheard] = problems(WHOLE + "    voices_when: {upst: [house]}\n")
    assert "nobody is heard to sound 'upst', did you mean 'upset'?" in unheard
    [voiceless] = problems(WHOLE + "    voices_when: {upset: []}\n")
    assert "who sounds upset needs a voice too" in voiceless


OTHER = """  other:
    kind: cascade
    model: {plugin: openai, model: gpt-4.1-mini}
    voices: [house]
"""


def test_a_cascade_may_be_hedged_by_another() -> None:
    hedged = WHOLE + "    hedge_ms: 600\n    hedge_with: other\n" + OTHER
    spec = Catalogue.parse(hedged).engines["fast"]
    assert (spec.hedge_s, spec.hedge_with) == (0.6, "other")
    other = Catalogue.parse(hedged).engines["other"]
    assert (other.hedge_s, other.hedge_with) == (None, None)


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ("hedge_ms: 600, hedge_with: othr", "unknown other cascade engine 'othr', did you mean 'other'?"),
        ("hedge_ms: 600, hedge_with: fast", "unknown other cascade engine 'fast'"),
        ("hedge_with: other", "nobody is asked besides without `hedge_ms`, which says when"),
        ("hedge_ms: 4000", "must be less than `first_reply_ms`, which is 4000"),
        ("hedge_ms: 5", "must be from 50 to 10000, is 5"),
    ],
)
def test_a_hedge_that_cannot_be_is_a_complaint(keys: str, complaint: str) -> None:
    lines = "".join(f"    {key}\n" for key in keys.split(", "))
    [problem] = problems(WHOLE + lines + OTHER)
    assert complaint in problem


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
