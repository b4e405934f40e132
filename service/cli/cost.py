"""``patchbay cost``: what calls cost, what a turn would cost, and from which volume on one's own line pays."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from service.cli.app import Json, explained, settings
from service.cli.errors import CommandError
from service.costs import By, Position
from service.words import SIMULATED_NOTE, dollars

SCHEMA = "patchbay.cost/1"

cost = typer.Typer(
    name="cost",
    help="What calls cost, by the record and by the price book.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Set = Annotated[
    str, typer.Option("--set", help="A set of the price book; by default the list that calls are billed by.")
]


@cost.command()
def bill(
    by: Annotated[By, typer.Option("--by", help="What a line of the bill is for.")] = "model",
    call: Annotated[list[str] | None, typer.Option("--call", help="Only this call; may be repeated.")] = None,
    ledger: Annotated[
        str, typer.Option("--ledger", help="A path or URL; by default the one that is configured.")
    ] = "",
    json: Json = False,
) -> None:
    """Add up what the calls on record used, and how much of it was conversation sent again."""
    from service.cli.audit.desk import known_calls
    from service.cli.policy.shared import each, reading
    from service.costs import NEEDS, total
    from service.costs import bill as added_up

    with explained(), reading(ledger or settings().ledger, "cost bill") as record:
        chosen = known_calls(record, call) if call else record.calls()
        lines = added_up((record.events(one, kinds=NEEDS) for one in each(chosen, "adding up")), by)
    whole = total(lines, len(chosen))
    if json:
        _print({"by": by, "lines": [asdict(line) for line in lines], "total": asdict(whole)})
        return
    table = _table(by, "calls", "uses", "cost", "sent again", "unpriced")
    for line in lines:
        table.add_row(line.name, *_figures(line))
    table.add_section()
    table.add_row("total", *_figures(whole), style="bold")
    console = Console()
    console.print(table)
    if whole.unwanted_usd:
        console.print(
            f"{dollars(whole.unwanted_usd)} of it for replies that were begun early and thrown away",
            highlight=False,
        )
    if whole.simulated:
        console.print(f"[yellow]simulated[/]: {SIMULATED_NOTE}; nothing was paid", highlight=False)


@cost.command()
def turn(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Models of one turn, such as openai/tts-1: with their sum. By default all.",
            show_default=False,
        ),
    ] = None,
    caller_s: Annotated[float, typer.Option("--caller-s", help="Seconds the caller speaks.", min=0)] = 10.0,
    agent_s: Annotated[float, typer.Option("--agent-s", help="Seconds the agent speaks.", min=0)] = 9.0,
    characters: Annotated[int, typer.Option("--characters", help="Of the reply, for a voice.", min=0)] = 130,
    input_tokens: Annotated[int, typer.Option("--input-tokens", help="For a language model.", min=0)] = 1000,
    output_tokens: Annotated[int, typer.Option("--output-tokens", help="Of the reply.", min=0)] = 40,
    prices: Set = "",
    json: Json = False,
) -> None:
    """What one use of each model would cost by the price book: ears, minds, voices and realtime models.

    A second of audio is reckoned as 10 tokens where a model hears it and 20 where it says it, with Gemini Live 25.
    """
    from service.costs import Turn, use_of

    reckoned = Turn(caller_s, agent_s, characters, input_tokens, output_tokens)
    with explained():
        book = _book(prices)
        rows = []
        for model in models or book.of:
            provider, _, name = model.partition("/")
            if (price := book.price(provider, name)) is None:
                raise CommandError(f"{book.file} has no price of {model!r}; it has {', '.join(book.of)}")
            use = use_of(provider, price.usd.keys(), reckoned)
            rows.append((model, use, book.cost_usd(provider, name, use), price))
    total_usd = sum(usd for _, _, usd, _ in rows) if models else None
    if json:
        _print(
            {
                "as_of": book.as_of,
                "total_usd": total_usd,
                "models": [
                    {
                        "model": model,
                        "used": use,
                        "cost_usd": usd,
                        "source": price.source,
                        "as_of": price.as_of,
                    }
                    for model, use, usd, price in rows
                ],
            }
        )
        return
    table = _table("model", "one turn", "priced by", "as of")
    for model, use, usd, price in rows:
        table.add_row(model, dollars(usd), ", ".join(unit.replace("_", " ") for unit in use), price.as_of)
    if total_usd is not None:
        table.add_section()
        table.add_row("total", dollars(total_usd), style="bold")
    Console().print(table)


@cost.command("break-even")
def break_even(
    against_usd: Annotated[
        list[float],
        typer.Option("--against-usd", help="A price per minute elsewhere; may be repeated.", min=0),
    ],
    fixed_usd: Annotated[
        float, typer.Option("--fixed-usd", help="What the line costs a month at any volume.", min=0)
    ] = 10_000.0,
    own_usd: Annotated[float, typer.Option("--own-usd", help="What a minute costs on top.", min=0)] = 0.02,
    json: Json = False,
) -> None:
    """From how many minutes a month on one's own line costs less than a price per minute."""
    from service.costs import break_even_minutes

    found = [
        (price, break_even_minutes(fixed_usd=fixed_usd, own_usd=own_usd, against_usd=price))
        for price in against_usd
    ]
    if json:
        _print(
            {
                "fixed_usd": fixed_usd,
                "own_usd": own_usd,
                "break_even": [{"against_usd": price, "minutes": minutes} for price, minutes in found],
            }
        )
        return
    table = _table("against a minute at", "minutes a month", "both cost then")
    for price, minutes in found:
        if minutes is None:
            table.add_row(dollars(price), "never", "–")
        else:
            table.add_row(dollars(price), f"{minutes:,.0f}", f"{dollars(minutes * price)} a month")
    Console().print(table)


def _book(name: str) -> Any:
    from engines.prices import Prices

    book = Prices.load(settings().prices)
    if name and name not in book.sets:
        raise CommandError(f"{book.file} has no set {name!r}; it has {', '.join(book.sets) or 'none'}")
    return book.sets[name] if name else book


def _figures(line: Position) -> tuple[str, ...]:
    return (
        str(line.calls),
        f"{line.uses:,}",
        dollars(line.cost_usd),
        dollars(line.again_usd),
        str(line.unpriced or "–"),
    )


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in others:
        if name == "priced by":
            table.add_column(name, max_width=20)
        else:
            table.add_column(name, justify="right", no_wrap=True)
    return table


def _print(value: dict[str, Any]) -> None:
    from service.cli.policy.shared import print_json

    print_json({"schema": SCHEMA, **value})
