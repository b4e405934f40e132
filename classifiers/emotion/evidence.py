"""What the windows of a turn add up to, and what a caller's ordinary voice is like. Constant memory, pure Python."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from statistics import median

# Two standard deviations of how loud calm utterances of one speaker are (EmoDB, 1.0 to 2.6 dB), and two thirds of the
# step from a normal to a raised voice (6 dB: ANSI S3.5-1997, standard vocal efforts).
RAISED_DB = 4.0
REMEMBERED_WINDOWS = 60  # 30 s of ordinary speech: a caller who walks to another room is followed
BASELINE_WINDOWS = 4  # fewer are no baseline
# A caller whose calm windows read .12 or less has a voice like any other. What lies above is taken off their later
# windows, up to one unit of log-odds and only as far as it is known: on a line that is 4 dB an octave too bright, calm
# turns over .5 fell from 18 to 14 % and angry ones from 91 to 87 % (EmoDB, speakers left out, an earlier emotion
# model); on a plain line nothing changed.
ORDINARY_LOG_ODDS = -2.0
LARGEST_ALLOWANCE = 1.0
DOUBT_WINDOWS = 8  # so many calm windows are believed by half


@dataclass(frozen=True, slots=True)
class Window:
    """One window of speech as the model heard it: the log-odds that it is upset, and its voiced level in dBFS."""

    log_odds: float
    level_db: float


@dataclass(frozen=True, slots=True)
class Change:
    """A window against the caller's ordinary voice; ``level_db`` is None before enough of that was heard."""

    log_odds: float
    level_db: float | None


class OrdinaryVoice:
    """How this caller sounds when calm: learnt from windows that read calm and from no others.

    Line, handset and gain control make an absolute level meaningless: only a change says something. A caller who is
    furious from the first word never becomes their own baseline, for nothing of that is learnt.
    """

    def __init__(self) -> None:
        self._calm: deque[Window] = deque(maxlen=REMEMBERED_WINDOWS)

    def change(self, window: Window) -> Change:
        known = len(self._calm)
        if known < BASELINE_WINDOWS:
            return Change(window.log_odds, None)
        above = median(calm.log_odds for calm in self._calm) - ORDINARY_LOG_ODDS
        allowance = known / (known + DOUBT_WINDOWS) * min(max(above, 0.0), LARGEST_ALLOWANCE)
        level_db = window.level_db - median(calm.level_db for calm in self._calm)
        return Change(window.log_odds - allowance, level_db)

    def learn(self, window: Window) -> None:
        if window.log_odds < 0:
            self._calm.append(window)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Exponentially weighted sums over a turn's windows: the latest counts most (West 1979, incremental form).

    Attributes:
        windows: how many were heard.
        raised: how many of them were clearly louder than the caller's ordinary voice.
        log_odds: weighted mean.
        level_change_db: weighted mean against the caller's ordinary level; 0 without one.
    """

    windows: int = 0
    raised: int = 0
    log_odds: float = 0.0
    level_change_db: float = 0.0
    weight: float = 0.0
    level_weight: float = 0.0
    squares: float = 0.0

    def plus(self, window: Change, keep: float) -> Evidence:
        """With one more window; what was there before weighs ``keep`` times as much as it did."""
        weight = keep * self.weight + 1
        off = window.log_odds - self.log_odds
        log_odds = self.log_odds + off / weight
        level_weight, level_change_db = keep * self.level_weight, self.level_change_db
        if window.level_db is not None:
            level_weight += 1
            level_change_db += (window.level_db - level_change_db) / level_weight
        return Evidence(
            self.windows + 1,
            self.raised + (window.level_db is not None and window.level_db >= RAISED_DB),
            log_odds,
            level_change_db,
            weight,
            level_weight,
            keep * self.squares + off * (window.log_odds - log_odds),
        )

    def upset(self, independent: float) -> float:
        """The probability of upset, nearer .5 the more the windows disagree (MacKay 1992, moderated output).

        Args:
            independent: how many windows' worth of speech was heard; overlapping windows are not independent.
        """
        if not self.windows:
            return 0.5
        variance_of_mean = self.squares / self.weight / max(independent, 1.0)
        return 1 / (1 + math.exp(-self.log_odds / math.sqrt(1 + math.pi / 8 * variance_of_mean)))
