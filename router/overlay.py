"""A tenant's policy: the shared one with the tenant's overlay laid over it, and with other values for params."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from policies.document import did_you_mean
from router.content import Content, Param, Rule
from router.errors import ParamError
from router.signals import Scalar


def for_tenant(content: Content, tenant: str) -> Content:
    """The content for ``tenant``, who must have an overlay. Guards are only ever added."""
    overlay = content.overlays[tenant]
    inserted: dict[str, list[Rule]] = {}
    for before, rule in overlay.insert:
        inserted.setdefault(before, []).append(rule)

    def rules() -> Iterator[Rule]:
        for rule in content.rules:
            yield from inserted.get(rule.id, ())
            if rule.id not in overlay.disable:
                yield rule

    return replace(
        content,
        params=_set(content.params, overlay.params),
        rules=tuple(rules()),
        guards=content.guards + overlay.guards,
        shadow=tuple(one for one in content.shadow if one.replaces not in overlay.disable),
        experiments=tuple(one for one in content.experiments if one.rule not in overlay.disable),
        overlays={},
        tenant=tenant,
    )


def with_params(content: Content, values: Mapping[str, Scalar]) -> Content:
    """The content with other values for some params, by the name conditions use; its hash says so.

    Raises:
        ParamError: a name that is no param, or a value outside the param's type and range; all of them.
    """
    problems = []
    for name, value in values.items():
        param = content.params.get(name)
        if param is None:
            problems.append(f"{name}: no such param{did_you_mean(name, content.params)}")
        elif not param.allows(value):
            kind = "a whole number, " if isinstance(param.value, int) else ""
            problems.append(f"{name}: {value!r} cannot be, it must be {kind}{param.range}")
    if problems:
        raise ParamError(problems)
    changed = {name: value for name, value in sorted(values.items()) if value != content.params[name].value}
    if not changed:
        return content
    mark = hashlib.sha256(f"{content.hash}{json.dumps(changed)}".encode()).hexdigest()
    return replace(content, params=_set(content.params, values), hash=mark)


def _set(params: Mapping[str, Param], values: Mapping[str, Scalar]) -> Mapping[str, Param]:
    return {
        name: replace(param, value=values[name]) if name in values else param
        for name, param in params.items()
    }
