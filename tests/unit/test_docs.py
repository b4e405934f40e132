"""The documentation says what the code does: pages are generated or compared, examples run, links lead somewhere."""

import ast
import importlib.util
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest

from compliance.events import CallEnded, Event, PartFailed, redactable
from compliance.ledger import Ledger, verifier
from compliance.ledger.keys import KEY_FILE_VARIABLE, KEYS_VARIABLE
from compliance.oversight import OversightEvent
from compliance.redaction.policy import RedactionPolicy
from engines import catalogue as catalogue_reader
from engines import entries as entries_reader
from engines import people as people_reader
from engines import prices as prices_reader
from engines.catalogue import Catalogue
from engines.circuits import OF_A_CALL, Limits
from engines.keys import KEY_ENVIRONMENT
from engines.plugins import PLUGINS
from engines.prices import UNITS, Prices
from engines.trial import try_out
from engines.wording import Wording
from policies import Document, DocumentError, shipped
from router import Policy, cases, gate_reader, rule_reader
from router import reader as policy_reader
from router.cases import reading as tests_reader
from router.keys import POLICY_KEYS, TEST_KEYS
from router.lint import Severity, lint
from router.signals import CATALOGUE
from service import reference
from service.latency import STAGES
from service.settings import Settings
from tests.forged import unguarded
from tests.pages import Snippet, snippets, text_of, with_written_in

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
HOW_TO = ROOT / "docs" / "how-to"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEST_COMMAND = "uv run --all-extras pytest -n 2"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def generated(page: str) -> str:
    return (reference.FOLDER / page).read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page that are in ``language``."""
    return [code for lang, code in _FENCE.findall(page.read_text(encoding="utf-8")) if lang == language]


# -- the reference ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("page", reference.PAGES)
def test_a_reference_page_is_what_the_code_says(page: str) -> None:
    assert generated(page) == reference.PAGES[page](), "stale: run `python -m service.reference`"


def test_every_page_of_the_reference_is_generated() -> None:
    assert {path.name for path in reference.FOLDER.iterdir()} == set(reference.PAGES)


def test_no_page_of_the_reference_names_a_place_on_this_machine() -> None:
    assert not [page for page in reference.PAGES if str(ROOT) in generated(page)]


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_every_setting_is_documented(setting: str) -> None:
    (row,) = [
        line for line in generated("settings.md").splitlines() if f"`PATCHBAY_{setting.upper()}`" in line
    ]
    assert row.removesuffix(" |").split(" | ")[-1].strip(), f"{setting} has no docstring"


@pytest.mark.parametrize(
    "kind",
    [kind for union in (Event, OversightEvent) for kind in get_args(get_args(union)[0])],
    ids=lambda kind: kind.__name__,
)
def test_every_event_is_documented_with_what_is_masked_in_it(kind: type[Event]) -> None:
    name = kind.model_fields["kind"].default
    _, section = generated("events.md").split(f"\n## {name}\n")
    section = section.split("\n## ")[0]
    masked = redactable(kind.model_construct())
    for field in kind.model_fields.keys() - {"kind", "call_id", "at_ms", "at", "actor", "role"}:
        (row,) = [line for line in section.splitlines() if line.startswith(f"| `{field}` |")]
        assert ("**masked**" in row) == (field in masked)


def test_every_command_and_option_is_documented() -> None:
    page = generated("commands.md")
    for name, command in reference.commands().items():
        _, section = page.split(f"\n## patchbay {name}\n")
        for option in options(command) - {"--help"}:
            assert f"`{option}`" in section.split("\n## ")[0], f"{name} {option}"


@pytest.mark.parametrize("signal", CATALOGUE)
def test_every_signal_is_documented(signal: str) -> None:
    assert f"| `{signal}` |" in generated("signals.md")


def test_every_plugin_key_and_unit_is_documented() -> None:
    page = generated("catalogue.md")
    for role, plugins in PLUGINS.items():
        assert f"| `{role}` | {', '.join(f'`{plugin}`' for plugin in plugins)} |" in page
    assert not [unit for unit in UNITS if f"| `{unit}` |" not in page]
    assert not [key for key in KEY_ENVIRONMENT.values() if f"`{key}`" not in generated("settings.md")]


def accepted(module: Any) -> set[frozenset[str]]:
    """The sets of keys that the readers of ``module`` accept: what they pass to ``Node.only``."""
    texts = {
        name: frozenset(value)
        for name, value in vars(module).items()
        if isinstance(value, tuple) and value and all(isinstance(item, str) for item in value)
    }
    found = set()
    for call in ast.walk(ast.parse(inspect.getsource(module))):
        match call:
            case ast.Call(func=ast.Attribute(attr="only"), args=[ast.Name(id=name)]) if name in texts:
                found.add(texts[name])
            case ast.Call(func=ast.Attribute(attr="only"), args=[ast.Tuple() as keys]):
                constants = (part for part in ast.walk(keys) if isinstance(part, ast.Constant))
                found.add(frozenset(part.value for part in constants if isinstance(part.value, str)))
    return found


def test_the_keys_documented_are_those_that_the_readers_accept() -> None:
    readers = (catalogue_reader, entries_reader, people_reader)
    assert set.union(*map(accepted, readers)) == {
        frozenset(keys) for keys in reference.CATALOGUE_KEYS.values()
    }
    assert accepted(prices_reader) == {frozenset(keys) for keys in reference.PRICE_KEYS.values()}


def test_the_readers_of_policies_accept_the_keys_that_are_documented_and_no_others() -> None:
    modules = (policy_reader, gate_reader, rule_reader, tests_reader)
    readers = [ast.parse(inspect.getsource(module)) for module in modules]
    kinds = []
    for call in (part for tree in readers for part in ast.walk(tree)):
        match call:
            case ast.Call(func=ast.Attribute(attr="only"), args=[accepts]):
                kinds.append(ast.unparse(accepts))
    assert {*kinds} == {f"POLICY_KEYS[{kind!r}]" for kind in POLICY_KEYS} | {
        f"TEST_KEYS[{kind!r}]" for kind in TEST_KEYS
    }


# -- links --------------------------------------------------------------------------------------------------
def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in _HEADING.findall(text)
    }


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(there), f"{target} has no such heading"


def test_every_how_to_and_reference_page_is_linked_from_the_readme() -> None:
    linked = {(ROOT / target.partition("#")[0]).resolve() for target in _LINK.findall(README.read_text())}
    assert not {*HOW_TO.glob("*.md"), *reference.FOLDER.glob("*.md")} - linked


def test_the_picture_is_small_enough_to_load_at_once() -> None:
    assert (ROOT / "docs" / "images" / "report.png").stat().st_size < 300_000


# -- commands -----------------------------------------------------------------------------------------------
def options(command: Any) -> set[str]:
    return {option for p in command.params if p.param_type_name == "option" for option in p.opts} | {"--help"}


def command_lines() -> Iterator[tuple[str, str]]:
    """Every command in a shell block, and every one in code within a sentence, with its page."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for language, code in _FENCE.findall(text):
            if language == "sh":
                lines = code.replace("\\\n", " ").splitlines()
                yield from ((name_of(page), part) for line in lines for part in line.split("&&"))
        for code in re.findall(r"`([^`\n]+)`", _FENCE.sub("", text)):
            if code.startswith(("patchbay ", "just ", "python -m ", "uv run ")):
                yield name_of(page), code


def test_every_command_in_the_documentation_exists() -> None:
    commands = reference.commands()
    recipes = set(re.findall(r"^([\w-]+)(?: [\w* ]+)?:", (ROOT / "justfile").read_text(), re.MULTILINE))
    seen = set()
    for page, line in command_lines():
        words = shlex.split(line, comments=True)
        while words and (words[0] in ("uv", "run", "--all-extras") or re.match(r"[A-Z_]+=", words[0])):
            words = words[1:]
        if words[:1] == ["--extra"]:
            words = words[2:]
        match words:
            case ["patchbay", first, *arguments]:
                group = any(name.startswith(f"{first} ") for name in commands)
                if first.isupper() or first.startswith("-") or (group and not arguments):
                    continue
                prefixes = (" ".join(words[1:end]) for end in range(len(words), 1, -1))
                name = next((prefix for prefix in prefixes if prefix in commands), "")
                assert name, f"{page}: {line}"
                given = {argument for argument in arguments if argument.startswith("--")}
                if name != "worker":  # its arguments are LiveKit's
                    assert given <= options(commands[name]), f"{page}: {line}"
                seen.add(name)
            case ["just", recipe, *_]:
                assert recipe in recipes, f"{page}: {line}"
            case ["python", "-m", module, *_]:
                assert importlib.util.find_spec(module), f"{page}: {line}"
    assert seen >= {"demo", "call", "worker", "doctor"}


def test_the_readme_holds_the_two_commands() -> None:
    lines = [line for code in blocks(README, "sh") for line in code.splitlines()]
    assert lines[:2] == ["pip install uv && uv run --extra lab patchbay demo", TEST_COMMAND]
    assert TEST_COMMAND in (ROOT / "justfile").read_text()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_setting_that_is_mentioned_exists(page: Path) -> None:
    mentioned = set(re.findall(r"PATCHBAY_([A-Z]\w*)", page.read_text(encoding="utf-8")))
    secrets = {name.removeprefix("PATCHBAY_") for name in (KEYS_VARIABLE, KEY_FILE_VARIABLE)}
    assert mentioned <= {name.upper() for name in Settings.model_fields} | secrets


# -- examples -----------------------------------------------------------------------------------------------
PAGES_TO_FOLLOW = (
    *("operate.md", "change-a-policy.md", "choose-engines.md", "hand-over-to-people.md"),
    *("consent.md", "change-redaction.md", "train-classifiers.md"),
)
ADDED = [(page, snippet) for page in PAGES_TO_FOLLOW for snippet in snippets(text_of(page))]
RECIPES = dict(
    part.split("\n", 1)
    for part in re.split(
        r"^## \d+\. ", (HOW_TO / "policy-cookbook.md").read_text("utf-8"), flags=re.MULTILINE
    )[1:]
)


def read(document: str, added: list[Snippet], folder: Path, *, build: bool = True) -> None:
    """Read a shipped document with snippets in it; policies may name the engines among them, which are built.

    Raises:
        DocumentError: it has problems.
        EngineNotConfiguredError: a plugin refuses what it says.
    """
    text = with_written_in(document, added)
    match document:
        case "default":
            engines = Catalogue.parse(with_written_in("engines", added)).names
            Policy.parse(text, engines=engines)
        case "default.test":
            cases.read(Document.parse(text), Policy.parse(with_written_in("default", added)))
        case "engines":
            catalogue = Catalogue.parse(text)
            if build:  # which takes a while
                try_out(catalogue)
        case "prices" | "redaction":
            path = folder / f"{document}.yaml"
            path.write_text(text, encoding="utf-8")
            (Prices if document == "prices" else RedactionPolicy).load(path)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # when google.genai is compiled
@pytest.mark.parametrize(
    ("page", "snippet"), [pytest.param(page, one, id=f"{page} {one.label}") for page, one in ADDED]
)
def test_what_operators_are_told_to_write_is_read_without_a_problem(
    page: str, snippet: Snippet, tmp_path: Path
) -> None:
    """By itself; a policy beside what its page adds to the engines, an engine beside the voices there."""
    catalogue = [one for one in snippets(text_of(page)) if one.document == "engines" and one != snippet]
    beside = [one for one in catalogue if snippet.document != "engines" or one.section == "voices"]
    listed = [
        one for one in snippets(text_of(page)) if one.section == "engines" and one.document == "default"
    ]
    if snippet.document == "default" and snippet not in listed:
        beside += listed
    read(snippet.document, [*beside, snippet], tmp_path, build=snippet.section is None)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@pytest.mark.parametrize("page", PAGES_TO_FOLLOW)
def test_a_page_that_is_followed_from_beginning_to_end_leaves_documents_that_are_read_and_built(
    page: str, tmp_path: Path
) -> None:
    added = snippets(text_of(page))
    for document in sorted({one.document for one in added}):
        read(document, added, tmp_path)


def test_the_cookbook_has_twelve_recipes() -> None:
    assert len(RECIPES) == 12


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_does_what_its_tests_say_and_breaks_none_of_the_default_policys(recipe: str) -> None:
    added = snippets(RECIPES[recipe])
    policy = Policy.parse(
        with_written_in("default", added), engines=Catalogue.load(shipped("engines.yaml")).engines
    )
    tests = cases.read(Document.parse(with_written_in("default.test", added)), policy)
    results = [cases.run(policy, test) for test in tests]
    own = sum(one.text.count("- name:") for one in added if one.document == "default.test")
    assert own > 0
    assert [result.scenario.name for result in results[:own] if not result.passed] == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_leaves_nothing_for_lint_to_complain_of(recipe: str) -> None:
    policy = Policy.parse(with_written_in("default", snippets(RECIPES[recipe])))
    assert [finding for finding in lint(policy.content).findings if finding.severity is Severity.ERROR] == []


def test_every_document_that_operators_edit_has_an_example() -> None:
    assert {one.document for _, one in ADDED} == {"default", "default.test", "engines", "prices", "redaction"}


def test_the_errors_shown_are_those_of_the_policy_shown() -> None:
    (policy,) = [code for code in blocks(HOW_TO / "operate.md", "yaml") if code.startswith("policy:")]
    (shown,) = blocks(HOW_TO / "operate.md", "text")
    with pytest.raises(DocumentError) as error:
        Policy.parse(policy, file="mine.yaml", engines=Catalogue.load(shipped("engines.yaml")).engines)
    assert str(error.value) == shown.strip()


def test_support_teams_are_told_what_the_caller_hears() -> None:
    page = (HOW_TO / "support.md").read_text(encoding="utf-8")
    wording = Wording()
    spoken = (
        *wording.about_delays,
        wording.cannot_help,
        wording.recorded_words,
    )
    assert not [words for words in spoken if f'"{words.strip()}"' not in page]


def test_support_teams_are_told_when_a_provider_is_left_alone_and_for_how_long() -> None:
    page = " ".join(text_of("support.md").split())
    of_all = Limits()
    assert (OF_A_CALL.in_a_row, OF_A_CALL.longest_cool_down_s / 60, of_all.longest_cool_down_s / 60) == (
        1,
        4,
        4,
    )
    assert f"after {OF_A_CALL.cool_down_s:g} seconds, a fifth more or less" in page
    assert OF_A_CALL.jitter == of_all.jitter == 1 / 5
    assert (of_all.in_a_row, of_all.failure_rate, of_all.window_calls, of_all.window_s) == (3, 0.5, 20, 60)
    assert "three failures in a row, or half of the last twenty requests within a minute" in page
    assert (of_all.least_calls, of_all.successes) == (6, 1)
    assert f"after {of_all.cool_down_s:g} seconds, likewise doubled" in page


def test_support_teams_are_told_what_the_parts_of_a_wait_are() -> None:
    page = (HOW_TO / "support.md").read_text(encoding="utf-8")
    assert not [stage for stage in STAGES if f"*{stage.replace('_', ' ')}*" not in page]


async def test_the_simulator_test_of_the_contributors_page_passes() -> None:
    (code,) = blocks(HOW_TO / "develop.md", "python")
    namespace: dict[str, Any] = {}
    exec(compile(code, "develop.md", "exec"), namespace)  # noqa: S102 # the page's own example
    (test,) = [value for name, value in namespace.items() if name.startswith("test_")]
    await test()


# -- the auditor's recipe -----------------------------------------------------------------------------------
@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger with two calls that were on at the same time."""
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path)) as opened:
        for at_ms in range(4):
            for call_id in ("harbour", "straße"):
                opened.append(
                    PartFailed(
                        call_id=call_id, at_ms=at_ms, part="router", error="Fehlerchen ß", action="none"
                    )
                )
        opened.append(CallEnded(call_id="harbour", at_ms=9.5, reason="hung up", turns=0, cost_usd=0.25))
    return path


def check(path: Path) -> subprocess.CompletedProcess[str]:
    """Runs the script of the audit page with nothing but the standard library."""
    (script,) = [code for code in blocks(HOW_TO / "audit.md", "python") if code.startswith("import base64")]
    return subprocess.run(  # noqa: S603 # the page's own example
        [sys.executable, "-I", "-S", "-", str(path), "default"],
        input=script,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
        cwd=path.parent,
        env={"PYTHONUTF8": "1"},
    )


def test_the_recipe_by_hand_gives_the_checkpoint_whose_root_is_that_of_the_events(ledger: Path) -> None:
    done = check(ledger)
    assert done.returncode == 0, done.stderr
    with closing(Ledger.open(ledger)) as opened:
        assert done.stdout == opened.checkpoint()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET leaf = leaf || X'00' WHERE seq = 3",
        "UPDATE entries SET seq = 99 WHERE seq = 3",
        "DELETE FROM entries WHERE seq = 3",
        "DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)",
        "UPDATE heads SET note = replace(note, char(10), char(10) || '1')",
    ],
)
def test_the_recipe_by_hand_finds_what_was_tampered_with(ledger: Path, statement: str) -> None:
    with unguarded(ledger) as db:
        db.execute(statement)
    assert check(ledger).returncode == 1


def test_the_verifier_says_what_the_page_says(ledger: Path) -> None:
    page = (HOW_TO / "audit.md").read_text(encoding="utf-8")
    with closing(Ledger.open(ledger)) as opened:
        key = verifier.Key(opened.vkey)
    good = verifier.verify_ledger(ledger, key).sentence
    with unguarded(ledger) as db:
        db.execute("UPDATE entries SET leaf = CAST(leaf || X'00' AS BLOB) WHERE seq = 3")
    bad = verifier.verify_ledger(ledger, key).sentence
    for shown in (
        good.partition("events: ")[2].partition(" (root")[0],
        bad.partition(") ")[2].partition(";")[0],
    ):
        assert shown
        assert shown in page


# -- the changelog ------------------------------------------------------------------------------------------
def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# Changelog"
    versions = [line for line in lines if line.startswith("## ")]
    assert versions[0] == "## [Unreleased]"
    released = [
        re.fullmatch(r"## \[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d)", line) for line in versions[1:]
    ]
    assert all(released)
    order = [(tuple(map(int, found.groups()[:3])), found[4]) for found in released if found]
    assert order == sorted(order, reverse=True)
    kinds = {line for line in lines if line.startswith("### ")}
    assert kinds <= {
        f"### {kind}" for kind in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    }


def test_every_decision_has_a_number_and_fits_on_half_a_page() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    for number, page in enumerate(pages, start=1):
        text = page.read_text(encoding="utf-8")
        assert page.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        assert "**Decision.**" in text
        assert len(text.split()) <= 300
