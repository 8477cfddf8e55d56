"""`bellwire try-mapping`: what a mapping makes of a body, without an installation. Nothing is stored, nothing is sent."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from bellwire import Event, Installation, PayloadInvalid, WebhookRequest

from .mapping import mapping_of
from .signature import scheme_of
from .webhook import read

_NOBODY = UUID(int=0)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("mapping_file", metavar="MAPPING.json", type=_FILE)
@click.argument("body_file", metavar="BODY.json", type=_FILE)
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="A header of the request; may be given often.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def try_mapping(ctx: click.Context, mapping_file: Path, body_file: Path, headers: Sequence[str], as_json: bool) -> None:
    """Check the mapping in MAPPING.json and read BODY.json with it.

    MAPPING.json holds a mapping, or an installation's settings: {"mapping": {…}, "signature": {…}}. No signature is asked for.
    """
    try:
        settings = _settings(mapping_file)
        events = read(_request(body_file, headers), _installation(settings))
    except (ValueError, PayloadInvalid) as e:
        click.echo(json.dumps({"refused": str(e)}) if as_json else f"refused: {e}")
        ctx.exit(1)
    if as_json:
        click.echo(json.dumps({"events": [dataclasses.asdict(event) for event in events]}, default=str, ensure_ascii=False))
    else:
        _show(events)


def _settings(file: Path) -> dict[str, Any]:
    """The settings in the file, checked. Raises ValueError naming field and fix."""
    found = _json(file)
    settings = found if isinstance(found, dict) and "mapping" in found else {"mapping": found}
    mapping_of(settings["mapping"])
    if "signature" in settings:
        scheme_of(settings["signature"])
    return settings


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as e:
        raise ValueError(f"{file.name}: is not JSON") from e


def _request(file: Path, headers: Sequence[str]) -> WebhookRequest:
    given = {name: value for name, _, value in (one.partition("=") for one in headers)}
    return WebhookRequest(
        headers={name.strip().lower(): value for name, value in given.items()},
        body=file.read_bytes(),
        received_at=datetime.now(UTC),
    )


def _installation(settings: Mapping[str, Any]) -> Installation:
    return Installation(id=_NOBODY, tenant_id=_NOBODY, connector="mapped", settings=settings)


def _show(events: Sequence[Event]) -> None:
    if not events:
        click.echo("read: nothing that the mapping names")
    for event in events:
        click.echo(f"read: {event.type} {event.subject} (id {event.id})")
        click.echo(f"  occurred_at: {event.occurred_at.isoformat()}")
        for role, person in event.people.items():
            click.echo(f"  {role}: ref {person.ref or '-'}, {len(person.phones)} phone(s)")
        for name, value in sorted(event.data.items()):
            click.echo(f"  {name}: {value}")
