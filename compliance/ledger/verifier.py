"""Checks a Patchbay ledger, or an export of one, without trusting Patchbay: this file and Python 3.11 alone.

    python verifier.py LEDGER.sqlite --key VKEY [--anchor FILE] [--json]
    python verifier.py EXPORT_FOLDER | proofs.jsonl | CALL.vcon.json --key VKEY [--json]

It exits with 0 when the record holds, 1 when it does not, and 2 when there is nothing that could be checked.

A ledger is a Merkle tree (RFC 6962). Each event is one leaf: a header in JSON, a line feed, 12 bytes of nonce, and the
event encrypted. The operator signs the tree's size and root (C2SP tlog-checkpoint in a C2SP signed-note, Ed25519). The
newest checkpoint is the log's *head*; older ones are *kept*, and each has the hash of the one kept before. So one
signature, the head's, covers every event and every older checkpoint; those only tell where a history goes wrong.

Proved: since it was signed, no event was changed, removed, added or moved. Not proved: that nothing else was ever
signed, for who holds the signing key can sign another history. An *anchor*, what was published elsewhere while the
ledger grew, shows that, and which event is the first bad one: it has checkpoints, and the hash of every event. Get VKEY
and anchors from where the operator published them, never from beside the ledger.

Read it from the top: what is found; how a log is checked, and where it is kept; how an export is; then what both rest
on: the tree, signed notes, Ed25519. What comes from the record is believed nowhere before it is compared.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import re
import sqlite3
import sys
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from hashlib import sha256
from heapq import merge
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote


class VerifierError(ValueError):
    """There is nothing here that could be checked: not a ledger, not a key, or it cannot be read."""


# -- What is found --------------------------------------------------------------------------------------------
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

    events: int = 0
    anchored: int = 0  # how many events an anchor has
    proven: int = 0  # how many events, from the first, are as they were signed
    time_ms: int = 0  # when the last event was added, as its header says
    unread: int = 0  # how many events of an export come without their text: their call was erased
    root: str = ""
    problems: list[Problem] = field(default_factory=list)
    more: int = 0  # problems that are not listed
    sound: bool = True  # no event is known to be bad

    def add(self, what: str, seq: int | None = None, call: Any = "", kind: Any = "", **among: int) -> None:
        self.sound = self.sound and seq is None
        among = among or {"since": self.events, "until": self.events}
        if len(self.problems) < 100:
            self.problems.append(Problem(_plain(what), seq, _plain(call), _plain(kind), **among))
        else:
            self.more += 1

    def missing(self, until: int, why: str = "") -> None:
        more = f", and so are all up to {until - 1}" * (until - self.events > 1)
        self.add(f"is missing{more}{why}", self.events)

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def first(self) -> Problem | None:
        """The first bad event, or the events that it is among."""
        return min(self.problems, key=lambda p: p.until if p.seq is None else p.seq, default=None)

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if (bad := self.first) is None:
            more = f", {self.anchored} of them as anchored" * bool(self.anchored)
            more += f", {self.unread} of them erased" * bool(self.unread)
            return f"{self.events} events{more}: none changed, missing, added or moved (root {self.root})"
        where, rest = "", len(self.problems) + self.more - 1
        if bad.seq is not None:
            named = ", ".join(filter(None, (f"call {bad.call}" * bool(bad.call), bad.kind)))
            where = f"event {bad.seq} ({named or 'unknown'}) "
        elif bad.until > max(bad.since, self.proven):
            where = f"among events {bad.since} to {bad.until - 1}: "
        more = f"; {rest} more findings" * bool(rest)
        return f"{where}{bad.what}; {self.proven} events from the first are as signed{more}"

    def as_json(self) -> dict[str, Any]:
        first = self.first and asdict(self.first)
        return {"ok": self.ok, **asdict(self), "first": first, "sentence": self.sentence}


def _plain(text: object) -> str:
    """For a terminal: no control characters, whatever is stored."""
    text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return text.encode("unicode_escape").decode()[:300]


# -- A log ----------------------------------------------------------------------------------------------------
Row = tuple[int, bytes, int, bytes, bytes, bytes]
"""An event as stored: its place, its call, its place in the call, its kind, its leaf, its leaf's hash."""
Kept = tuple[int, bytes]
"""A checkpoint as stored: the size of the log then, and the signed note."""
Head = tuple[int, bytes, bytes]
"""The newest one as stored: size, the roots of the tree's perfect subtrees, note."""
Anchor = Iterable[str | bytes]
"""Lines of JSON: ``{"log", "start", "hashes"}`` has the hashes of the events from ``start`` on, ``{"log", "note"}`` the
checkpoint of all so far. A line that a crash cut short is passed over: what it held comes again."""


def verify_log(
    log: str, key: Key, rows: Iterable[Row], kept: Iterable[Kept], head: Head | None, *, anchor: Anchor = ()
) -> Verification:
    """Checks a whole log: its events fill a tree, which is compared with each checkpoint when it has as many.

    Events and kept checkpoints come in order; each is read once.
    """
    found, tree = Verification(), Tree()
    published = _published(log, key, anchor, tree, found)
    hashes = _hashes(log, rows, published, found)
    before, signed_ms = b"", 0  # the last checkpoint, and when it was signed
    fits = True  # no signed checkpoint contradicts the tree
    since = 0  # the size of the newest that fits it
    fitting = deque[Kept](maxlen=64)  # the newest that fit it, and have no bad event
    for size, note in merge(kept, [(head[0], head[2])] if head else [], key=lambda stored: stored[0]):
        while found.events < size and (digest := next(hashes, None)) is not None:
            tree.add(digest)
        name, told = f"the checkpoint of {size} events", read_checkpoint(note, key.name)
        add = partial(found.add, since=since, until=size)
        if found.events < size:
            found.missing(size, f": there is a checkpoint of {size} events")
            break
        if told is None:
            add(f"{name} is not signed by the key {key.name}")
        elif told.size != size:
            add(f"{name} was replaced by that of {told.size} events")
        else:
            if told.kept != sha256(before).hexdigest().encode() and note != before:
                add(f"of the checkpoints before {name} one was changed, removed or added")
            if told.time_ms < max(signed_ms, found.time_ms):
                add(f"{name} was signed by a clock that ran backwards")
            before, signed_ms = note, max(signed_ms, told.time_ms)
            if fits and told.root == tree.root():
                if found.sound:
                    fitting.append((size, note))
                since, found.root = size, told.root.hex()
            elif fits and key.opened(note) is None:
                add(f"{name} is not signed by the key {key.name}")
            elif fits:
                fits = False
                two = "is signed, but not of what was anchored: two histories were signed"
                one = "does not fit: one of them was changed, removed or added"
                add(f"{name} {two if found.anchored >= size else one}")
    for digest in chain(hashes, published):
        tree.add(digest)
    if found.anchored > found.events:
        found.missing(found.anchored, ": they were anchored")
    if anchor and found.events and not found.anchored:
        found.add("the anchor has nothing of this log")
    if head is None:
        found.add("the log has no head")
    elif head[0] < found.events:
        found.add("is not covered by the log's head: it was added, or an older head was put back", head[0])
    elif fits and tree.size == head[0] and head[1] != b"".join(tree.roots):
        found.add("the tree stored with the log's head is not that of the events")
    unsigned = None
    for size, note in reversed(fitting):  # the newest that is signed covers all before it
        if key.opened(note) is not None:
            found.proven = size
            break
        unsigned = size
    if unsigned is not None:
        what = f"the checkpoint of {unsigned} events is not signed by the key {key.name}"
        found.add(what, since=found.proven, until=unsigned)
    return found


def _hashes(
    log: str, rows: Iterable[Row], published: Iterator[bytes], found: Verification
) -> Iterator[bytes]:
    """The hash of each event in order, for the tree: as an anchor has it, or else as stored, so that the tree is right
    after a bad event too. What is wrong with an event, by itself or after those before it, is found here."""
    name, places = _quoted(log.encode()), _Places()
    for seq, call, call_seq, kind, leaf, stored in rows:
        if seq != found.events:
            if type(seq) is not int or seq < found.events:
                what = f"stands where event {found.events} should: it is there twice, or was moved"
                found.add(what, found.events, call, kind)
                continue
            found.missing(seq)
            for digest in islice(published, seq - found.events):
                found.events += 1
                yield digest
        true, bad, expected = next(published, None), "", places[call] + 1
        try:
            digest = sha256(b"\0" + leaf).digest()
            time_ms = told_time_ms(leaf, name, seq, call, call_seq, kind)
        except (TypeError, ValueError, AttributeError):
            bad, places[call] = "is not stored as it was", expected
        else:
            if true and digest != true:
                bad = "was changed, added or moved: it is not what was anchored"
            elif digest != stored:
                bad = "was changed: it does not match its hash"
            elif time_ms < 0:
                bad = "was changed or moved: its header and its row tell different things"
            elif time_ms < found.time_ms:
                bad = "was added by a clock that ran backwards"
            elif call_seq != expected:
                bad = f"is number {call_seq} of its call, where number {expected} should be"
            places[call] = expected if time_ms < 0 else call_seq
            if time_ms > found.time_ms:
                found.time_ms = time_ms
        if bad:
            found.add(bad, seq, call, kind)
        found.events = seq + 1
        yield true or stored
    places.close()


def _published(log: str, key: Key, anchor: Anchor, tree: Tree, found: Verification) -> Iterator[bytes]:
    """The hashes of events that an anchor has, in order; its checkpoints have to fit the tree of them."""
    for number, line in enumerate(anchor, 1):
        try:
            told = json.loads(line)
            if told["log"] != log:
                continue
            if "note" in told:
                true = read_checkpoint(told["note"].encode(), key.name)
                if true is None or true[:2] != (tree.size, tree.root()):
                    found.add(f"line {number} of the anchor is not what the key signed")
                continue
            known = found.anchored - told["start"]
            hashes = b64decode(told["hashes"], validate=True)[32 * known :] if known >= 0 else b""
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            continue
        for at in range(0, len(hashes) - 31, 32):
            found.anchored += 1
            yield hashes[at : at + 32]


def told_time_ms(leaf: bytes, log: bytes, seq: int, call: bytes, call_seq: int, kind: bytes) -> int:
    """When a leaf's header says that it was added (Unix ms), or -1 if it says anything else than its row does.

    A header is JSON in one form only (RFC 8785), so the row tells what it begins with and, after 64 digits that commit
    to the event and 32 that name the key, what it goes on with.
    """
    start = b'{"call":%b,"call_seq":%d,"commit":"' % (_quoted(call), call_seq)
    rest = b'","kind":%b,"log":%b,"seq":%d,"time_ms":' % (_quoted(kind), log, seq)
    at = len(start) + 64 + len('","key":"') + 32
    if not leaf.startswith(start) or not leaf.startswith(rest, at):
        return -1
    time_ms, end, _ = leaf[at + len(rest) :].partition(b',"v":2}\n')
    return int(time_ms) if end and time_ms.isdigit() else -1


@lru_cache(maxsize=1_000)
def _quoted(name: bytes) -> bytes:
    return json.dumps(name.decode(), ensure_ascii=False).encode()


class _Places(dict[bytes, int]):
    """The place of each call's last event. Most lie in a temporary file: there may be millions of calls."""

    IN_MEMORY = 20_000

    def __init__(self) -> None:
        self._file = sqlite3.connect("")
        self._file.execute("CREATE TABLE places (call BLOB PRIMARY KEY, place INTEGER) WITHOUT ROWID")
        self.close = self._file.close

    def __missing__(self, call: bytes) -> int:
        if len(self) >= self.IN_MEMORY:
            self._file.executemany("REPLACE INTO places VALUES (?, ?)", self.items())
            self.clear()
        row = self._file.execute("SELECT place FROM places WHERE call = ?", (call,)).fetchone()
        return int(row[0]) if row else -1


# -- A ledger in SQLite ---------------------------------------------------------------------------------------
_TABLES = {
    "CREATE TABLE entries ( log TEXT NOT NULL, seq BIGINT NOT NULL, call_id TEXT NOT NULL, call_seq BIGINT NOT NULL,"
    " kind TEXT NOT NULL, leaf BLOB NOT NULL, leaf_hash BLOB NOT NULL, PRIMARY KEY (log, seq) )",
    "CREATE TABLE checkpoints ( log TEXT NOT NULL, size BIGINT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (log, size) )",
    "CREATE TABLE heads ( log TEXT NOT NULL, size BIGINT NOT NULL, frontier BLOB NOT NULL, note TEXT NOT NULL,"
    " kept_size BIGINT NOT NULL, kept_ms BIGINT NOT NULL, PRIMARY KEY (log) )",
}  # a view may show something else to each who reads it
_QUERIES = (  # a value of another type than its column's is none: it reads the same, but nobody would find it
    "SELECT seq, call_id, call_seq, kind,"  # text is less than every blob
    " iif(call_id < x'' AND kind < x'' AND leaf >= x'' AND leaf_hash >= x'', leaf, NULL),"
    " CAST(ifnull(leaf_hash, '') AS BLOB) FROM entries WHERE log = ? ORDER BY seq",
    "SELECT iif(typeof(size) = 'integer', size, 0), iif(typeof(note) = 'text', note, NULL) FROM checkpoints"
    " WHERE log = ? ORDER BY 1",
    "SELECT iif(typeof(size) = 'integer', size, 0), iif(typeof(frontier) = 'blob', frontier, NULL),"
    " iif(typeof(note) = 'text', note, NULL) FROM heads WHERE log = ?",
)


def verify_ledger(path: Path, key: Key, *, log: str = "", anchor: Anchor = ()) -> Verification:
    """Checks one log of a ledger kept in SQLite; by default the one that the key is named after.

    Raises:
        VerifierError: the file is no ledger, or it cannot be read.
    """
    log = log or unquote(key.name.rpartition("/")[2])
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        if not os.access(path.absolute().parent, os.W_OK) and not Path(f"{path}-wal").exists():
            uri += "&immutable=1"  # where nobody can write, SQLite cannot make the files that it shares a ledger by
        with ThreadPoolExecutor(1) as beside, closing(sqlite3.connect(uri, uri=True)) as db:
            db.execute("BEGIN")  # one state of the ledger, though it may grow meanwhile
            made = db.execute("SELECT sql FROM sqlite_master WHERE type = 'table'")
            if not {" ".join(sql.split()) for (sql,) in made} >= _TABLES:
                raise VerifierError(f"{path}: this is no ledger, or its tables were replaced, as by views")
            db.text_factory = bytes
            if not any(db.execute(query, (log,)).fetchone() for query in _QUERIES):
                raise VerifierError(f"{path}: there is no log {log!r} in this ledger, or it is empty")
            damage = beside.submit(_damage, uri)
            rows, checkpoints, head = (db.execute(query, (log,)) for query in _QUERIES)
            found = verify_log(log, key, rows, checkpoints, head.fetchone(), anchor=anchor)
            for told in damage.result():
                found.add(f"the file does not fit itself: {told}")
            return found
    except (sqlite3.Error, OSError, UnicodeError) as error:
        raise VerifierError(f"{path}: this is no ledger that can be read: {error}") from error


def _damage(uri: str) -> list[str]:
    """Where SQLite finds that tables and indexes differ: an event that an index hides would not be shown to anybody."""
    with closing(sqlite3.connect(uri, uri=True)) as db:
        return [told for (told,) in db.execute("PRAGMA integrity_check(10)") if told != "ok"]


# -- An export ------------------------------------------------------------------------------------------------
def verify_export(path: Path, key: Key) -> Verification:
    """Checks an export: each event is in the log as signed, in order, and none before a call's last one is left out.

    ``path`` is its folder, whose files have to be those of a signed list, or one with proofs: ``proofs.jsonl``, a vCon.

    Raises:
        VerifierError: this is no export, or it cannot be read.
    """
    found = Verification()
    try:
        if path.is_dir():
            _check_files(path, key, found)
            path = path / "proofs.jsonl"
        with path.open("rb") as file:
            if path.suffix == ".json":
                _check_vcon(json.load(file), key, found)
            else:
                _check_proofs(map(json.loads, file), key, found)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as e:
        raise VerifierError(f"{path}: this is no export that can be read ({type(e).__name__})") from e
    return found


def _check_files(folder: Path, key: Key, found: Verification) -> None:
    """The manifest is a signed note: ``<log>/export``, then a line ``<SHA-256 in hex>  <name>`` for each file."""
    title, *lines = (key.opened((folder / "manifest.txt").read_bytes()) or b"\n").decode().splitlines()
    if title != f"{key.name}/export":
        return found.add(f"the list of the export's files is not signed by the key {key.name}")
    listed, present = {line[66:]: line[:64] for line in lines}, dict[str, str]()
    for path in folder.rglob("*"):
        if path.is_file() and path != folder / "manifest.txt":
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            present[path.relative_to(folder).as_posix()] = digest
    for name in sorted(listed.keys() | present.keys()):
        if listed.get(name) != present.get(name):
            what = "is missing" if name not in present else "was changed" if name in listed else "was added"
            found.add(f"the file {name} {what}")
    return None


def _check_vcon(vcon: Any, key: Key, found: Verification) -> None:
    """The proofs are an attachment; everything for people to read has to be what the proved events say."""
    (proofs,) = [one["body"] for one in vcon["attachments"] if one.get("purpose") == "patchbay-proofs"]
    _check_proofs(iter(proofs), key, found)
    events = [json.loads(one["event"]) for one in proofs[1:]]
    added_ms = [json.loads(b64decode(one["leaf"]).partition(b"\n")[0])["time_ms"] for one in proofs[1:]]
    first, last = (datetime.fromtimestamp(at_ms / 1000, UTC) for at_ms in (added_ms[0], added_ms[-1]))
    began = next((event["started_at"] for event in events if event["kind"] == "call_started"), "")
    with suppress(ValueError):
        first = datetime.fromisoformat(began)
        first = first if first.tzinfo else first.replace(tzinfo=UTC)

    def at(ms: float) -> str:
        return (first + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")

    who = [(event["kind"], event.get("person", "")) for event in events]
    parties = [("caller_said", ""), ("agent_said", "")]
    parties += dict.fromkeys(one for one in who if one[0] == "human_said")
    text = {"type": "text", "mediatype": "text/plain", "encoding": "none"}
    said = [
        text
        | {"body": event["text"], "parties": parties.index(one), "start": at(event["start_ms"])}
        | {"duration": round(max(event["end_ms"] - event["start_ms"], 0) / 1000, 3)}
        for event, one in zip(events, who, strict=True)
        if one in parties
    ] or [{"type": "incomplete", "start": at(0), "disposition": "hung-up"}]
    for number, (part, true) in enumerate(zip_longest(vcon["dialog"], said)):
        if part != true:
            found.add(f"part {number} of the dialog is not what the events say")
    people = [{"type": "person"} | ({"name": name} if name else {}) for _, name in parties[2:]]
    if vcon["parties"] != [{"type": "person", "validation": "none"}, {"type": "bot"}, *people]:
        found.add("the parties are not who spoke in the events")
    if [one["body"] for one in vcon["analysis"]] != [events]:
        found.add("the analysis is not of the events")
    if [vcon["subject"]] != [f"Support call {call}" for call in {event["call_id"] for event in events}]:
        found.add("the subject is not the call of the events")
    if vcon["created_at"] != last.isoformat(timespec="milliseconds").replace("+00:00", "Z"):
        found.add("it was not made when the last event was added")
    if [one["body"] for one in vcon["attachments"]] != [proofs, proofs[0]["checkpoint"]] or len(vcon) != 8:
        found.add("something was added that no event says")


def _check_proofs(lines: Iterator[Any], key: Key, found: Verification) -> None:
    """First the signed checkpoint, then events, each with its leaf and the proof that the leaf is in the log.

    Of a call that was erased no event has its text, and of another every one.
    """
    start: Any = next(lines, {})
    signed = signed_checkpoint(start["checkpoint"].encode(), key)
    if signed is None:
        return found.add(f"the checkpoint is not signed by the key {key.name}")
    found.root = signed.root.hex()
    places, erased = dict[str, int](), dict[str, bool]()
    for line in lines:
        leaf, *proof = (b64decode(part, validate=True) for part in (line["leaf"], *line["proof"]))
        try:
            head = dict(json.loads(leaf.partition(b"\n")[0]))
        except (ValueError, TypeError):
            head = {}
        call, kind, number, bad = str(head.get("call")), head.get("kind"), head.get("call_seq"), ""
        expected = places.get(call, 0)
        if not included(leaf_hash(leaf), line["seq"], signed.size, proof, signed.root):
            bad = "was changed or moved: it is not in the log that was signed"
        elif number != expected:
            bad = f"is number {number} of its call, but number {expected} is missing"
        elif erased.setdefault(call, line["event"] is None) != (line["event"] is None):
            bad = "was changed: it has its text and others of its call have not, or the other way round"
        elif line["event"] is None:
            found.unread += 1
        else:
            event, text = json.loads(line["event"]), line["event"].encode()
            commit = hmac.digest(bytes.fromhex(line["opening"]), text, "sha256").hex()
            if (commit, event["kind"], event["call_id"]) != (head["commit"], kind, call):
                bad = "was changed: its text is not what its leaf commits to"
        if bad:
            found.add(bad, line["seq"], call, kind)
        places[call] = number + 1 if type(number) is int else 0
        found.events += 1
    if not found.events:
        raise ValueError("no event to check")
    return None


# -- The tree: RFC 6962, section 2.1 --------------------------------------------------------------------------
def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\0" + leaf).digest()


def _parent(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


class Tree:
    """A tree that grows: only the roots of its perfect subtrees are kept, at most one for each bit of its size."""

    def __init__(self) -> None:
        self.size, self.roots = 0, list[bytes]()

    def add(self, digest: bytes) -> None:
        roots, size = self.roots, self.size
        while size & 1:
            digest = sha256(b"\1" + roots.pop() + digest).digest()
            size >>= 1
        roots.append(digest)
        self.size += 1

    def root(self) -> bytes:
        *lefts, root = self.roots or [sha256().digest()]
        for left in reversed(lefts):
            root = _parent(left, root)
        return root


def included(digest: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """Whether ``proof``, the siblings on the way up, shows a leaf to be in the tree of that size and root."""
    if not 0 <= index < size:
        return False
    right_halves = []  # from the root down: whether the leaf is in the right half
    while size > 1:
        left = 1 << (size - 1).bit_length() - 1  # how many leaves the left half has: a power of two
        right_halves.append(index >= left)
        index, size = (index - left, size - left) if index >= left else (index, left)
    for right, sibling in zip(reversed(right_halves), proof, strict=False):
        digest = _parent(sibling, digest) if right else _parent(digest, sibling)
    return len(proof) == len(right_halves) and digest == root


# -- Signed notes and checkpoints: C2SP -----------------------------------------------------------------------
class Key:
    """A log's public key as signed notes write it: ``name+id+`` and, in base64, a byte 01 and an Ed25519 key.

    Raises:
        VerifierError: this is no such key, or one of small order, which everything verifies with.
    """

    def __init__(self, vkey: str) -> None:
        self.vkey = vkey.strip()
        try:
            self.name, key_id, encoded = self.vkey.split("+", 2)
            key = b64decode(encoded, validate=True)
            self._id, self._public = sha256(self.name.encode() + b"\n" + key).digest()[:4], key[1:]
            if len(key) != 33 or key[0] != 1 or self._id.hex() != key_id:
                raise ValueError
            self._point = _point(self._public)
        except ValueError:
            raise VerifierError(f"this is not an Ed25519 key, name+id+base64: {vkey[:80]!r}") from None

    def opened(self, note: bytes) -> bytes | None:
        """The text of a signed note, when one of its signatures is this key's."""
        text, _, signatures = note.rpartition(b"\n\n")
        line = f"^\N{EM DASH} {re.escape(self.name)} ([A-Za-z0-9+/]{{91}}=)$".encode()
        for encoded in re.findall(line, signatures, re.MULTILINE):
            data = b64decode(encoded)
            one_form = b64encode(data) == encoded  # other texts decode to the same bytes
            if one_form and data[:4] == self._id and self.signed(text + b"\n", data[4:]):
                return text + b"\n"
        return None

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's; a second form of a true signature (S not below L) is refused."""
        s = int.from_bytes(signature[32:], "little")
        if len(signature) != 64 or s >= _L:
            return False
        digest = hashlib.sha512(signature[:32] + self._public + message).digest()
        x, y = _times(int.from_bytes(digest, "little") % _L, self._point)
        x, y = _sum(_times(s, _BASE), (_P - x, y))
        return (y | x % 2 << 255).to_bytes(32, "little") == signature[:32]


_CHECKPOINT = re.compile(
    rb"(.+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\ntime_ms ([0-9]{1,18})\nkept ([0-9a-f]{64})\n\n(?s:.*)"
)


class Checkpoint(NamedTuple):
    """What a note says, signed or not: at ``time_ms`` the log's first ``size`` events had this root."""

    size: int
    root: bytes
    time_ms: int
    kept: bytes  # SHA-256 in hex of the note that was kept before this one; of nothing for the first


def read_checkpoint(note: object, name: str) -> Checkpoint | None:
    """The checkpoint in a note, or nothing when it is not one of the log of that name."""
    match = _CHECKPOINT.fullmatch(note) if isinstance(note, bytes) else None
    if match is None or match[1] != name.encode():
        return None
    return Checkpoint(int(match[2]), b64decode(match[3]), int(match[4]), match[5])


def signed_checkpoint(note: bytes, key: Key) -> Checkpoint | None:
    """The checkpoint in a note, or nothing when the key did not sign it."""
    return read_checkpoint(note, key.name) if key.opened(note) is not None else None


# -- Ed25519: RFC 8032, section 5.1 ---------------------------------------------------------------------------
_P, _L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_Point = tuple[int, int]


def _point(encoded: bytes) -> _Point:
    """The point of a public key. One of small order, or encoded otherwise than the RFC does, is a ValueError."""
    sign, y = divmod(int.from_bytes(encoded, "little"), 2**255)
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if y >= _P or x * x % _P != square or (x == 0 and sign) or _times(8, (x, y)) == (0, 1):
        raise ValueError("not a point that is a key")
    return (x if x % 2 == sign else _P - x), y


def _sum(one: _Point, other: _Point) -> _Point:
    (x1, y1), (x2, y2) = one, other
    t = _D * x1 * x2 * y1 * y2 % _P
    scale = pow(1 - t * t, -1, _P)
    return (x1 * y2 + x2 * y1) * (1 - t) * scale % _P, (y1 * y2 + x1 * x2) * (1 + t) * scale % _P


def _times(scalar: int, point: _Point) -> _Point:
    product = 0, 1
    for bit in f"{scalar:b}":
        product = _sum(product, product)
        if bit == "1":
            product = _sum(product, point)
    return product


_BASE = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))


# -- The command ----------------------------------------------------------------------------------------------
def main(arguments: list[str] | None = None) -> int:
    """Says what was found; returns 0 when the record holds, 1 when it does not, 2 when nothing could be checked."""
    parser = argparse.ArgumentParser(description="Check a Patchbay ledger or an export of one.")
    parser.add_argument("record", type=Path, help="a ledger, an export's folder, its proofs.jsonl, or a vCon")
    parser.add_argument("--key", required=True, help="the log's public key, or a file with it")
    parser.add_argument("--anchor", type=Path, help="a file that checkpoints and hashes were published in")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    try:
        file = Path(given.key)
        key = Key(given.key if "+" in given.key and not file.is_file() else file.read_text())
        with given.anchor.open("rb") if given.anchor else nullcontext(()) as anchor:
            if given.record.is_dir() or given.record.suffix in (".json", ".jsonl"):
                found = verify_export(given.record, key)
            else:
                found = verify_ledger(given.record, key, anchor=anchor)
    except (VerifierError, OSError, UnicodeError) as error:
        print(json.dumps({"ok": None, "error": str(error)}) if given.json else f"cannot check: {error}")
        return 2
    verdict = "HOLDS" if found.ok else "DOES NOT HOLD"
    print(json.dumps(found.as_json(), indent=2) if given.json else f"{verdict}: {found.sentence}")
    return 0 if found.ok else 1


if __name__ == "__main__":
    sys.exit(main())
