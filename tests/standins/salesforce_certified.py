"""The stand-in organization as the certification kit asks for it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from bellwire import WebhookRequest
from bellwire.model import Json
from bellwire.testing.standins import Fault, StandIn
from standins import salesforce

ACTION = "04kxx0000099999AAA"
#: What differs each time: our own writes are compared by the rest.
_OWN = {"Id", "CreatedDate", "LastModifiedDate", "SystemModstamp", "CreatedById", "LastModifiedById", "Contact__c", "Record_Id__c"}
_WRITTEN = ("SMS_Message__c", "Task", "CaseComment")


class CertifiedOrganization(StandIn):
    """Somebody's organization, with the app allowed by its consumer key and secret."""

    def __init__(self) -> None:
        self._org = salesforce.Organization(now=lambda: self.now())
        self._number = itertools.count(1)
        self._reported: set[tuple[str, str, str]] = set()

    def start(self) -> None:
        self._org.__enter__()

    def stop(self) -> None:
        self._org.__exit__()

    @property
    def url(self) -> str:
        return self._org.url

    def credentials(self) -> Mapping[str, Any]:
        org = self._org
        return {"consumer_key": org.consumer_key, "consumer_secret": org.consumer_secret, "access_token": org.token()}

    def settings(self) -> Mapping[str, Any]:
        return {"organization_id": self._org.id, "integration_user": self._org.user, "actions": {}, "opt_in_field": ""}

    def fail(self, *faults: Fault) -> None:
        self._org.fail(
            *(
                salesforce.Fault(status=one.status, headers=one.headers, body=one.body, cut=one.cut, slow_s=one.slow_s)
                for one in faults
            )
        )

    def calls(self) -> int:
        return self._org.hits

    def subject(self) -> str:
        number = next(self._number)
        phone = f"(202) 555-{number:04d}"
        return f"contact/{self._org.add('Contact', FirstName='Ana', LastName=f'Example {number}', MobilePhone=phone)}"

    def written(self) -> Json:
        rows = [row for kind in _WRITTEN for row in self._org.records[kind].values()]
        return [{name: value for name, value in row.items() if name not in _OWN} for row in rows]

    def expire_tokens(self) -> None:
        self._org.end_sessions()

    def refreshes(self) -> int:
        return len(self._org.token_calls)

    def person(self) -> tuple[str, str]:
        before = self.now() - timedelta(days=2)
        contact = self._org.add("Contact", at=before, LastName="Example", Phone="(202) 555-0170", SMS_Opt_Out__c=True)
        return "+12025550170", contact

    def consent(self, msisdn: str) -> str:
        found = [row for row in self._org.records["Contact"].values() if str(row.get("Phone", "")).endswith(msisdn[-4:])]
        return ("opted_out" if found[0]["SMS_Opt_Out__c"] else "opted_in") if found else ""

    def happen(self) -> str:
        number = next(self._number)
        phone = f"(202) 555-1{number:03d}"
        return f"lead/{self._org.add('Lead', FirstName='Lee', LastName='Sample', Company='Example Works', MobilePhone=phone)}"

    def reports(self, subject: str) -> Sequence[WebhookRequest]:
        """A message about the contact and one about each record of ours, where they changed since the last ones."""
        contact = subject.partition("/")[2]
        if any(row.get("Contact__c") == contact for row in self._org.records["SMS_Message__c"].values()):
            self._org.edit("Contact", contact, by=self._org.user)  # a roll-up of the organization's own, in our name
        some = [("Contact", contact), *(("SMS_Message__c", one) for one in self._org.records["SMS_Message__c"])]
        changed = [(kind, one) for kind, one in some if (kind, one, self._stamp(kind, one)) not in self._reported]
        self._reported |= {(kind, one, self._stamp(kind, one)) for kind, one in changed}
        headers = {"content-type": "text/xml; charset=utf-8", "soapaction": '""'}
        return [WebhookRequest(headers=headers, body=self._org.envelope(ACTION, [one]), received_at=self.now()) for one in changed]

    def _stamp(self, kind: str, record_id: str) -> str:
        return str(self._org.records[kind][record_id]["SystemModstamp"])
