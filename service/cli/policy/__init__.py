"""``patchbay policy``: what each subcommand is called and takes. What they do stands beside this module."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from service.cli.app import Json, explained, run, settings

policy = typer.Typer(
    name="policy",
    help="Check, prove, test, try, tune and roll out routing policies.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[POLICY]", help="A policy file; by default the one that is configured.", show_default=False
    ),
]

Mix = Annotated[
    Path | None,
    typer.Option(
        "--mix", help="How callers feel, what they agree to, what is down; by default the shipped mix."
    ),
]
Assume = Annotated[
    Path | None,
    typer.Option("--assume", help="Costs, waits and quality of the engines; by default the shipped table."),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="A folder of labelled conversations; by default the few that ship."),
]
LedgerAt = Annotated[
    str, typer.Option("--ledger", help="A path or URL; by default the one that is configured.")
]


def chosen(file: Path | None) -> Path:
    """The policy file that a command works on: the one named, or else the one that is configured."""
    from service.policies.served import policy_file

    return file or policy_file(settings())


@policy.command()
def replay(
    file: File = None,
    against: Annotated[
        str,
        typer.Option("--against", metavar="LOGGED|FILE", help="Compare with the record, or a second policy."),
    ] = "logged",
    ledger: LedgerAt = "",
    call: Annotated[
        list[str] | None, typer.Option("--call", metavar="ID", help="Only this call; may be given again.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="DAY|TIME", help="Only calls that began from then on; UTC.")
    ] = "",
    until: Annotated[
        str,
        typer.Option("--until", metavar="DAY|TIME", help="Only calls that began before then, or that day."),
    ] = "",
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant's calls.")] = None,
    assume: Annotated[
        Path | None,
        typer.Option(
            "--assume", help="A table of costs and waits for engines that the record does not know."
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write every changed turn to this file.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Changed turns to show; 0 shows all.")] = 20,
    json: Json = False,
) -> None:
    """What a policy would have done to recorded calls: turns, routes, cost, latency.

    First each call is replayed under its own policy, which must give what was logged; exits 1 if it does not.
    """
    from service.cli.policy.replay import Which, replay

    with explained():
        raise typer.Exit(
            replay(
                ledger or settings().ledger,
                chosen(file),
                against=against,
                which=Which.read(call or (), since, until, tenant),
                assume=assume,
                as_json=json,
                csv_file=csv,
                limit=limit,
            )
        )


@policy.command()
def status(
    source: Annotated[
        str,
        typer.Argument(
            metavar="[SOURCE]",
            help="A policy, a bundle, a folder of bundles or an address; by default what is configured.",
            show_default=False,
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Which policy the next call is answered under, and why what is offered is not it. Exits 1 if something is not."""
    from service.cli.policy.status import configured_as, status

    run(lambda: status(configured_as(settings(), source), as_json=json))


@policy.command()
def keygen(
    out: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file for the private key.", dir_okay=False)
    ],
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Protect the private key; asks for a passphrase.")
    ] = False,
) -> None:
    """Make a key pair that signs policies. Prints the public key, the line for PATCHBAY_POLICY_KEYS."""
    from service.cli.policy.keygen import keygen

    with explained():
        raise typer.Exit(keygen(out, protect=passphrase))


@policy.command()
def bundle(
    file: Annotated[Path, typer.Argument(metavar="POLICY", help="A policy file.")],
    key: Annotated[Path, typer.Option("--key", help="The private key that signs it.", dir_okay=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="A file or a folder; by default NAME-VERSION.bundle.json in this one."),
    ] = None,
    not_before: Annotated[
        str, typer.Option("--not-before", metavar="TIME", help="It is not accepted earlier; UTC.")
    ] = "",
    expires: Annotated[
        str, typer.Option("--expires", metavar="TIME", help="It is not accepted from then on; UTC.")
    ] = "",
    json: Json = False,
) -> None:
    """Check and test a policy, and sign it as one file that workers accept. Exits 1 if a test of it fails."""
    from service.cli.policy.bundle import bundle

    with explained():
        raise typer.Exit(
            bundle(settings(), file, key=key, out=out, not_before=not_before, expires=expires, as_json=json)
        )


@policy.command()
def explain(
    call: Annotated[str, typer.Argument(help="A call's id, the beginning of it, or `last`.")],
    turn: Annotated[
        int | None, typer.Argument(min=1, help="Only this turn, in full.", show_default=False)
    ] = None,
    ledger: LedgerAt = "",
    json: Json = False,
) -> None:
    """Why a recorded call was routed as it was. Exits 1 if its archived policy decides otherwise today."""
    from service.cli.policy.explain import explain

    with explained():
        raise typer.Exit(explain(ledger or settings().ledger, call, turn, as_json=json))


@policy.command()
def simulate(
    file: File = None,
    calls: Annotated[int, typer.Option("--calls", min=1, max=200_000, help="How many calls.")] = 5000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same calls.")] = 0,
    mix: Annotated[Path | None, typer.Option("--mix", help="Who calls; by default the shipped mix.")] = None,
    assume: Assume = None,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="POLICY", help="Another policy for the same calls.")
    ] = None,
    tenant: Annotated[str, typer.Option("--tenant", help="Whose calls they are, for an overlay.")] = "",
    json: Json = False,
) -> None:
    """What a policy does with thousands of made-up calls. Exits 1 if a guard is ever passed over."""
    from service.cli.policy.simulate import simulate

    with explained():
        raise typer.Exit(
            simulate(
                chosen(file),
                against=against,
                calls=calls,
                seed=seed,
                tenant=tenant,
                mix=mix,
                assume=assume,
                as_json=json,
            )
        )


Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[POLICY]...",
        help="Policy files; by default the one that is configured.",
        show_default=False,
        dir_okay=False,
    ),
]


@policy.command()
def check(files: Files = None, json: Json = False) -> None:
    """All that is wrong in policies and the tests beside them, as file:line:column. Exits 2 if anything is."""
    from service.cli.policy.check import check

    with explained():
        raise typer.Exit(check(files or [chosen(None)], catalogue=settings().catalogue, as_json=json))


@policy.command()
def schema(
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file to write; by default standard output.", dir_okay=False),
    ] = None,
) -> None:
    """The JSON Schema of policies with the engines of the catalogue, by which editors complete and explain."""
    from service.cli.policy.schema import print_schema

    with explained():
        raise typer.Exit(print_schema(settings().catalogue, out))


@policy.command()
def fmt(
    files: Files = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if a file would change.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="The same, and show what would change.")] = False,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="From standard input to standard output, for editors.")
    ] = False,
) -> None:
    """Lay out policies and their tests: order, indentation, quotes, columns. Comments and the hash stay."""
    from service.cli.policy.fmt import fmt, fmt_stdin

    with explained():
        if stdin:
            raise typer.Exit(fmt_stdin(check=check, diff=diff))
        raise typer.Exit(fmt(files or [chosen(None)], check=check, diff=diff))


@policy.command("test")
def run_tests(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[TESTS]...",
            help="Files of tests; by default the one beside the policy: X.test.yaml beside X.yaml.",
            show_default=False,
            dir_okay=False,
        ),
    ] = None,
    tested: Annotated[
        Path | None,
        typer.Option("--policy", help="What they test; by default the policy beside them.", dir_okay=False),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="Write the results as JUnit XML.", dir_okay=False)
    ] = None,
    coverage_min: Annotated[
        float, typer.Option("--coverage-min", min=0, max=100, metavar="PCT", help="Fail if tests reach less.")
    ] = 0.0,
    json: Json = False,
) -> None:
    """Run the tests of a policy, and name the rules that none reaches. Exits 1 if one fails."""
    from router.cases import beside
    from service.cli.policy.test import run_tests

    with explained():
        raise typer.Exit(
            run_tests(
                files or [beside(chosen(tested))],
                policy=tested,
                junit=junit,
                coverage_min=coverage_min,
                as_json=json,
            )
        )


@policy.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A policy file.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    json: Json = False,
) -> None:
    """What changed from A to B in meaning, and whether any decision can differ. Exits 1 if they differ in meaning."""
    from service.cli.policy.diff import diff

    with explained():
        raise typer.Exit(diff(before, after, as_json=json))


@policy.command()
def frontier(
    file: File = None,
    data: Data = None,
    policies: Annotated[
        list[Path] | None, typer.Option("--policy", help="Put this policy beside it; may be given again.")
    ] = None,
    calls: Annotated[int, typer.Option("--calls", min=0, help="At most, of each corpus; 0 is all.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same calls.")] = 0,
    mix: Mix = None,
    assume: Assume = None,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Say how far assumptions may move before the verdict flips.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="A folder for frontier.svg and frontier.json.", file_okay=False),
    ] = None,
    json: Json = False,
) -> None:
    """A policy beside every fixed engine and an oracle. Exits 1 unless it is clearly better than each engine."""
    from service.cli.policy.frontier import frontier

    with explained():
        raise typer.Exit(
            frontier(
                chosen(file),
                policies=policies or (),
                data=data,
                calls=calls,
                seed=seed,
                mix=mix,
                assume=assume,
                tool_need=settings().tool_need_model,
                sensitivity=sensitivity,
                out=out,
                as_json=json,
            )
        )


@policy.command()
def tune(
    file: File = None,
    data: Data = None,
    ledger: Annotated[
        str, typer.Option("--ledger", help="Take the calls of this ledger instead: a path or URL.")
    ] = "",
    objective: Annotated[
        Literal["utility", "quality", "cost"], typer.Option("--objective", help="What is made better.")
    ] = "utility",
    params: Annotated[
        str,
        typer.Option(
            "--params", help="Only these, as a,b; by default all that rules read and guards do not."
        ),
    ] = "",
    trials: Annotated[int, typer.Option("--trials", min=10, help="Sets of values to try.")] = 200,
    calls: Annotated[int, typer.Option("--calls", min=0, help="At most, of each corpus; 0 is all.")] = 500,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")] = 0,
    mix: Mix = None,
    assume: Assume = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the tuned policy here, if it is clearly better.")
    ] = None,
    json: Json = False,
) -> None:
    """Move params inside their ranges towards an objective; what comes out is judged on calls held out."""
    from router.whatif.tune import Objective
    from service.cli.policy.tune import Options, tune_policy

    names = [name.strip() for name in params.split(",") if name.strip()]
    with explained():
        raise typer.Exit(
            tune_policy(
                chosen(file),
                Options(Objective(objective), names, trials, calls, seed),
                data=data,
                ledger=ledger,
                mix=mix,
                assume=assume,
                tool_need=settings().tool_need_model,
                out=out,
                as_json=json,
            )
        )


@policy.command()
def lint(
    file: File = None,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", help="Only this tenant's policy; by default everybody's and each tenant's."),
    ] = None,
    no_proof: Annotated[
        bool,
        typer.Option("--no-proof", help="Do without the prover: examples from random turns, no verdicts."),
    ] = False,
    json: Json = False,
) -> None:
    """Rules never reached, properties proved or refuted, signals whose noise flips a route. Exits 1 on an error."""
    from service.cli.policy.lint import lint_policy

    with explained():
        raise typer.Exit(
            lint_policy(
                chosen(file),
                catalogue=settings().catalogue,
                tenant=tenant,
                prove=not no_proof,
                as_json=json,
            )
        )
