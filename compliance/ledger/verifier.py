"""Checks a Patchbay ledger, or an export of one, without trusting Patchbay: this file and Python 3.11 alone.

    python verifier.py LEDGER.sqlite --key VKEY [--anchor FILE] [--log NAME] [--json]
    python verifier.py EXPORT_FOLDER | proofs.jsonl | CALL.vcon.json --key VKEY [--json]

It exits with 0 when the record holds, 1 when it does not, and 2 when there is nothing that could be checked.

A ledger is a Merkle tree (RFC 6962, section 2.1). Each event is one leaf: a header in JSON, a line feed, 12 bytes of
nonce, and the event encrypted. The operator signs the tree's size and root (C2SP tlog-checkpoint in a C2SP signed-note,
Ed25519). Changing, removing, adding or moving any event gives another root, so the signed one no longer fits.

Who holds the signing key can sign another history. An *anchor*, what was published elsewhere while the ledger grew,
shows that: it has signed checkpoints and the hash of every event, so it also tells which event is the first bad one.
Get VKEY and anchors from where the operator published them, never from beside the ledger.

Reading order: signatures, the tree, one log, exports, the command.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import sqlite3
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

sha256 = hashlib.sha256


class VerifierError(ValueError):
    """There is nothing here that could be checked: not a ledger, not a key, or it cannot be read."""


# -- Signatures: Ed25519 (RFC 8032, section 5.1) --------------------------------------------------------------
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_Point = tuple[int, int, int, int]  # X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z
_Table = list[list[tuple[int, int, int]]]


def _decoded(encoded: bytes) -> _Point:
    """The point of 32 bytes; one that is encoded otherwise than RFC 8032 does is refused."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if y >= _P or x * x % _P != square or (x == 0 and sign):
        raise VerifierError("not a point of Ed25519")
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _sum(table: _Table, scalar: int, point: _Point) -> _Point:
    """``point`` plus ``scalar`` times the point of ``table``: one addition for each byte of the scalar."""
    x, y, z, t = point
    for multiples, byte in zip(table, scalar.to_bytes(len(table), "little"), strict=True):
        plus, minus, twice_dxy = multiples[byte]
        a, b, c = (y - x) * minus % _P, (y + x) * plus % _P, t * twice_dxy % _P
        e, f, g, h = b - a, z + z - c, z + z + c, b + a
        x, y, z, t = e * f % _P, g * h % _P, f * g % _P, e * h % _P
    return x, y, z, t


def _prepared(points: list[_Point]) -> list[tuple[int, int, int]]:
    """Each point as (y + x, y - x, 2dxy), all for one inversion: that of the product of their Z."""
    products = [1]
    for point in points:
        products.append(products[-1] * point[2] % _P)
    inverse = pow(products[-1], -1, _P)
    prepared = []
    for (x, y, z, _), product in zip(reversed(points), reversed(products[:-1]), strict=True):
        x, y, inverse = x * inverse * product % _P, y * inverse * product % _P, inverse * z % _P
        prepared.append(((y + x) % _P, (y - x) % _P, 2 * _D * x * y % _P))
    return prepared[::-1]


def _multiples(point: _Point) -> _Table:
    """Of each power of 256 the multiples by 0 to 255: made once for a key, it makes every signature cheap."""
    points = []
    for _ in range(32):
        step = [[(1, 1, 0), *_prepared([point])]]
        at = 0, 1, 1, 0
        for _ in range(256):
            points.append(at)
            at = _sum(step, 1, at)
        point = at
    prepared = _prepared(points)
    return [prepared[start : start + 256] for start in range(0, len(prepared), 256)]


@lru_cache(maxsize=1)
def _base_multiples() -> _Table:
    y = 4 * pow(5, -1, _P) % _P
    return _multiples(_decoded(y.to_bytes(32, "little")))


_key_multiples = lru_cache(maxsize=8)(_multiples)


class Ed25519Key:
    """A public key of 32 bytes. Raises :class:`VerifierError` for one that is none, or of small order."""

    def __init__(self, encoded: bytes) -> None:
        x, y, z, t = _decoded(encoded)
        self._encoded, self._negative = encoded, _key_multiples((_P - x, y, z, _P - t))
        if _sum(self._negative, 8, (0, 1, 1, 0))[0] == 0:
            raise VerifierError("a key that everything verifies with: it has small order")

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's; a second form of a true signature (S not below L) is refused."""
        if len(signature) != 64 or (s := int.from_bytes(signature[32:], "little")) >= _L:
            return False
        digest = hashlib.sha512(signature[:32] + self._encoded + message).digest()
        h = int.from_bytes(digest, "little") % _L
        x, y, z, _ = _sum(self._negative, h, _sum(_base_multiples(), s, (0, 1, 1, 0)))
        inverse = pow(z, -1, _P)
        found = (y * inverse % _P) | ((x * inverse % _P & 1) << 255)
        return found.to_bytes(32, "little") == signature[:32]


class Key:
    """A log's public key in the notation of signed notes: ``name+key id in hex+base64 of 01 and 32 bytes``."""

    def __init__(self, vkey: str) -> None:
        self.vkey = vkey.strip()
        try:
            self.name, key_id, encoded = self.vkey.split("+", 2)
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise VerifierError(f"this is not a key: {vkey[:80]!r}; a key reads name+id+base64") from None
        self._id = sha256(self.name.encode() + b"\n" + key).digest()[:4]
        if len(key) != 33 or key[0] != 1 or self._id.hex() != key_id:
            raise VerifierError(f"the key of {self.name!r} is not an Ed25519 key, or its parts do not fit")
        self._key = Ed25519Key(key[1:])

    def opened(self, note: object) -> str | None:
        """The text of a signed note, when one of its signatures is this key's."""
        if not isinstance(note, str | bytes):
            return None
        try:
            text, _, signatures = (note if isinstance(note, str) else note.decode()).rpartition("\n\n")
        except UnicodeDecodeError:
            return None
        for line in signatures.split("\n"):
            start = f"\N{EM DASH} {self.name} "
            signature = _unbase64(line.removeprefix(start)) if line.startswith(start) else b""
            if signature[:4] == self._id and self._key.signed(
                f"{text}\n".encode("utf-8", "replace"), signature[4:]
            ):
                return text + "\n"
        return None


def _unbase64(text: str) -> bytes:
    """The bytes of base64 in its one canonical form; none of anything else."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return data if base64.b64encode(data).decode() == text else b""


_known_key = lru_cache(maxsize=8)(Key)


class Checkpoint(NamedTuple):
    """What the operator signed: at ``time_ms``, the log's first ``size`` events had this root."""

    size: int
    root: bytes
    time_ms: int


def checkpoint(note: object, key: Key) -> Checkpoint | None:
    """The checkpoint in a note, or nothing when the key did not sign it or it is another log's."""
    text = key.opened(note) or ""
    match = re.fullmatch(r"(.+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\ntime_ms ([0-9]{1,18})\n", text)
    if match is None or match[1] != key.name:
        return None
    return Checkpoint(int(match[2]), base64.b64decode(match[3]), int(match[4]))


# -- The tree: RFC 6962, section 2.1 --------------------------------------------------------------------------
def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\0" + leaf).digest()


class Tree:
    """A tree that grows: only the roots of its perfect subtrees are kept, at most one for each bit of its size."""

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        self.size, self.roots = size, list(roots)

    def add(self, digest: bytes) -> None:
        size = self.size
        while size & 1:
            digest = sha256(b"\1" + self.roots.pop() + digest).digest()
            size >>= 1
        self.roots.append(digest)
        self.size += 1

    def root(self) -> bytes:
        if not self.roots:
            return sha256(b"").digest()
        root = self.roots[-1]
        for left in self.roots[-2::-1]:
            root = sha256(b"\1" + left + root).digest()
        return root


def included(digest: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """Whether ``proof`` shows a leaf in the tree of this root (RFC 9162, section 2.1.3.2)."""
    last = size - 1
    if not 0 <= index <= last:
        return False
    for sibling in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            digest = sha256(b"\1" + sibling + digest).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            digest = sha256(b"\1" + digest + sibling).digest()
        index, last = index >> 1, last >> 1
    return last == 0 and digest == root


# -- One log --------------------------------------------------------------------------------------------------
Row = tuple[int, bytes, int, bytes, bytes, bytes]
"""An event as stored: its place, its call, its place in the call, its kind, its leaf, its leaf's hash."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not hold: ``seq`` is the bad event, or else it is one of ``since <= seq < until``."""

    what: str
    seq: int | None = None
    call: str = ""
    kind: str = ""
    since: int = 0
    until: int = 0


@dataclass(slots=True)
class Verification:
    """What was found in a log or an export."""

    log: str
    events: int = 0
    checkpoints: int = 0
    anchored: int = 0
    """How many events were compared with an anchor."""
    proven: int = 0
    """How many events, from the first, are as they were signed."""
    unread: int = 0
    """Of an export: how many events come without their text, because their call was erased."""
    root: str = ""
    problems: list[Problem] = field(default_factory=list)
    more: int = 0
    """Problems that are not listed."""

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def first(self) -> Problem | None:
        """The first bad event, or the events that it is among."""
        return min(self.problems, key=lambda p: p.until if p.seq is None else p.seq, default=None)

    def add(
        self, what: str, seq: int | None = None, call: object = "", kind: object = "", **among: int
    ) -> None:
        if len(self.problems) < 100:
            self.problems.append(Problem(what, seq, _plain(call), _plain(kind), **among))
        else:
            self.more += 1

    def event(self, what: str, row: Row) -> None:
        self.add(what, row[0], row[1], row[3])

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if (first := self.first) is None:
            more = f", {self.anchored} of them as anchored" if self.anchored else ""
            more += f", {self.unread} of them erased" if self.unread else ""
            return f"{self.events} events{more}: none changed, missing, added or moved (root {self.root})"
        if first.seq is not None:
            named = [f"call {first.call}" * bool(first.call), first.kind]
            told = f"event {first.seq} ({', '.join(filter(None, named)) or 'unknown'}) {first.what}"
        elif first.until > max(first.since, self.proven):
            told = f"among events {first.since} to {first.until - 1}: {first.what}"
        else:
            told = first.what
        rest = len(self.problems) + self.more - 1
        return (
            f"{told}; {self.proven} events from the first are as signed"
            + f"; {rest} more findings" * bool(rest)
        )


def _plain(text: object) -> str:
    """For a terminal: no control characters, whatever is stored."""
    return ascii(text.decode(errors="replace") if isinstance(text, bytes) else str(text))[1:-1][:200]


Header = tuple[bytes, int, bytes, bytes, int, int, bytes]
"""What a leaf says of itself: call, place in the call, kind, log, place, Unix time in ms, commitment to the event."""
_HEADER = re.compile(
    rb'\{"call":"([^"\\]*)","call_seq":(\d+),(?:"commit":"([^"]*)",)?"key":"[^"]*","kind":"([^"]*)",'
    rb'"log":"([^"\\]*)","seq":(\d+),"time_ms":(\d+),"v":2\}\n'
)


def header(leaf: bytes) -> Header | None:
    """The header of a leaf, or nothing when it has none."""
    if match := _HEADER.match(leaf):
        call, call_seq, commit, kind, log, seq, time_ms = match.groups()
        return call, int(call_seq[:19]), kind, log, int(seq[:19]), int(time_ms[:19]), commit or b""
    try:  # names with characters that JSON escapes
        told = json.loads(leaf[: leaf.index(b"\n")])
        call, kind, log = (told[name].encode("utf-8", "surrogatepass") for name in ("call", "kind", "log"))
        places = [told[name] for name in ("call_seq", "seq", "time_ms")]
        if told["v"] != 2 or any(type(place) is not int for place in places):
            return None
        return call, places[0], kind, log, places[1], places[2], told.get("commit", "").encode()
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


class Anchor:
    """What was published of a log elsewhere, a JSON object a line: ``{"log", "start", "hashes"}`` has the hashes of the
    events from ``start`` on, ``{"log", "note"}`` the checkpoint of all so far. Read line by line, as it is needed.
    """

    def __init__(self, lines: Iterable[str | bytes], log: str, key: Key, found: Verification) -> None:
        self._lines, self._log, self._key, self._found = enumerate(lines, 1), log, key, found
        self._hashes, self._tree = b"", Tree()

    @property
    def empty(self) -> bool:
        return self._tree.size == 0

    def hash_of(self, seq: int) -> bytes | None:
        """The hash of an event, if it was anchored; to be asked for in order."""
        while seq >= self._tree.size and self._read():
            pass
        at = len(self._hashes) - 32 * (self._tree.size - seq)
        return self._hashes[at : at + 32] if 0 <= at < len(self._hashes) else None

    def _read(self) -> bool:
        for number, line in self._lines:
            try:
                told = json.loads(line)
                if told["log"] != self._log:
                    continue
                note, known = told.get("note"), self._tree.size - told.get("start", 0)
                hashes = base64.b64decode(told.get("hashes", ""), validate=True)[32 * known :]
                if known < 0:
                    continue  # some are missing in between: the next checkpoint will not fit
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
                continue  # a line that a crash cut short; what it held comes again, or the next checkpoint will not fit
            for at in range(0, len(hashes) - 31, 32):
                self._tree.add(hashes[at : at + 32])
            signed = checkpoint(note, self._key)
            if note is not None and (signed is None or signed[:2] != (self._tree.size, self._tree.root())):
                at = self._tree.size
                self._found.add(f"line {number} of the anchor is not what the key signed", since=at, until=at)
            if hashes:
                self._hashes = hashes
                return True
        return False


_CALLS_IN_MEMORY = 20_000


class _Places:
    """How many events each call has so far. Most of the counts lie on disk: there may be millions of calls."""

    def __init__(self) -> None:
        self.recent: dict[bytes, int] = {}
        self._rest = sqlite3.connect("", isolation_level=None)  # a temporary file
        self._rest.execute("CREATE TABLE places (call BLOB PRIMARY KEY, n INTEGER) WITHOUT ROWID")
        self.close = self._rest.close

    def of(self, call: bytes) -> int:
        """The count of a call that is not among the recent ones."""
        if len(self.recent) >= _CALLS_IN_MEMORY:
            self._rest.execute("BEGIN")
            self._rest.executemany("REPLACE INTO places VALUES (?, ?)", self.recent.items())
            self._rest.execute("COMMIT")
            self.recent.clear()
        row = self._rest.execute("SELECT n FROM places WHERE call = ?", (call,)).fetchone()
        return int(row[0]) if row else 0


Kept = tuple[int, Checkpoint | None]
"""The size that a checkpoint is kept for, and what was signed, if the key signed it."""


def signed_here(notes: Iterable[tuple[int, object]], key: Key) -> Iterator[Kept]:
    return ((size, checkpoint(note, key)) for size, note in notes)


def _signed(batch: list[tuple[int, object]], vkey: str) -> list[Kept]:
    return list(signed_here(batch, _known_key(vkey)))


def signed_beside(notes: Iterable[tuple[int, object]], key: Key) -> Iterator[Kept]:
    """The same on the other processors: a signature takes as long as forty events, and there may be very many."""
    numbered = iter(notes)
    with ProcessPoolExecutor() as others:
        waiting = deque[Future[list[Kept]]]()
        while batch := list(islice(numbered, 500)):
            waiting.append(others.submit(_signed, batch, key.vkey))
            if len(waiting) > 8:
                yield from waiting.popleft().result()
        for done in waiting:
            yield from done.result()


def verify_log(
    log: str,
    key: Key,
    rows: Iterable[Row],
    checkpoints: Iterable[tuple[int, str]],
    head: tuple[int, bytes, str] | None,
    *,
    anchor: Iterable[str | bytes] = (),
    stored_hashes: Callable[[int, int], Iterable[bytes]] = lambda since, until: (),
    signed_notes: Callable[[Iterable[tuple[int, str]], Key], Iterator[Kept]] = signed_here,
) -> Verification:
    """Checks a whole log, reading each row once.

    Args:
        log: its name.
        key: whose signatures count.
        rows: its events, in order of their places; see :data:`Row`.
        checkpoints: size and note of those kept, in order of size.
        head: size, roots and note of the newest one.
        anchor: the lines of an anchor file.
        stored_hashes: the hashes stored with the events ``since <= seq < until``.
        signed_notes: checks their signatures.
    """
    found, tree, places = Verification(log), Tree(), _Places()
    anchored = Anchor(anchor, log, key, found)
    good = Tree()  # as of the last checkpoint that fits
    whole = sound = True  # whether the tree's hashes are all known; whether no event was bad so far
    event_ms = signed_ms = 0
    name = log.encode("utf-8", "surrogatepass")

    def covers(size: int, signed: Checkpoint | None, what: str) -> None:
        """Takes in a signed checkpoint of the events so far, which are ``size``."""
        nonlocal tree, good, whole, signed_ms
        at = {"since": good.size, "until": size}
        if signed is None:
            return found.add(f"{what} is not signed by the key {key.name}", **at)
        if signed.size != size:
            return found.add(f"{what} was replaced by that of {signed.size} events", **at)
        if signed.time_ms < max(signed_ms, event_ms):
            found.add(f"{what} was signed by a clock that ran backwards", **at)
        signed_ms = max(signed_ms, signed.time_ms)
        if not whole or tree.size != size:
            return None
        if tree.root() != signed.root:
            if anchored.hash_of(size - 1) is not None:
                return found.add(
                    f"{what} is signed, but not of what was anchored: two histories were signed", **at
                )
            # If the hashes that are stored with the events fit, they tell which ones were changed.
            tree = Tree(good.size, good.roots)
            for digest in stored_hashes(good.size, size):
                tree.add(digest if type(digest) is bytes else b"")
            whole = tree.size == size and tree.root() == signed.root
            if not whole:
                return found.add(f"{what} does not fit: one of them was changed, removed or added", **at)
        found.checkpoints += 1
        found.root = signed.root.hex()
        good = Tree(tree.size, tree.roots)
        if sound:
            found.proven = size
        return None

    def missing(since: int, until: int, more: str = "") -> None:
        nonlocal whole, sound
        sound = False
        found.add(
            "is missing" + (f", and so are all up to {until - 1}" if until - since > 1 else "") + more, since
        )
        for seq in range(since, until):
            digest = anchored.hash_of(seq)
            if digest is None:
                whole = False
                return
            tree.add(digest)

    kept = signed_notes(checkpoints, key)
    due, signed = next(kept, (None, None))

    def settle(size: int) -> None:
        """Takes in the kept checkpoints of up to ``size`` events."""
        nonlocal due, signed
        while due is not None and due <= size:
            covers(due, signed, f"the checkpoint of {due} events")
            due, signed = next(kept, (None, None))

    place, recent = 0, places.recent
    with closing(places):
        for row in rows:
            seq, call, call_seq, kind, leaf, stored = row
            if due is not None and due <= place:
                settle(place)
            if seq != place:
                if type(seq) is not int or seq < place:
                    sound = False
                    found.event(f"stands where event {place} should: it is there twice, or was moved", row)
                    continue
                missing(place, seq)
                place = seq
            bad = ""
            try:
                digest = sha256(b"\0" + leaf).digest()
                told = header(leaf)
            except TypeError:
                digest, told, bad = b"", None, "is not stored as bytes"
            published = anchored.hash_of(place) if anchor else None
            if published is not None:
                found.anchored += 1
                if digest != published:
                    bad = bad or "was changed, added or moved: it is not what was anchored"
                    digest = published
            if digest != stored:
                bad = bad or "was changed: it does not match its hash"
            if told is None:
                bad = bad or "has no header that can be read"
            else:
                told_call, told_place, told_kind, told_log, told_seq, time_ms, _ = told
                if (
                    told_seq != seq
                    or told_call != call
                    or told_kind != kind
                    or told_log != name
                    or told_place != call_seq
                ):
                    bad = bad or "was changed or moved: its header and its row tell different things"
                if time_ms < event_ms:
                    bad = bad or "was added by a clock that ran backwards"
                else:
                    event_ms = time_ms
                if (expected := recent.get(told_call)) is None:
                    expected = places.of(told_call)
                if told_place != expected:
                    bad = bad or f"is number {told_place} of its call, where number {expected} should be"
                recent[told_call] = expected + 1
            if bad:
                sound = False
                found.event(bad, row)
            tree.add(digest)
            place += 1
    found.events = place
    settle(place)
    until = place
    while anchored.hash_of(until) is not None:
        until += 1
    if until > place:
        missing(place, until, ": they were anchored")
    if due is not None:
        missing(place, due, f": there is a checkpoint of {due} events")
    if anchor and place and anchored.empty:
        found.add("the anchor has nothing of this log", since=place, until=place)
    if head is None:
        found.add("the log has no head", since=good.size, until=place)
        return found
    size, roots, note = head
    if size > place:
        missing(place, size, f": the log's head says that there are {size}")
    elif size < place:
        found.add("is not covered by the log's head: it was added, or an older head was put back", size)
        found.add(f"the log's head is of {size} events", since=size, until=place)
    else:
        covers(size, checkpoint(note, key), "the log's head")
        if whole and roots != b"".join(tree.roots):
            found.add("the tree stored with the log's head is not that of the events", since=size, until=size)
    return found


_ROWS = "SELECT seq, call_id, call_seq, kind, leaf, leaf_hash FROM entries WHERE log = ? ORDER BY seq"
_HASHES = "SELECT leaf_hash FROM entries WHERE log = ? AND seq >= ? AND seq < ? ORDER BY seq"


def _logs(db: sqlite3.Connection, table: str) -> set[str]:
    """The logs that a table names; each is found by the index, without reading all rows."""
    names, name = set[str](), ""
    while True:
        (found,) = db.execute(f"SELECT min(log) FROM {table} WHERE log > ?", (name,)).fetchone()  # noqa: S608 # ours
        if type(found) is not bytes or (name := found.decode()) in names:
            return names
        names.add(name)


def _damage(uri: str) -> list[str]:
    """Where SQLite finds that tables and indexes differ: an event that an index hides would not be shown to anybody."""
    with closing(sqlite3.connect(uri, uri=True)) as db:
        return [row[0] for row in db.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]


def verify_ledger(path: Path, key: Key, *, log: str = "", anchor: Iterable[str | bytes] = ()) -> Verification:
    """Checks one log of a ledger kept in SQLite; by default the one that the key is named after.

    Raises:
        VerifierError: the file is no ledger, or it cannot be read.
    """
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        if not os.access(path.absolute().parent, os.W_OK) and not Path(f"{path}-wal").exists():
            uri += "&immutable=1"  # where nobody can write, SQLite cannot make the files that it shares a ledger by
        with ThreadPoolExecutor(1) as beside, closing(sqlite3.connect(uri, uri=True)) as db:
            db.text_factory = bytes
            db.execute("BEGIN")  # one state of the ledger, though it may grow meanwhile
            known = sorted(set().union(*(_logs(db, table) for table in ("entries", "heads", "checkpoints"))))
            log = log or next((n for n in known if key.name.endswith(f"/{quote(n, safe='')}")), "")
            if not log and len(known) == 1:
                log = known[0]
            if log not in known:
                has = f"it has {', '.join(map(_plain, known))}" if known else "it is empty"
                raise VerifierError(f"{path}: no log here has this key's name; {has}")
            where = (log,)
            (notes,) = db.execute("SELECT count(*) FROM checkpoints WHERE log = ?", where).fetchone()
            structure = beside.submit(_damage, uri)
            found = verify_log(
                log,
                key,
                db.execute(_ROWS, where),
                db.execute("SELECT size, note FROM checkpoints WHERE log = ? ORDER BY size", where),
                db.execute("SELECT size, frontier, note FROM heads WHERE log = ?", where).fetchone(),
                anchor=anchor,
                signed_notes=signed_here if notes < 4_000 else signed_beside,
                stored_hashes=lambda since, until: (
                    row[0] for row in db.execute(_HASHES, (log, since, until))
                ),
            )
            for damage in structure.result():
                at = found.events
                found.add(f"the file does not fit itself: {_plain(damage)}", since=at, until=at)
            return found
    except (sqlite3.Error, OSError, UnicodeError) as error:
        raise VerifierError(f"{path}: this is no ledger that can be read: {error}") from error


# -- Exports --------------------------------------------------------------------------------------------------
def verify_export(path: Path, key: Key) -> Verification:
    """Checks the events of an export: each is in the log as signed, in order, none of a call's beginning left out.

    ``path`` is the export's folder, whose files are also checked against the signed list of them, or one file with
    proofs in it: ``proofs.jsonl``, or a vCon.

    Raises:
        VerifierError: this is no export, or it cannot be read.
    """
    found = Verification("")
    try:
        if path.is_dir():
            _verify_files(path, key, found)
            path = path / "proofs.jsonl"
        with path.open("rb") as file:
            if path.suffix == ".json":
                _verify_vcon(json.load(file), key, found)
            else:
                _verify_events(map(json.loads, file), key, found)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise VerifierError(f"{path}: this is no export that can be read ({type(error).__name__})") from error
    return found


def _verify_files(folder: Path, key: Key, found: Verification) -> None:
    """The manifest is a signed note: ``<log>/export``, then a line ``<SHA-256 in hex>  <name>`` for each file."""
    text = key.opened((folder / "manifest.txt").read_bytes())
    if text is None or text.partition("\n")[0] != f"{key.name}/export":
        return found.add(f"the list of the export's files is not signed by the key {key.name}")
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in text.splitlines()[1:])}
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {"manifest.txt"}
    for name in sorted(present | set(listed)):
        if name not in present:
            found.add(f"the file {_plain(name)} is missing")
        elif name not in listed:
            found.add(f"the file {_plain(name)} was added")
        else:
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != listed[name]:
                    found.add(f"the file {_plain(name)} was changed")
    return None


def _verify_vcon(vcon: Any, key: Key, found: Verification) -> None:
    """The proofs are an attachment; dialog and analysis have to be what the proved events say, in their order."""
    (proofs,) = [one["body"] for one in vcon["attachments"] if one.get("purpose") == "patchbay-proofs"]
    _verify_events(iter(proofs), key, found)
    events = [json.loads(one["event"]) for one in proofs[1:]]
    heard = [
        (e["text"], int(e["kind"] == "agent_said"))
        for e in events
        if e["kind"] in ("caller_said", "agent_said")
    ]
    parts = [(one["body"], one["parties"]) for one in vcon["dialog"] if one["type"] == "text"]
    if parts != heard:
        other = (place for place, part in enumerate(parts) if heard[place : place + 1] != [part])
        found.add(f"part {next(other, len(parts))} of the dialog is not what the events say")
    if [one["body"] for one in vcon["analysis"]] != [events]:
        found.add("the analysis is not of the events")


def _verify_events(proved: Iterator[Any], key: Key, found: Verification) -> None:
    """First the signed checkpoint, then events, each with its leaf and the proof that the leaf is in the log."""
    signed = checkpoint(next(proved, dict[str, Any]())["checkpoint"], key)
    if signed is None:
        return found.add(f"the checkpoint is not signed by the key {key.name}")
    found.root, found.checkpoints = signed.root.hex(), 1
    places: dict[bytes, int] = {}
    for one in proved:
        seq, leaf = one["seq"], base64.b64decode(one["leaf"], validate=True)
        proof = [base64.b64decode(digest, validate=True) for digest in one["proof"]]
        told = header(leaf) or (b"", 0, b"", b"", -1, 0, b"")
        call, call_seq, kind, _, told_seq, _, commitment = told
        bad = ""
        if told_seq != seq or not included(leaf_hash(leaf), seq, signed.size, proof, signed.root):
            bad = "was changed or moved: it is not in the log that was signed"
        elif places.get(call, 0) != call_seq:
            bad = f"is number {call_seq} of its call, but number {places.get(call, 0)} is missing"
        elif one["event"] is None:
            found.unread += 1
        else:
            text = one["event"].encode()
            opened = hmac.new(bytes.fromhex(one["opening"]), text, "sha256").hexdigest().encode()
            event = json.loads(text)
            if opened != commitment or [event["kind"], event["call_id"]] != [kind.decode(), call.decode()]:
                bad = "was changed: its text is not what its leaf commits to"
        if bad:
            found.add(bad, seq, call, kind)
        places[call] = call_seq + 1
        found.events += 1
    return None


# -- The command ----------------------------------------------------------------------------------------------
def main(arguments: list[str] | None = None) -> int:
    """Says what was found; returns 0 when the record holds, 1 when it does not, 2 when nothing could be checked."""
    parser = argparse.ArgumentParser(description="Check a Patchbay ledger or an export of one.")
    parser.add_argument("record", type=Path, help="a ledger, an export's folder, its proofs.jsonl, or a vCon")
    parser.add_argument("--key", required=True, help="the log's public key, or a file with it")
    parser.add_argument("--anchor", type=Path, help="a file that checkpoints and hashes were published in")
    parser.add_argument(
        "--log", default="", help="which log of the ledger, by default the one of the key's name"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    try:
        file = Path(given.key)
        key = Key(given.key if "+" in given.key and not file.is_file() else file.read_text())
        with given.anchor.open("rb") if given.anchor else nullcontext(()) as anchor:
            if given.record.is_dir() or given.record.suffix in (".json", ".jsonl"):
                found = verify_export(given.record, key)
            else:
                found = verify_ledger(given.record, key, log=given.log, anchor=anchor)
    except (VerifierError, OSError, UnicodeError) as error:
        print(json.dumps({"ok": None, "error": str(error)}) if given.json else f"cannot check: {error}")
        return 2
    if given.json:
        first = found.first and asdict(found.first)
        print(
            json.dumps(
                {"ok": found.ok, **asdict(found), "first": first, "sentence": found.sentence}, indent=2
            )
        )
    else:
        print(f"{'HOLDS' if found.ok else 'DOES NOT HOLD'}: {found.sentence}")
    return 0 if found.ok else 1


if __name__ == "__main__":
    sys.exit(main())
