"""What the web application's tests share: everything that calls share, loaded once a worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from pydantic import SecretStr

from service.exchange import Exchange
from service.settings import Settings
from tests.patience import processes_take_their_time, shown_however_late
from tests.unit.service.web.rig import SITE
from tests.whole_call import without_settings

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    shown_however_late(monkeypatch)


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    folder = tmp_path_factory.mktemp("web")
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch)
        processes_take_their_time(patch)
        settings = Settings(
            ledger=str(folder / "ledger.sqlite"),
            stand_ins=dict.fromkeys(("openai", "deepgram", "elevenlabs", "google"), NOWHERE),
            web_site_token=SecretStr(SITE),
        )
        with closing(Exchange.load(settings, lab_only=True)) as loaded:
            yield loaded
