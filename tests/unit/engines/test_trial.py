"""Every part of a catalogue built once: what a plugin refuses is known before anybody calls."""

from typing import Any

import pytest

from engines.catalogue import Catalogue
from engines.errors import EngineNotConfiguredError
from engines.plugins import Endpoint
from engines.trial import try_out
from policies import shipped

pytestmark = pytest.mark.unit

SHIPPED = shipped("engines.yaml").read_text(encoding="utf-8")


def test_the_shipped_catalogue_is_one_that_plugins_take() -> None:
    asked: list[Any] = []

    def endpoint(part: Any) -> Endpoint:
        asked.append(part)
        return Endpoint("key", part.base_url)

    catalogue = Catalogue.parse(SHIPPED)
    try_out(catalogue, endpoint)
    assert {id(part) for part in asked} == {id(part) for part in catalogue.components()}


def test_everything_that_plugins_refuse_is_named_with_its_place() -> None:
    wrong = SHIPPED.replace("options: {temperature: 0.3}", "options: {temprature: 0.3}")
    wrong = wrong.replace("options: {voice_id:", "options: {voice_ids:")
    catalogue = Catalogue.parse(wrong, file="engines.yaml")
    with pytest.raises(EngineNotConfiguredError) as refused:
        try_out(catalogue)
    lines = str(refused.value).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["engines.yaml", "voices.house"],
        ["engines.yaml", "engines.fast.model"],
        ["engines.yaml", "engines.standard.model"],
    ]
    assert all("cannot be built" in line for line in lines)
    assert "temprature" in lines[1]
