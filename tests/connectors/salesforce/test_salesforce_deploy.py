"""What is deployed into an organization: well-formed, whole, and true to what the connector writes and the API serves."""

from __future__ import annotations

import json
import re
import runpy
import xml.etree.ElementTree as ET  # its type; files are parsed by defusedxml
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bellwire import Status, StatusChange, WebhookRequest
from bellwire.testing import NOW, installation, sample
from bellwire_connectors.salesforce import connector
from bellwire_connectors.salesforce.action import Asked, Variable
from bellwire_connectors.salesforce.configured import CONSENT_FIELD, DEFAULT_VERSION, MESSAGE_OBJECT
from bellwire_connectors.salesforce.writeback import KEY, LEAST, LOOKUPS, values_of
from bellwire_web.actions_document import actions_document
from bellwire_web.api import ROUTES
from bellwire_web.document import document
from defusedxml import ElementTree as SafeTree
from openapi_spec_validator import OpenAPIV30SpecValidator
from standins.salesforce_objects import OBJECTS

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "salesforce"
SOURCE = FOLDER / "force-app" / "main" / "default"
FILES = sorted(SOURCE.rglob("*-meta.xml"))
NS = {"m": "http://soap.sforce.com/2006/04/metadata"}
ACTIONS = actions_document(document(ROUTES, version="1.0", only_salesforce=True))
ASKED = json.loads((FOLDER / "send-sms.openapi.json").read_text(encoding="utf-8"))
DOCUMENTS = [pytest.param(ACTIONS, id="actions"), pytest.param(ASKED, id="send-sms")]


def tree(path: str) -> ET.Element:
    return SafeTree.parse(SOURCE / path).getroot()


def text(element: ET.Element, name: str) -> str:
    return element.findtext(f"m:{name}", "", NS)


def fields_of(kind: str) -> dict[str, ET.Element]:
    files = (SOURCE / "objects" / kind / "fields").glob("*.field-meta.xml")
    return {text(found, "fullName"): found for found in (SafeTree.parse(file).getroot() for file in files)}


class TestMetadata:
    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
    def test_is_named_as_it_is_called(self, path: Path) -> None:
        root = SafeTree.parse(path).getroot()
        kind = re.sub(r"^.*\.|-meta\.xml$", "", path.name.removesuffix("-meta.xml"))
        names = {"object": "CustomObject", "field": "CustomField", "permissionset": "PermissionSet"}
        assert root.tag == f"{{{NS['m']}}}{names.get(kind, kind[0].upper() + kind[1:])}"
        if kind == "field":
            assert text(root, "fullName") == path.name.partition(".")[0]
        assert not path.read_bytes().startswith(b"\xef\xbb\xbf")

    def test_the_project_s_version_is_the_connector_s(self) -> None:
        project = json.loads((FOLDER / "sfdx-project.json").read_text(encoding="utf-8"))
        assert project["sourceApiVersion"] == DEFAULT_VERSION
        assert all((FOLDER / one["path"]).is_dir() for one in project["packageDirectories"])


class TestTheMessageObject:
    def test_has_every_field_that_is_written(self) -> None:
        change = StatusChange(
            message_id="m",
            status=Status.FAILED,
            at=NOW,
            subject="x/",
            reason="r",
            trigger="t",
            msisdn_tail="42",
            text="x",
            segments=1,
        )
        written = {*values_of(change), *LEAST, *LOOKUPS.values(), "Record_Id__c"}
        assert set(fields_of(MESSAGE_OBJECT)) == written

    def test_is_what_the_stand_in_plays(self) -> None:
        assert set(fields_of(MESSAGE_OBJECT)) == {name for name in OBJECTS[MESSAGE_OBJECT] if name.endswith("__c")}

    def test_its_key_is_a_unique_external_id_that_tells_capitals_apart(self) -> None:
        key = fields_of(MESSAGE_OBJECT)[KEY]
        assert [text(key, name) for name in ("externalId", "unique", "caseSensitive", "required")] == ["true"] * 4
        assert int(text(key, "length")) >= len("msg_") + 32

    def test_its_statuses_are_ours(self) -> None:
        named = {one.text for one in fields_of(MESSAGE_OBJECT)["Status__c"].iterfind(".//m:value/m:fullName", NS)}
        assert {status.value for status in Status} <= named

    def test_its_look_ups_lead_where_they_say(self) -> None:
        fields = fields_of(MESSAGE_OBJECT)
        assert {name: text(fields[name], "referenceTo") for name in LOOKUPS.values()} == {
            name: kind for kind, name in LOOKUPS.items()
        }
        assert {text(fields[name], "deleteConstraint") for name in LOOKUPS.values()} == {"SetNull"}

    def test_its_texts_are_long_enough(self) -> None:
        change = StatusChange(
            message_id="m" * 36, status=Status.FAILED, at=NOW, subject="x", reason="r" * 999, trigger="t" * 999, text="x" * 9_999
        )
        for name, value in values_of(change).items():
            limit = text(fields_of(MESSAGE_OBJECT)[name], "length")
            assert not limit or len(str(value)) <= int(limit), name


@pytest.mark.parametrize("kind", ["Contact", "Lead"])
def test_the_consent_field_is_a_checkbox(kind: str) -> None:
    assert text(fields_of(kind)[CONSENT_FIELD], "type") == "Checkbox"


def test_the_permission_set_covers_every_field_that_is_not_required() -> None:
    granted = tree("permissionsets/Bellwire.permissionset-meta.xml")
    named = {text(one, "field") for one in granted.iterfind("m:fieldPermissions", NS)}
    wanted = {
        f"{kind}.{name}"
        for kind in (MESSAGE_OBJECT, "Contact", "Lead")
        for name, found in fields_of(kind).items()
        if text(found, "required") != "true"  # Salesforce refuses rights on required fields
    }
    assert named == wanted
    assert {text(one, "allowDelete") for one in granted.iterfind("m:objectPermissions", NS)} == {"false"}
    assert [text(one, "name") for one in granted.iterfind("m:userPermissions", NS)] == ["ApiEnabled"]


class TestTheCredentials:
    def test_fit_together(self) -> None:
        external = tree("externalCredentials/Bellwire.externalCredential-meta.xml")
        named = tree("namedCredentials/Bellwire.namedCredential-meta.xml")
        by_type = {text(one, "parameterType"): one for one in external.iterfind("m:externalCredentialParameters", NS)}
        assert text(by_type["AuthHeader"], "parameterValue") == "{!'Bearer ' & $Credential.Bellwire.ApiKey}"
        assert [text(one, "externalCredential") for one in named.iterfind("m:namedCredentialParameters", NS)] == ["", "Bellwire"]
        granted = tree("permissionsets/Bellwire.permissionset-meta.xml")
        principal = granted.findtext("m:externalCredentialPrincipalAccesses/m:externalCredentialPrincipal", "", NS)
        assert principal == f"Bellwire-{text(by_type['NamedPrincipal'], 'parameterName')}"

    def test_hold_no_secret(self) -> None:
        for path in FILES:
            assert not re.search(r"bw_|Bearer [A-Za-z0-9]", path.read_text(encoding="utf-8")), path.name


def test_the_registration_is_what_the_server_serves() -> None:
    path = "externalServiceRegistrations/Bellwire.externalServiceRegistration-meta.xml"
    made = runpy.run_path(str(FOLDER / "make_registration.py"))["registration"]()
    stands = (SOURCE / path).read_text(encoding="utf-8")
    assert stands == made, "python deploy/salesforce/make_registration.py writes it again"
    root = tree(path)
    assert json.loads(text(root, "schema")) == ACTIONS
    assert text(root, "namedCredential") == "Bellwire"
    assert [text(one, "name") for one in root.iterfind("m:operations", NS)] == ["sendMessage", "getMessage", "getConsent"]


# -- the documents, by the rules of External Services ------------------------------------------------------------------------

APEX = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*", re.ASCII)
#: Words of Apex that can't name a property.
RESERVED = {"class", "list", "map", "set", "select", "from", "where", "limit", "new", "return", "date", "time", "number", "object"}


def nodes(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    yield place, value
    if isinstance(value, dict):
        for key, one in value.items():
            yield from nodes(one, f"{place}/{key}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from nodes(one, f"{place}/{number}")


class TestADocumentForFlow:
    @pytest.mark.parametrize("made", DOCUMENTS)
    def test_is_valid_3_0(self, made: dict[str, Any]) -> None:
        assert made["openapi"] == "3.0.3"
        assert [error.message for error in OpenAPIV30SpecValidator(made).iter_errors()] == []

    @pytest.mark.parametrize("made", DOCUMENTS)
    def test_is_within_the_limits(self, made: dict[str, Any]) -> None:
        """Schema Definition Limits: 10,000,000 characters of JSON; descriptions are cut at 1,333."""
        assert len(json.dumps(made)) < 10_000
        for place, node in nodes(made):
            if isinstance(node, dict) and isinstance(node.get("description"), str):
                assert len(node["description"]) <= 1_333, place

    @pytest.mark.parametrize("made", DOCUMENTS)
    def test_names_are_apex_identifiers_in_one_case(self, made: dict[str, Any]) -> None:
        schemas = made["components"]["schemas"]
        operations = [operation for methods in made["paths"].values() for operation in methods.values()]
        names = [operation["operationId"] for operation in operations] + list(schemas)
        names += [one["name"] for operation in operations for one in operation.get("parameters", ())]
        names += [name for schema in schemas.values() for name in schema["properties"]]
        assert [name for name in names if not APEX.fullmatch(name) or name.lower() in RESERVED] == []
        for schema in schemas.values():
            assert len({name.lower() for name in schema["properties"]}) == len(schema["properties"])
        assert len({operation["operationId"] for operation in operations}) == len(operations)

    @pytest.mark.parametrize("made", DOCUMENTS)
    def test_flow_can_fill_and_read_it(self, made: dict[str, Any]) -> None:
        """Plain named objects in JSON: no maps, no unions, no null, no array in an array; one answer an operation."""
        for place, node in nodes(made):
            if isinstance(node, dict) and not place.endswith("/properties"):
                assert not {"oneOf", "anyOf", "allOf", "not", "additionalProperties", "nullable"} & set(node), place
                assert None not in node.get("enum", ()), place
        for schema in made["components"]["schemas"].values():
            assert schema["type"] == "object"
            for one in schema["properties"].values():
                assert "$ref" in one or one["type"] in ("string", "integer", "boolean", "number") or "$ref" in one["items"]
        for methods in made["paths"].values():
            for method, operation in methods.items():
                [(status, answer)] = operation["responses"].items()
                assert status in ("200", "202")
                assert list(answer["content"]) == ["application/json"]
                assert (method == "get") == ("requestBody" not in operation)
                assert all(one["in"] == "path" and one["required"] for one in operation.get("parameters", ()))

    def test_every_reference_leads_somewhere(self) -> None:
        for made in (ACTIONS, ASKED):
            used = {node["$ref"].rpartition("/")[2] for _, node in nodes(made) if isinstance(node, dict) and "$ref" in node}
            assert used == set(made["components"]["schemas"])

    def test_the_action_takes_what_the_connector_reads(self) -> None:
        schemas = ASKED["components"]["schemas"]
        assert set(schemas["MessageAsked"]["properties"]) == set(Asked.model_fields)
        assert set(schemas["MessageAsked"]["required"]) == {name for name, one in Asked.model_fields.items() if one.is_required()}
        assert set(schemas["MessageVariable"]["properties"]) == set(Variable.model_fields)
        assert connector.answer is not None
        asked = sample("bellwire_connectors.salesforce", "message_requested")
        assert set(json.loads(connector.answer(asked, ["evt_1"]).body)) == set(schemas["MessageTaken"]["properties"])

    def test_what_a_flow_leaves_empty_may_be_null(self) -> None:
        body = dict.fromkeys(Asked.model_fields) | {
            "organization_id": "00Dxx0000001gPLEAY",
            "request_id": "r",
            "template": "t",
            "phone": "+12025550101",
        }
        request = WebhookRequest(headers={"content-type": "application/json"}, body=json.dumps(body).encode(), received_at=NOW)
        assert len(connector.read(request, installation(connector))) == 1


def test_what_is_sent_by_the_small_document_is_a_good_request() -> None:
    """Each property of it is one that the API takes, and its words are among the API's."""
    from bellwire_web.api.sending import MessageRequest

    schema = ACTIONS["components"]["schemas"]["MessageRequest"]
    assert set(schema["properties"]) <= set(MessageRequest.model_fields)
    made = {
        "to": "+998900000001",
        "body": "Hello",
        "purpose": schema["properties"]["purpose"]["enum"][0],
        "send_at": "2026-01-31T09:00:00Z",
    }
    MessageRequest.model_validate_json(json.dumps(made))
