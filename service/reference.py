"""The reference pages in ``docs/reference``, made from the code they describe.

``python -m service.reference`` writes them; ``tests/unit/test_docs.py`` fails when one differs from what stands here.
Meanings come from docstrings where the code has them. The keys of policies and catalogues are read key by key, so
their meanings stand here, and the same test compares them with the keys that the readers accept.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from engines.people import TransferWords
from router.keys import POLICY_KEYS, TEST_KEYS, Key

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "reference"
_NOTE = (
    "This page is written by `python -m service.reference` from `{source}`; a test fails when they differ.\n"
)

Keys = Mapping[str, str]
"""Key → meaning."""

CATALOGUE_KEYS: Mapping[str, Keys] = {
    "the catalogue": {
        "version": "1: the version of this format",
        "instructions": "what every engine is told about its task; the language models read it, callers never hear it",
        "greeting": "what every call begins with, spoken by the first cascade; what must be disclosed follows it",
        "offer": "what the greeting ends with, unless it ends with a question about consent; by default nothing",
        "endpointing_ms": "silence in ms after which a caller's turn counts as over: 100 to 3,000, by default 300",
        "transcriber": "a component with an `stt` plugin: hears the whole call, whatever engine answers",
        "spare_transcriber": "another, best of another vendor, which hears the caller when that one fails; by default "
        "none",
        "voices": "name → a component with a `tts` plugin",
        "engines": "name → an engine; at least one must be a cascade",
        "decisions": "the decision model that answers a policy's `questions`; without it they stay unknown",
        "hosts": "the only hosts that components may reach; without it, any",
    },
    "an engine": {
        "kind": "`cascade` (recogniser, language model, voice), `realtime` (speech to speech), `half_cascade` (a "
        "realtime model hears the caller and answers in text, a voice speaks it) or `duplex` (a model that hears and "
        "speaks at once and takes turns by itself: it keeps the call); `human` is a person, see below",
        "model": "a component: with an `llm` plugin for a cascade, a `realtime` plugin otherwise",
        "voices": "names of voices in order of preference, at least one; a realtime engine has none",
        "voices_when": "of a cascade: other voices, or the same in another style, for callers whose voice is `upset`",
        "audio_aware": "of a cascade: whether its model is told how the caller sounds; by default false",
        "tools": "whether it may use the tools of the MCP servers; by default false",
        "first_reply_ms": "how long in ms the model may stay silent before the turn goes to another engine: "
        "200 to 30,000, by default 4,000",
        "hedge_ms": "of a cascade: after how many ms without a token another is asked too, and the first to begin "
        "answers: 50 to 10,000; by default no other is asked",
        "hedge_with": "which other cascade; by default the one that would take over if this one failed",
        "previews": "of a realtime engine or half-cascade: whether it is asked for its reply when the caller falls "
        "silent, before the turn is certain to be over; wrong ones are billed, one a turn at most; by default false",
    },
    "a person": {
        "kind": "`human`: somebody who is fetched to the line",
        "transfer": "the ways, in order; one or a list: `warm` (told what it is about, then connected), `blind` (the "
        "caller is passed on by SIP REFER), `callback` (the caller leaves a number)",
        "to": "who is asked, in order; one or a list: `room:NAME` or `room:NAME#IDENTITY` (a LiveKit room in which "
        "somebody waits), `tel:+NUMBER`, `sip:USER@HOST`, or `env:VARIABLE`, which holds one of these",
        "wait_ms": "how long in ms one of them is given to come, and to take the call: 1,000 to 600,000, else 30,000",
        "accept": "what shows that somebody is there: their `voice` (the default), a `key`, or nothing, `at_once`",
        "returns": "whether a machine takes the call back when the person leaves; else it ends; by default true",
        "summary": "a cascade whose model writes the summary, from redacted words; by default no model does",
        "words": "what callers and people hear, by occasion: "
        + ", ".join(f"`{field.name}`" for field in fields(TransferWords)),
    },
    "`decisions`": {
        "model": "a component with a `decisions` plugin; it is sent the last twenty lines of the conversation",
        "timeout_ms": "how long in ms an answer may take: 50 to 10,000, by default 800",
        "most_per_call": "requests in one call, which is what limits their cost: by default 60",
    },
    "a component": {
        "plugin": "see *Plugins*",
        "preset": "instead of `plugin`: a provider by its name, see *Presets*",
        "model": "the model's name, as its vendor writes it",
        "base_url": "another server that speaks the same protocol, such as `http://10.0.0.7:8000/v1`; it is sent no "
        "vendor's key, so it needs `api_key_env` or `keyless`",
        "api_key_env": "the variable that holds the key, when it is not the plugin's or the preset's own",
        "keyless": "whether the server at `base_url` takes everybody: then no key is sent; by default false",
        "provider": "under which name its use is priced, recorded and counted; by default the preset's, `self-hosted` "
        "for a `keyless` server, the host of another's address, else the plugin's",
        "callers": "the region, or a list of regions, whose callers it may serve; by default everybody's",
        "needs": "the consents, one or a list, without which it is given nothing",
        "options": "further arguments of the plugin: text, numbers, true or false; of an ElevenLabs voice also "
        "`voice_settings`, a mapping; of a realtime model also "
        "`own_transcript`, the vendor's model that writes down what the engine heard",
    },
}
"""What the engine catalogue may say, by the kind of thing that says it."""

PRICE_KEYS: Mapping[str, Keys] = {
    "the price book": {
        "version": "2: the version of this format",
        "as_of": "the day on which the prices were looked up",
        "source": "where",
        "prices": "what calls are billed by: `provider/model`, or `provider/*` for a provider's other models → a price",
        "sets": "other lists to compare with, by name",
    },
    "a set": {
        "as_of": "the day on which its prices were looked up",
        "source": "where",
        "prices": "as above",
    },
    "a price": {
        "as_of": "another day than its list's",
        "source": "another place; all other keys are units",
    },
}
"""What the price book may say, by the kind of thing that says it."""


# -- pages --------------------------------------------------------------------------------------------------
def events_markdown() -> str:
    """Every kind of event: its fields, their JSON types and units, and which are masked before they are kept."""
    from compliance.events import EVENT, Event
    from compliance.oversight import OVERSIGHT, OversightEvent

    kinds = get_args(get_args(Event)[0])
    schemas = EVENT.json_schema(mode="serialization")["$defs"]
    links = {kind.__name__: kind.model_fields["kind"].default for kind in kinds}
    parts = [
        "# Events\n",
        "Everything said, decided, spent and waited for in a call, in the order in which it was recorded. The ledger "
        "stores an event as RFC 8785 canonical JSON.\n\nEvery event has `kind`, `call_id` and `at_ms`. Times named "
        "`*_ms` are milliseconds since the call was answered, unless they name a duration. *Masked* fields are the "
        "only ones that may hold a caller's data. What identifies a person in them is masked before they are kept: in "
        "*spoken* ones by what is said and what was asked for, in *data*, a JSON value, also by the names in it.\n",
        _table(
            ("event", "when"),
            (
                (f"[`{links[kind.__name__]}`](#{links[kind.__name__]})", _first_line(_doc(kind)))
                for kind in kinds
            ),
        ),
    ]
    parts += _event_sections(kinds, schemas, links)
    overseen = get_args(get_args(OversightEvent)[0])
    links |= {kind.__name__: kind.model_fields["kind"].default for kind in overseen}
    parts += [
        "# Events about the record\n",
        "Who looked, what is held, what was erased: events of the same log, of no call. Every one has `kind`, "
        "`call_id` (the call it is about, or empty), `at` (UTC, ISO 8601), `actor` and `role`.\n",
        *_event_sections(overseen, OVERSIGHT.json_schema(mode="serialization")["$defs"], links),
    ]
    return _page(parts, "compliance/events.py` and `compliance/oversight.py")


def _event_sections(
    kinds: Iterable[type[BaseModel]], schemas: Mapping[str, Any], links: Mapping[str, str]
) -> Iterator[str]:
    """A section for each kind of event."""
    for kind in kinds:
        name = kind.model_fields["kind"].default
        text = re.sub(
            r":class:`(\w+)`",
            lambda found: (
                f"[`{links[found[1]]}`](#{links[found[1]]})" if found[1] in links else f"`{found[1]}`"
            ),
            _doc(kind),
        )
        yield f"## {name}\n"
        yield _plain(text) + "\n"
        if rows := list(_event_rows(kind, schemas[kind.__name__]["properties"])):
            yield _table(("field", "JSON type", "unit", "kept", "meaning"), rows)


def settings_markdown() -> str:
    """Every setting of the environment, and the keys that the vendors' plugins read."""
    import service.cli  # noqa: F401 # first: it quietens what the classifiers import
    from engines.keys import KEY_ENVIRONMENT
    from engines.plugins import PLUGINS
    from service.doctor import ROOM
    from service.settings import Settings

    described = _field_docs(Settings)
    properties = Settings.model_json_schema()["properties"]
    rows = (
        (
            f"`PATCHBAY_{name.upper()}`",
            _json_type(properties[name]),
            _default(info.default),
            _plain(described.get(name, "")),
        )
        for name, info in Settings.model_fields.items()
    )
    keys = (
        (
            f"`{variable}`",
            f"`{plugin}`",
            ", ".join(role for role, plugins in PLUGINS.items() if plugin in plugins),
        )
        for plugin, variable in KEY_ENVIRONMENT.items()
    )
    return _page(
        [
            "# Settings\n",
            "Patchbay is configured by its environment; `patchbay doctor` says what it makes of it. Paths are relative "
            "to the current folder; the defaults that ship with Patchbay are given relative to the repository.\n",
            _table(("variable", "type", "default", "meaning"), rows),
            "## Keys\n",
            "Secrets are read by the plugins and never stored or printed. Where a key is not set, the lab stands in "
            "for its provider, in rooms only where `patchbay worker --simulated` asks for it; for Google it cannot. "
            "`api_key_env` in the catalogue names another variable, a `preset` "
            "brings its own, and a `keyless` server is sent none; no vendor's key goes to another's address.\n",
            _table(("variable", "plugin", "used for"), keys),
            "## LiveKit\n",
            f"`patchbay worker` answers rooms of the server that {_listed(ROOM)} name. Nothing else needs them.\n",
        ],
        "service/settings.py` and `engines/plugins.py",
    )


def commands() -> Mapping[str, Any]:
    """Every command by what is typed after ``patchbay``, those of groups as ``policy check``."""
    from typer.main import get_command

    from service.cli import app

    def within(group: Any, before: str) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from within(command, f"{before}{name} ")
            else:
                yield f"{before}{name}", command

    return dict(within(get_command(app), ""))


def commands_markdown() -> str:
    """Every command of ``patchbay`` with its arguments, options and what its exit status says."""
    from typer.main import get_command

    from service.cli import app

    root = get_command(app)
    parts = [
        "# Commands\n",
        f"{root.help}\n\n`patchbay --help` and `patchbay COMMAND --help` say the same.\n",
        _table(
            ("command", "what it does"),
            (
                (f"[`{name}`](#patchbay-{name.replace(' ', '-')})", _first_line(command.help))
                for name, command in commands().items()
            ),
        ),
        "Options before the command:\n",
        _table(("option", "type", "default", "meaning"), _option_rows(root.params)),
        "Exit status: 0 when all is well; 1 when a promise was broken or a finding is a problem; 2 when the command "
        "could not do its work, with the reason on standard error; 130 when it was interrupted.\n",
    ]
    for name, command in commands().items():
        takes = " ".join(_metavar(p) for p in command.params if p.param_type_name == "argument")
        usage = " ".join(
            filter(None, ("patchbay", name, "[OPTIONS]" if _option_rows(command.params) else "", takes))
        )
        more = " MODE [ARGUMENTS]" if command.context_settings.get("allow_extra_args") else ""
        parts += [f"## patchbay {name}\n", f"```\n{usage}{more}\n```\n", f"{command.help}\n"]
        if arguments := [
            (f"`{_metavar(p).strip('[]').removesuffix('...')}`", _json_name(p), p.help)
            for p in command.params
            if p.param_type_name == "argument"
        ]:
            parts.append(_table(("argument", "type", "meaning"), arguments))
        if options := _option_rows(command.params):
            parts.append(_table(("option", "type", "default", "meaning"), options))
    return _page(parts, "service/cli")


def _metavar(argument: Any) -> str:
    """An argument as usage lines write it."""
    return str(argument.metavar or argument.name.upper())


def catalogue_markdown() -> str:
    """The keys of the engine catalogue and the price list, the plugins by role, and the units of prices."""
    from engines.plugins import PLUGINS
    from engines.presets import PRESETS
    from engines.prices import ELSE, UNITS

    parts = [
        "# Engine catalogue and prices\n",
        "`policies/engines.yaml` says what can answer a turn, `policies/prices.yaml` what it costs. Both are checked "
        "when they are read, and every problem is listed as `file:line:column: message`. "
        "[How to change them](../how-to/operate.md).\n",
    ]
    for what, keys in CATALOGUE_KEYS.items():
        parts += [f"## Keys of {what}\n", _key_table(keys)]
    plugins = ((f"`{role}`", _listed(named)) for role, named in PLUGINS.items())
    presets = (
        (f"`{name}`", f"`{one.plugin}`", _listed(one.roles), f"`{one.base_url}`", f"`{one.api_key_env}`")
        for name, one in PRESETS.items()
    )
    units = (
        (f"`{unit}`", "1,000,000" if per == 1e6 else f"{per:g}", f"`{ELSE[unit]}`" if unit in ELSE else "")
        for unit, per in UNITS.items()
    )
    parts += [
        "## Plugins\n",
        "LiveKit's plugins, unmodified, by what they are used for.\n",
        _table(("role", "plugins"), plugins),
        "## Presets\n",
        "[How to use them, and servers of one's own](../how-to/choose-engines.md).\n",
        _table(("preset", "plugin", "roles", "address", "key"), presets),
        "## Keys of the price list\n",
        *(f"**{what}**\n\n{_key_table(keys)}" for what, keys in PRICE_KEYS.items()),
        "A use without a price costs nothing in the record, which marks it: price every model that the catalogue "
        "names.\n",
        "## Units of prices\n",
        _table(
            ("unit", "a price, in US dollars, is for this many", "without one it costs what this does"), units
        ),
    ]
    return _page(parts, "engines/catalogue.py`, `engines/plugins.py` and `engines/prices.py")


def policy_markdown() -> str:
    """The keys of a policy and of its tests."""
    parts = [
        "# Policy\n",
        "A policy says which engine answers a turn. Conditions are [CEL](https://cel.dev) expressions over the "
        "[signals](signals.md), `p.NAME` for a param and `NAME` for a derived signal. `policies/default.yaml` is the "
        "one that runs unless told otherwise. [How to change it](../how-to/operate.md).\n",
        "A decision goes through these stages, and an engine that a guard denied stays denied in all of them:\n\n"
        "1. derived signals are smoothed;\n2. guards deny engines or force one;\n"
        "3. the first rule that matches and whose engine is allowed chooses;\n"
        "4. `min_turns` and `stability` may keep the engine in charge;\n"
        "5. an engine that is unhealthy is replaced from its fallbacks.\n",
    ]
    tests = [
        "## Tests\n",
        "Tests stand beside the policy, `default.test.yaml` beside `default.yaml`; `patchbay policy test` runs them. "
        "A case is a test of one turn, a scenario of several. What a test does not expect, it does not check.\n",
    ]
    return _page([*parts, *_kinds(POLICY_KEYS), *tests, *_kinds(TEST_KEYS)], "router/keys.py")


def _kinds(kinds: Mapping[str, Mapping[str, Key]]) -> Iterator[str]:
    """A table of keys for each kind of thing."""
    for what, keys in kinds.items():
        meanings = {name: key.meaning + ("; required" if key.required else "") for name, key in keys.items()}
        yield f"## Keys of {what}\n"
        yield _key_table(meanings)


def signals_markdown() -> str:
    """What the conditions of a policy may ask about."""
    from router.signals import markdown_table

    return _page(
        [
            "# Signals\n",
            "What a condition in a [policy](policy.md) may ask about. All are known when the caller stops speaking; "
            "those that are not known have the value in the column *unknown*. None of them holds the caller's words.\n",
            "In CEL, whole numbers and numbers with a decimal point are different types: write `emotion.upset > 0.5` "
            "and `turn.count > 2`, and `1.0` rather than `1` where a number is meant. An engine that you add to the "
            "engine catalogue has its own `provider.NAME_healthy` and `provider.NAME_p95_ms`.\n",
            markdown_table(),
            "Beside these, conditions may use the policy's own names: `p.NAME` for a param and `NAME` for a derived "
            "signal.\n",
        ],
        "router/signals.py",
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "catalogue.md": catalogue_markdown,
    "commands.md": commands_markdown,
    "events.md": events_markdown,
    "policy.md": policy_markdown,
    "settings.md": settings_markdown,
    "signals.md": signals_markdown,
}
"""The reference pages by file name."""


# -- pieces -------------------------------------------------------------------------------------------------
def _page(parts: Iterable[str], source: str) -> str:
    return "\n".join((*parts, _NOTE.format(source=source)))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _key_table(keys: Keys) -> str:
    return _table(("key", "meaning"), ((f"`{key}`", meaning) for key, meaning in keys.items()))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _doc(thing: object) -> str:
    return inspect.getdoc(thing) or ""


def _first_line(text: str) -> str:
    return text.split("\n")[0]


def _plain(text: str) -> str:
    """reStructuredText's inline code as Markdown's."""
    return re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split()) if "\n\n" not in text else text)


def _field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The docstrings below the fields of ``model``; Python itself does not keep them."""
    (definition,) = ast.parse(inspect.getsource(model)).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    described = {}
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    described[field.target.id] = inspect.cleandoc(text)
    return described


def _event_rows(kind: type[BaseModel], properties: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    from compliance.events import Redactable

    described = _field_docs(kind)
    for name, info in kind.model_fields.items():
        if name in ("kind", "call_id", "at_ms", "at", "actor", "role"):
            continue
        masked = next((mark for mark in info.metadata if isinstance(mark, Redactable)), None)
        kept = "as it is" if masked is None else f"**masked** ({masked})"
        yield f"`{name}`", _json_type(properties[name]), _unit(name), kept, _plain(described.get(name, ""))


def _unit(name: str) -> str:
    """The unit that a name ends with."""
    return {"ms": "ms", "us": "µs", "usd": "US dollars", "hz": "Hz"}.get(name.rsplit("_")[-1], "")


def _json_type(schema: Mapping[str, Any]) -> str:
    """A JSON schema in words, such as ``number, 0 to 1``."""
    match schema:
        case {"enum": choices}:
            return _listed(choices)
        case {"anyOf": choices}:
            return " or ".join(_json_type(choice) for choice in choices)
        case {"type": "array", "items": {"prefixItems": [*items]}}:
            return f"array of [{', '.join(_json_type(item) for item in items)}]"
        case {"type": "array", "items": items}:
            return f"array of {_json_type(items)}"
        case {"type": "object", "additionalProperties": values}:
            return f"object: name → {_json_type(values)}"
        case {"format": "path"}:
            return "path"
        case {"minimum": least, "maximum": most}:
            return f"{schema['type']}, {least:g} to {most:g}"
        case {"minimum": least}:
            return f"{schema['type']}, at least {least:g}"
        case {"exclusiveMinimum": least}:
            return f"{schema['type']}, above {least:g}"
    return str(schema.get("type", "any JSON value"))


def _default(value: object) -> str:
    match value:
        case "" | None:
            return "none"
        case Path() if value.is_relative_to(ROOT):
            return f"`{value.relative_to(ROOT).as_posix()}`"
        case bool():
            return f"`{str(value).lower()}`"
    return f"`{value}`"


def _json_name(parameter: Any) -> str:
    """The type of a command's parameter in words."""
    kind: type = parameter.type_descriptor.annotation
    if parameter.min is not None:
        return f"{kind.__name__}, {parameter.min} to {parameter.max}"
    if choices := get_args(kind):
        return _listed(choices)
    return {"str": "text", "Path": "path", "bool": "flag"}.get(kind.__name__, kind.__name__)


def _option_rows(parameters: Iterable[Any]) -> list[tuple[str, ...]]:
    return [
        (
            _listed((*p.opts, *p.secondary_opts)),
            _json_name(p),
            "" if p.default in (False, None, "") else f"`{p.default}`",
            p.help,
        )
        for p in parameters
        if p.param_type_name == "option" and p.name not in ("help", "install_completion", "show_completion")
    ]


def main() -> int:
    """Write every page; returns the exit status."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
