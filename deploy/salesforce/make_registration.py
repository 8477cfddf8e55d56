"""Writes the External Service's metadata from the served document: `python deploy/salesforce/make_registration.py`."""

from __future__ import annotations

import json
from pathlib import Path
from xml.sax.saxutils import escape

from bellwire_web.actions_document import actions_document
from bellwire_web.api import ROUTES
from bellwire_web.document import document

FOLDER = Path(__file__).parent / "force-app/main/default/externalServiceRegistrations"
FILE = FOLDER / "Bellwire.externalServiceRegistration-meta.xml"


def registration() -> str:
    """The file's content. The host is the Named Credential's, so no server stands in it."""
    made = actions_document(document(ROUTES, version="1.0", only_salesforce=True))
    names = [operation["operationId"] for methods in made["paths"].values() for operation in methods.values()]
    operations = "".join(
        f"    <operations>\n        <active>true</active>\n        <name>{name}</name>\n    </operations>\n" for name in names
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ExternalServiceRegistration xmlns="http://soap.sforce.com/2006/04/metadata">\n'
        "    <description>Send a text with Bellwire, and see what became of it.</description>\n"
        "    <label>Bellwire</label>\n"
        "    <namedCredential>Bellwire</namedCredential>\n"
        f"{operations}"
        "    <registrationProviderType>Custom</registrationProviderType>\n"
        f"    <schema>{escape(json.dumps(made, separators=(',', ':')))}</schema>\n"
        "    <status>Complete</status>\n"
        "</ExternalServiceRegistration>\n"
    )


if __name__ == "__main__":
    FILE.write_text(registration(), encoding="utf-8")
