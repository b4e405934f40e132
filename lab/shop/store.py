"""The shop's records: invented people and their orders, in one SQLite file."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from lab import spoken
from lab.errors import LabError

_SCHEMA = """
CREATE TABLE orders (
  order_number TEXT PRIMARY KEY, customer TEXT NOT NULL, email TEXT NOT NULL, item TEXT NOT NULL,
  amount_usd REAL NOT NULL, status TEXT NOT NULL, ordered_on TEXT NOT NULL, delivery_on TEXT NOT NULL,
  address TEXT NOT NULL
) STRICT;
CREATE TABLE refunds (
  order_number TEXT PRIMARY KEY REFERENCES orders, refund_number TEXT NOT NULL, amount_usd REAL NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE TABLE contact_changes (number INTEGER PRIMARY KEY, email TEXT NOT NULL) STRICT;
"""

PREPARING, ON_ITS_WAY, DELIVERED, REFUNDED = "being prepared", "on its way", "delivered", "refunded"

_SEED: tuple[tuple[str, str, str, float, str, int, int, str], ...] = (
    # number, customer, item, USD, status, ordered (days from today), delivery, address
    ("441792", "Rowan Ashby", "coffee machine", 189.0, ON_ITS_WAY, -4, 3, "12 Mill Lane, Fairview"),
    ("8053162", "Alastair Webb", "washing machine", 549.0, DELIVERED, -33, -27, "7 Harbour Road, Eastport"),
    ("330518", "Selma Thorne", "standing lamp", 74.5, DELIVERED, -12, -8, "3 Orchard Street, Fairview"),
    ("7201946", "Kit Marlow", "espresso beans", 36.0, PREPARING, -1, 5, "88 Station Road, Westfield"),
    ("615083", "Juno Hale", "office chair", 240.0, ON_ITS_WAY, -6, 1, "41 Park Avenue, Eastport"),
    ("9047315", "Tobin Frey", "rain jacket", 119.0, DELIVERED, -20, -16, "5 Chapel Hill, Northam"),
    ("258640", "Maren Oakes", "desk fan", 45.9, REFUNDED, -40, -35, "19 Quarry Lane, Westfield"),
    ("4836127", "Idris Cole", "walking boots", 160.0, PREPARING, -2, 7, "60 Bridge Street, Northam"),
    ("573904", "Nell Harrow", "tea kettle", 58.0, ON_ITS_WAY, -5, 2, "2 Willow Close, Fairview"),
    ("1629458", "Piers Langdon", "record player", 310.0, DELIVERED, -9, -4, "27 Castle Road, Eastport"),
    ("892371", "Wren Sallow", "garden hose", 32.0, ON_ITS_WAY, -3, 4, "14 Field Way, Westfield"),
    ("3075586", "Odette Finch", "vacuum cleaner", 275.0, PREPARING, 0, 9, "9 Market Square, Northam"),
)


class ShopError(LabError):
    """A request the shop cannot grant. The message is for the agent to read and act on."""


@dataclass(frozen=True, slots=True)
class Order:
    order_number: str
    item: str
    status: str
    amount_usd: float
    delivery_date: str
    """As one says it: ``Thursday, November 19``."""
    delivery_on: str
    """ISO 8601."""
    address: str


@dataclass(frozen=True, slots=True)
class Refund:
    order_number: str
    item: str
    refund_number: str
    amount_usd: float
    status: str
    already_refunded: bool
    """True when an earlier request made it: nothing was paid twice."""


@dataclass(frozen=True, slots=True)
class ContactChange:
    email: str
    confirmation_number: str


class Shop:
    """The records in the database at ``path``. Every call is one transaction, so processes may share the file."""

    def __init__(self, path: Path, *, today: date) -> None:
        """Open the database; create and fill it if there is none.

        Args:
            path: the SQLite file; its folder must exist.
            today: the day the seeded orders are relative to, and from which *next thursday* counts.

        Raises:
            LabError: the file cannot be used.
        """
        self._path = path
        self._today = today
        try:
            with self._transaction() as db:
                if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'orders'").fetchone():
                    self._create(db)
        except sqlite3.Error as error:
            raise LabError(f"{path} cannot be used as the shop's database ({error}); name another") from error

    def order(self, order_number: str) -> Order:
        """Raises :class:`ShopError`: there is no such order."""
        with self._transaction() as db:
            return self._order(db, order_number)

    def refund(self, order_number: str, reason: str) -> Refund:
        """Pay an order back, once. Raises :class:`ShopError`: unknown, or not yet with the customer."""
        with self._transaction() as db:
            order = self._order(db, order_number)
            row = db.execute(
                "SELECT refund_number, amount_usd FROM refunds WHERE order_number = ?", [order.order_number]
            ).fetchone()
            if row is not None:
                number, amount_usd = row
                return Refund(order.order_number, order.item, number, amount_usd, REFUNDED, True)
            if order.status != DELIVERED:
                raise ShopError(
                    f"Order {order.order_number} is {order.status}: it can be refunded once it is delivered."
                )
            number = f"RF{order.order_number}"
            db.execute(
                "INSERT INTO refunds VALUES (?, ?, ?, ?)",
                [order.order_number, number, order.amount_usd, reason],
            )
            db.execute("UPDATE orders SET status = ? WHERE order_number = ?", [REFUNDED, order.order_number])
            return Refund(order.order_number, order.item, number, order.amount_usd, REFUNDED, False)

    def change_address(self, order_number: str, address: str) -> Order:
        """Raises :class:`ShopError`: unknown order, already delivered, or no address given."""
        if len(address.split()) < 2:
            raise ShopError("An address needs a street and a town; ask the customer for both.")
        return self._change(order_number, "address", " ".join(address.split()))

    def change_delivery(self, order_number: str, day: str) -> Order:
        """``day``: ISO 8601, or as callers say it (*next thursday morning*).

        Raises :class:`ShopError`: unknown order, already delivered, or not a day to come.
        """
        return self._change(order_number, "delivery_on", self._day(day).isoformat())

    def change_contact(self, email: str) -> ContactChange:
        """``email``: written or spelled. Raises :class:`ShopError`: not an address."""
        address = spoken.email(email)
        if address is None:
            raise ShopError(f"'{email}' is not an e-mail address; ask the customer to spell it.")
        with self._transaction() as db:
            number = db.execute("INSERT INTO contact_changes (email) VALUES (?)", [address]).lastrowid
        return ContactChange(address, f"CC{number}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=5, isolation_level=None)
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        finally:
            db.close()  # what was not committed is undone

    def _create(self, db: sqlite3.Connection) -> None:
        for statement in filter(str.strip, _SCHEMA.split(";")):
            db.execute(statement)
        for number, customer, item, amount_usd, status, ordered, delivery, address in _SEED:
            email = f"{customer.lower().replace(' ', '.')}@example.com"
            days = [(self._today + timedelta(days=d)).isoformat() for d in (ordered, delivery)]
            db.execute(
                "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [number, customer, email, item, amount_usd, status, *days, address],
            )
            if status == REFUNDED:
                db.execute(
                    "INSERT INTO refunds VALUES (?, ?, ?, ?)",
                    [number, f"RF{number}", amount_usd, "arrived broken"],
                )

    def _order(self, db: sqlite3.Connection, order_number: str) -> Order:
        number = "".join(spoken.figures(order_number))
        if not number:
            raise ShopError(f"'{order_number}' holds no digits; ask for the order number, digit by digit.")
        row = db.execute(
            "SELECT item, status, amount_usd, delivery_on, address FROM orders WHERE order_number = ?",
            [number],
        ).fetchone()
        if row is None:
            raise ShopError(f"There is no order {number}. Read it back and ask the customer to check it.")
        item, status, amount_usd, delivery_on, address = row
        day = date.fromisoformat(delivery_on)
        return Order(number, item, status, amount_usd, f"{day:%A, %B} {day.day}", delivery_on, address)

    def _change(self, order_number: str, column: str, value: str) -> Order:
        with self._transaction() as db:
            order = self._order(db, order_number)
            if order.status not in (PREPARING, ON_ITS_WAY):
                raise ShopError(
                    f"Order {order.order_number} is {order.status}: its delivery cannot be changed."
                )
            # The column is one of ours, never the caller's.
            statement = f"UPDATE orders SET {column} = ? WHERE order_number = ?"  # noqa: S608
            db.execute(statement, [value, order.order_number])
            return self._order(db, order.order_number)

    def _day(self, text: str) -> date:
        day = _spoken_day(text.lower(), self._today)
        if day is None:
            raise ShopError(f"'{text}' is not a day; say a weekday or a date such as {self._today:%Y-%m-%d}.")
        if day <= self._today:
            raise ShopError(f"{day:%A, %B} {day.day} is too soon: the earliest delivery is tomorrow.")
        return day


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _spoken_day(text: str, today: date) -> date | None:
    written = re.search(r"\d{4}-\d{2}-\d{2}", text)
    if written:
        try:
            return date.fromisoformat(written.group())
        except ValueError:
            return None
    if "today" in text:
        return today
    if "tomorrow" in text:
        return today + timedelta(days=1)
    for index, weekday in enumerate(_WEEKDAYS):
        if weekday in text:
            return today + timedelta(
                days=(index - today.weekday() - 1) % 7 + 1
            )  # the next such day, not today
    return None
