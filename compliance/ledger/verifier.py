"""Checks a Patchbay ledger, or an export of one, without trusting Patchbay: this file and Python 3.11 alone.

    python verifier.py LEDGER.sqlite --key VKEY [--anchor FILE] [--log NAME] [--json]
    python verifier.py EXPORT_FOLDER | proofs.jsonl | CALL.vcon.json --key VKEY [--json]

It exits with 0 when the record holds, 1 when it does not, and 2 when there is nothing that could be checked.

A ledger is a Merkle tree (RFC 6962, section 2.1). Each event is one leaf: a header in JSON, a line feed, 12 bytes of
nonce, and the event encrypted. The operator signs the tree's size and root (C2SP tlog-checkpoint in a C2SP signed-note,
Ed25519): the head is the newest checkpoint, older ones are kept, and each has the hash of the one kept before. So the
head's one signature covers every event and every older checkpoint; those only tell where a history that does not fit
goes wrong.

Who holds the signing key can sign another history. An *anchor*, what was published elsewhere while the ledger grew,
shows that: it has checkpoints and the hash of every event, so it also tells which event is the first bad one.
Get VKEY and anchors from where the operator published them, never from beside the ledger.

Reading order: signatures, the tree, findings, one log, exports, the command.
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
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field
from functools import lru_cache
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
_NEUTRAL = 0, 1, 1, 0


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


_BASE = _decoded((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))


def _sum(one: _Point, other: _Point) -> _Point:
    (x1, y1, z1, t1), (x2, y2, z2, t2) = one, other
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * t1 * t2 * _D % _P, 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    product = _NEUTRAL
    for bit in f"{scalar:b}":
        product = _sum(product, product)
        if bit == "1":
            product = _sum(product, point)
    return product


class Ed25519Key:
    """A public key of 32 bytes. Raises :class:`VerifierError` for one that is none, or of small order."""

    def __init__(self, encoded: bytes) -> None:
        x, y, z, t = _decoded(encoded)
        self._encoded, self._negative = encoded, (_P - x, y, z, _P - t)
        if _times(8, self._negative)[0] == 0:
            raise VerifierError("a key that everything verifies with: it has small order")

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's; a second form of a true signature (S not below L) is refused."""
        if len(signature) != 64 or (s := int.from_bytes(signature[32:], "little")) >= _L:
            return False
        digest = hashlib.sha512(signature[:32] + self._encoded + message).digest()
        h = int.from_bytes(digest, "little") % _L
        x, y, z, _ = _sum(_times(s, _BASE), _times(h, self._negative))
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

    def opened(self, note: bytes) -> bytes | None:
        """The text of a signed note, when one of its signatures is this key's."""
        text, _, signatures = note.rpartition(b"\n\n")
        start = f"\N{EM DASH} {self.name} ".encode()
        for line in signatures.split(b"\n"):
            signature = _unbase64(line.removeprefix(start)) if line.startswith(start) else b""
            if signature[:4] == self._id and self._key.signed(text + b"\n", signature[4:]):
                return text + b"\n"
        return None


def _unbase64(text: bytes) -> bytes:
    """The bytes of base64 in its one canonical form; none of anything else."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return data if base64.b64encode(data) == text else b""


_CHECKPOINT = re.compile(
    rb"(.+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\ntime_ms ([0-9]{1,18})\nkept ([0-9a-f]{64})\n\n(?s:.*)"
)


class Checkpoint(NamedTuple):
    """What a note says, signed or not: at ``time_ms`` the log's first ``size`` events had this root."""

    size: int
    root: bytes
    time_ms: int
    kept: bytes
    """SHA-256 in hex of the note that was kept before this one; of nothing for the first."""


def read_checkpoint(note: object, name: str) -> Checkpoint | None:
    """The checkpoint in a note, or nothing when it is not one of the log of that name."""
    match = _CHECKPOINT.fullmatch(note) if isinstance(note, bytes) else None
    if match is None or match[1] != name.encode():
        return None
    return Checkpoint(int(match[2]), base64.b64decode(match[3]), int(match[4]), match[5])


def signed_checkpoint(note: bytes, key: Key) -> Checkpoint | None:
    """The checkpoint in a note, or nothing when the key did not sign it."""
    return read_checkpoint(note, key.name) if key.opened(note) is not None else None


# -- The tree: RFC 6962, section 2.1 --------------------------------------------------------------------------
def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\0" + leaf).digest()


class Tree:
    """A tree that grows: only the roots of its perfect subtrees are kept, at most one for each bit of its size."""

    def __init__(self) -> None:
        self.size, self.roots = 0, list[bytes]()

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


# -- Findings -------------------------------------------------------------------------------------------------
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
        more = f"; {rest} more findings" * bool(rest)
        return f"{told}; {self.proven} events from the first are as signed{more}"


def _plain(text: object) -> str:
    """For a terminal: no control characters, whatever is stored."""
    return ascii(text.decode(errors="replace") if isinstance(text, bytes) else str(text))[1:-1][:200]


# -- One log --------------------------------------------------------------------------------------------------
Row = tuple[int, bytes, int, bytes, bytes, bytes]
"""An event as stored: its place, its call, its place in the call, its kind, its leaf, its leaf's hash."""


@lru_cache(maxsize=1_000)
def _quoted(name: bytes) -> bytes:
    return json.dumps(name.decode("utf-8", "surrogateescape"), ensure_ascii=False).encode(
        "utf-8", "surrogateescape"
    )


def told_time_ms(leaf: bytes, log: bytes, seq: int, call: bytes, call_seq: int, kind: bytes) -> int | None:
    """When a leaf's header says that it was added (Unix ms), or nothing if it says anything else than its row does.

    A header is JSON in one form only (RFC 8785), so the row tells what it begins with and, after 64 digits that commit
    to the event and 32 that name the key, what it goes on with.
    """
    start = b'{"call":%b,"call_seq":%d,"commit":"' % (_quoted(call), call_seq)
    rest = b'","kind":%b,"log":%b,"seq":%d,"time_ms":' % (_quoted(kind), log, seq)
    at = len(start) + 64 + len('","key":"') + 32
    if not leaf.startswith(start) or not leaf.startswith(rest, at):
        return None
    time_ms = leaf[at + len(rest) : leaf.index(b"\n")].removesuffix(b',"v":2}')
    return int(time_ms) if time_ms.isdigit() and len(time_ms) < 20 else None


def anchored(lines: Iterable[str | bytes], log: str) -> Iterator[bytes | tuple[int, bytes]]:
    """What an anchor file has of a log, in order: the hash of each event, and checkpoints with their line's number.

    A line is JSON: ``{"log", "start", "hashes"}`` has the hashes of the events from ``start`` on, ``{"log", "note"}``
    the checkpoint of all so far. A line that a crash cut short is passed over: what it held comes again.
    """
    size = 0
    for number, line in enumerate(lines, 1):
        try:
            told = json.loads(line)
            if told["log"] != log:
                continue
            if "note" in told:
                yield number, told["note"].encode()
                continue
            known = size - told["start"]
            hashes = base64.b64decode(told["hashes"], validate=True)[32 * known :] if known >= 0 else b""
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            continue
        for at in range(0, len(hashes) - 31, 32):
            size += 1
            yield hashes[at : at + 32]


class _Places:
    """How many events each call has so far. Most of the counts lie on disk: there may be millions of calls."""

    IN_MEMORY = 20_000

    def __init__(self) -> None:
        self.recent: dict[bytes, int] = {}
        self._rest = sqlite3.connect("", isolation_level=None)  # a temporary file
        self._rest.execute("CREATE TABLE places (call BLOB PRIMARY KEY, n INTEGER) WITHOUT ROWID")
        self.close = self._rest.close

    def of(self, call: bytes) -> int:
        """The count of a call that is not among the recent ones."""
        if len(self.recent) >= self.IN_MEMORY:
            self._rest.execute("BEGIN")
            self._rest.executemany("REPLACE INTO places VALUES (?, ?)", self.recent.items())
            self._rest.execute("COMMIT")
            self.recent.clear()
        row = self._rest.execute("SELECT n FROM places WHERE call = ?", (call,)).fetchone()
        return int(row[0]) if row else 0


class _History:
    """The tree of the events so far, and the checkpoints that were compared with it."""

    TRIED = 64
    """So many of the newest are looked at for one that is signed; in a record that holds, the first one is."""

    def __init__(self, key: Key, found: Verification) -> None:
        self.tree, self.key, self.found = Tree(), key, found
        self.whole = True
        """Whether the tree is that of all events so far."""
        self.sound = True
        """Whether no event so far was bad."""
        self.time_ms = 0
        self.since = 0
        self._kept, self._note = sha256(b"").hexdigest().encode(), b""
        self._fitting = deque[tuple[int, bytes]](maxlen=self.TRIED)

    def compare(self, size: int, note: object, what: str, *, published: bool) -> None:
        """Takes in a checkpoint of the events so far, which are ``size``; ``published``: an anchor has them."""
        among = {"since": self.since, "until": size}
        told = read_checkpoint(note, self.key.name)
        if told is None or not isinstance(note, bytes):
            return self.found.add(f"{what} is not signed by the key {self.key.name}", **among)
        if told.size != size:
            return self.found.add(f"{what} was replaced by that of {told.size} events", **among)
        if told.kept != self._kept and note != self._note:
            self.found.add(f"of the checkpoints before {what} one was changed, removed or added", **among)
        self._kept, self._note = sha256(note).hexdigest().encode(), note
        if told.time_ms < self.time_ms:
            self.found.add(f"{what} was signed by a clock that ran backwards", **among)
        self.time_ms = max(self.time_ms, told.time_ms)
        if not self.whole:
            return None
        if told.root == self.tree.root():
            self.found.checkpoints += 1
            self.found.root, self.since = told.root.hex(), size
            if self.sound:
                self._fitting.append((size, note))
            return None
        if self.key.opened(note) is None:
            return self.found.add(f"{what} is not signed by the key {self.key.name}", **among)
        self.whole = False
        why = "does not fit: one of them was changed, removed or added"
        if published:
            why = "is signed, but not of what was anchored: two histories were signed"
        return self.found.add(f"{what} {why}", **among)

    def compare_anchored(self, line: int, note: bytes) -> None:
        """Takes in a checkpoint that was published of the events so far."""
        told, size = read_checkpoint(note, self.key.name), self.tree.size
        if self.whole and (told is None or told[:2] != (size, self.tree.root())):
            self.found.add(f"line {line} of the anchor is not what the key signed", since=size, until=size)

    def finish(self) -> None:
        """Looks at signatures: of the newest checkpoint that fits, and of older ones while they are somebody else's."""
        strange = -1
        for size, note in reversed(self._fitting):
            if self.key.opened(note) is not None:
                self.found.proven = size
                break
            strange = size
        if strange >= 0:
            what = f"the checkpoint of {strange} events is not signed by the key {self.key.name}"
            self.found.add(what, since=self.found.proven, until=strange)


def verify_log(
    log: str,
    key: Key,
    rows: Iterable[Row],
    checkpoints: Iterable[tuple[int, bytes]],
    head: tuple[int, bytes, bytes] | None,
    *,
    anchor: Iterable[str | bytes] = (),
) -> Verification:
    """Checks a whole log, reading each row once.

    Args:
        log: its name.
        key: whose signatures count.
        rows: its events, in order of their places; see :data:`Row`.
        checkpoints: size and note of those kept, in order of size.
        head: size, roots and note of the newest one.
        anchor: the lines of an anchor file.
    """
    found = Verification(log)
    history, places, published = _History(key, found), _Places(), anchored(anchor, log)
    tree, recent = history.tree, places.recent
    name = _quoted(log.encode("utf-8", "surrogateescape"))
    kept = iter(checkpoints)
    due, note = next(kept, (None, None))
    anchoring = bool(anchor)
    event_ms = place = taken = 0

    def next_published() -> bytes | None:
        """The hash of the next event, if an anchor has it; checkpoints before it are taken in."""
        nonlocal anchoring, taken
        for item in published:
            if isinstance(item, bytes):
                taken += 1
                return item
            history.compare_anchored(*item)
        anchoring = False
        return None

    def settle(size: int) -> None:
        """Takes in the kept checkpoints of up to ``size`` events."""
        nonlocal due, note
        history.time_ms = max(history.time_ms, event_ms)
        while due is not None and due <= size:
            history.compare(due, note, f"the checkpoint of {due} events", published=taken >= due)
            due, note = next(kept, (None, None))

    def lost(since: int, until: int, why: str = "") -> None:
        history.sound = False
        more = f", and so are all up to {until - 1}" if until - since > 1 else ""
        found.add(f"is missing{more}{why}", since)

    with closing(places):
        for row in rows:
            seq, call, call_seq, kind, leaf, stored = row
            if due is not None and due <= place:
                settle(place)
            if seq != place:
                if type(seq) is not int or seq < place:
                    history.sound = False
                    what = f"stands where event {place} should: it is there twice, or was moved"
                    found.add(what, place, call, kind)
                    continue
                lost(place, seq)
                while place < seq and (digest := next_published()) is not None:
                    tree.add(digest)
                    place += 1
                history.whole, place = history.whole and place == seq, seq
            bad, digest, time_ms = "", b"", None
            try:
                digest = sha256(b"\0" + leaf).digest()
                time_ms = told_time_ms(leaf, name, seq, call, call_seq, kind)
            except (TypeError, ValueError, AttributeError):
                bad = "is not stored as it was"
            if anchoring and (true := next_published()) is not None:
                found.anchored += 1
                if digest != true:
                    bad = bad or "was changed, added or moved: it is not what was anchored"
            else:
                true = stored if type(stored) is bytes else b""
            if digest != stored:
                bad = bad or "was changed: it does not match its hash"
            if time_ms is None:
                bad = bad or "was changed or moved: its header and its row tell different things"
            else:
                if time_ms < event_ms:
                    bad = bad or "was added by a clock that ran backwards"
                else:
                    event_ms = time_ms
                if (expected := recent.get(call)) is None:
                    expected = places.of(call)
                if call_seq != expected:
                    bad = bad or f"is number {call_seq} of its call, where number {expected} should be"
                recent[call] = expected + 1
            if bad:
                history.sound = False
                found.add(bad, place, call, kind)
            tree.add(true)
            place += 1
    settle(place)
    found.events = end = place
    while (digest := next_published()) is not None:
        tree.add(digest)
        end += 1
    if end > place:
        lost(place, end, ": they were anchored")
    if due is not None:
        lost(end, due, f": there is a checkpoint of {due} events")
    if anchor and place and not found.anchored:
        found.add("the anchor has nothing of this log", since=place, until=place)
    if head is None:
        found.add("the log has no head", since=history.since, until=place)
    elif head[0] > end:
        lost(end, head[0], f": the log's head says that there are {head[0]}")
    elif head[0] < place:
        found.add("is not covered by the log's head: it was added, or an older head was put back", head[0])
    elif end == place:
        history.compare(place, head[2], "the log's head", published=0 < place <= taken)
        if history.whole and head[1] != b"".join(tree.roots):
            found.add(
                "the tree stored with the log's head is not that of the events", since=place, until=place
            )
    history.finish()
    return found


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
            if not log:
                named = (one for one in known if key.name.endswith(f"/{quote(one, safe='')}"))
                log = next(named, known[0] if len(known) == 1 else "")
            if log not in known:
                has = f"it has {', '.join(map(_plain, known))}" if known else "it is empty"
                raise VerifierError(f"{path}: no log here has this key's name; {has}")
            damage = beside.submit(_damage, uri)
            rows, checkpoints, head = (db.execute(query, (log,)) for query in _QUERIES)
            found = verify_log(log, key, rows, checkpoints, head.fetchone(), anchor=anchor)
            for told in damage.result():
                at = found.events
                found.add(f"the file does not fit itself: {_plain(told)}", since=at, until=at)
            return found
    except (sqlite3.Error, OSError, UnicodeError) as error:
        raise VerifierError(f"{path}: this is no ledger that can be read: {error}") from error


_QUERIES = (
    "SELECT seq, call_id, call_seq, kind, leaf, leaf_hash FROM entries WHERE log = ? ORDER BY seq",
    "SELECT CAST(size AS INTEGER), note FROM checkpoints WHERE log = ? ORDER BY size",
    "SELECT CAST(size AS INTEGER), frontier, note FROM heads WHERE log = ?",
)


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
    title, *lines = [""] if text is None else text.decode().splitlines()
    if title != f"{key.name}/export":
        return found.add(f"the list of the export's files is not signed by the key {key.name}")
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
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
    note = str(next(proved, dict[str, Any]())["checkpoint"]).encode()
    if (signed := signed_checkpoint(note, key)) is None:
        return found.add(f"the checkpoint is not signed by the key {key.name}")
    found.root, found.checkpoints = signed.root.hex(), 1
    places: dict[str, int] = {}
    for one in proved:
        seq, leaf = one["seq"], base64.b64decode(one["leaf"], validate=True)
        proof = [base64.b64decode(digest, validate=True) for digest in one["proof"]]
        told = _header(leaf)
        call, call_seq, kind, bad = str(told.get("call")), told.get("call_seq"), told.get("kind"), ""
        if not included(leaf_hash(leaf), seq, signed.size, proof, signed.root):
            bad = "was changed or moved: it is not in the log that was signed"
        elif places.get(call, 0) != call_seq:
            bad = f"is number {call_seq} of its call, but number {places.get(call, 0)} is missing"
        elif one["event"] is None:
            found.unread += 1
        else:
            text = one["event"].encode()
            opened = hmac.new(bytes.fromhex(one["opening"]), text, "sha256").hexdigest()
            event = json.loads(text)
            if opened != told["commit"] or (event["kind"], event["call_id"]) != (kind, call):
                bad = "was changed: its text is not what its leaf commits to"
        if bad:
            found.add(bad, seq, call, kind)
        places[call] = call_seq + 1 if type(call_seq) is int else 0
        found.events += 1
    return None


def _header(leaf: bytes) -> dict[str, Any]:
    try:
        told = json.loads(leaf.partition(b"\n")[0])
    except ValueError:
        told = None
    return told if isinstance(told, dict) else {}


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
