"""What a caller hears when something behind the line fails."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

from livekit import rtc

from compliance.tap import RATE_HZ

APOLOGY = Path(__file__).parent / "apology.wav"


@dataclass(frozen=True, slots=True)
class Wording:
    """Sentences for when an engine fails, and a recording, with its words, for when no voice works."""

    one_moment: str = "One moment, please. "
    still_here: str = "Thank you for waiting, I am still here. "
    start_again: str = " Sorry, let me start again. "
    cannot_help: str = "I am sorry, I have a technical problem just now. Please say that again in a moment. "
    no_record: str = (
        "I am sorry, this call has to be recorded and I cannot do that just now, so I have to end it here. "
        "Please call again later. Goodbye."
    )
    not_here: str = "I am sorry, I cannot take your call on this line, so I have to end it here. Goodbye."
    recording: Path = APOLOGY
    recorded_words: str = "I am sorry, we have a technical problem just now. Please stay on the line."

    @property
    def about_delays(self) -> tuple[str, ...]:
        """What is said while an answer is being worked on."""
        return self.one_moment.strip(), self.still_here.strip(), self.start_again.strip()

    def is_no_answer(self, words: str) -> bool:
        """Whether ``words`` end by saying that there is no answer yet, or none."""
        return words.rstrip().endswith((*self.about_delays, self.cannot_help.strip()))

    def recorded_apology(self) -> tuple[rtc.AudioFrame, ...]:
        """The recorded apology as 20 ms frames, mono, at the rate of what voices say, for it may follow on that."""
        with wave.open(str(self.recording)) as file:
            resampler = rtc.AudioResampler(file.getframerate(), RATE_HZ)
            frames = [*resampler.push(bytearray(file.readframes(file.getnframes()))), *resampler.flush()]
        pcm = b"".join(frame.data.cast("b") for frame in frames)
        size = RATE_HZ // 50 * 2
        whole = len(pcm) - len(pcm) % size
        return tuple(
            rtc.AudioFrame(
                data=pcm[at : at + size], sample_rate=RATE_HZ, num_channels=1, samples_per_channel=size // 2
            )
            for at in range(0, whole, size)
        )
