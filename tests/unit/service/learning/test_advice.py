"""What is advised against blindness is a policy that can be served, and that cures it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from policies import shipped
from router import Policy
from service.cli import app
from service.history import past_call
from service.learning.advice import PERCENT, experiment
from service.learning.chance import Propensities
from tests.unit.service.learning.lines import ABLE, BLIND, EXPLORING, Said, events_of

pytestmark = pytest.mark.unit


def with_added(policy: str, advice: str) -> str:
    """The policy with the experiments of ``advice`` among its own."""
    yaml = YAML()
    whole, added = yaml.load(policy), yaml.load(advice)
    whole["experiments"] = [*whole.get("experiments", []), *added["experiments"]]
    written = StringIO()
    yaml.dump(whole, written)
    return written.getvalue()


def test_the_advice_gives_the_turns_that_no_tool_engine_heard_a_chance() -> None:
    advice = experiment(Policy.parse(BLIND).content, {"quick": 9}, ABLE)
    policy = Policy.parse(with_added(BLIND, advice))
    call = past_call(events_of(policy, "call-1", [Said("hello", False, 0.1)]))
    assert call is not None
    assert Propensities(policy, ABLE).of(call) == pytest.approx({1: PERCENT / 100})


def test_the_default_policy_with_what_is_advised_for_it_passes_its_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shipped("default.yaml").read_text(encoding="utf-8")
    advice = experiment(Policy.parse(text).content, {"opening": 40}, {"tool", "standard", "realtime"})
    assert "rule: opening" in advice
    assert "route: tool" in advice, "realtime may be denied, and the tool engine never is"
    path = tmp_path / "mine.yaml"
    path.write_text(with_added(text, advice), encoding="utf-8")
    monkeypatch.setenv("PATCHBAY_POLICY", str(path))
    result = CliRunner().invoke(app, ["policy", "check"])
    assert result.exit_code == 0, result.output


def test_nothing_is_advised_that_could_not_be_added() -> None:
    taken = Policy.parse(EXPLORING).content
    assert experiment(taken, {"quick": 9}, ABLE) == "", "the rule is in an experiment already"
    blind = Policy.parse(BLIND).content
    assert experiment(blind, {"person": 9}, ABLE) == "", "a guard takes no experiment"
    assert experiment(blind, {"quick": 9}, {"elsewhere"}) == "", "no engine of the policy has tools"


def test_an_id_that_is_taken_is_not_advised_again() -> None:
    text = EXPLORING.replace("id: hear,", "id: hear-of-tools,").replace("rule: quick", "rule: tools")
    advice = experiment(Policy.parse(text).content, {"quick": 9}, ABLE)
    assert "id: hear-of-tools-2\n" in advice
    Policy.parse(with_added(text, advice))
