"""`bellwire example-till`: a command that a plugin brings."""

import click


@click.command()
def till() -> None:
    """Show that a plugin's command runs."""
    click.echo("ring")
