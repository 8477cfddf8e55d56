"""The objects of the stand-in organization: their fields, what may be written, and what a record begins with."""

from __future__ import annotations

_SYSTEM = ("Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp")

_FIELDS = {
    "Organization": "Name Country LanguageLocaleKey DefaultLocaleSidKey TimeZoneSidKey",
    "User": "Name FirstName LastName Email MobilePhone Phone LanguageLocaleKey LocaleSidKey TimeZoneSidKey Username",
    "Contact": (
        "FirstName LastName Name Email MobilePhone Phone HomePhone OtherPhone AssistantPhone MailingCountry AccountId OwnerId"
        " MasterRecordId DoNotCall HasOptedOutOfEmail SMS_Opt_Out__c"
    ),
    "Lead": (
        "FirstName LastName Name Email Company Status LeadSource MobilePhone Phone Country OwnerId IsConverted ConvertedContactId"
        " MasterRecordId DoNotCall SMS_Opt_Out__c"
    ),
    "Account": "Name Phone BillingCountry OwnerId",
    "Case": (
        "CaseNumber Subject Description Status Priority Origin Reason ContactId AccountId IsClosed ContactMobile ContactPhone"
        " SuppliedName SuppliedEmail SuppliedPhone OwnerId"
    ),
    "CaseComment": "ParentId CommentBody IsPublished",
    "Opportunity": "Name StageName Amount CloseDate AccountId OwnerId IsClosed",
    "OpportunityContactRole": "OpportunityId ContactId IsPrimary Role",
    "Order": "OrderNumber Name Status TotalAmount BillToContactId AccountId OwnerId",
    "Task": "Subject Status ActivityDate Description WhoId WhatId OwnerId Type",
    "SMS_Message__c": (
        "Name Message_Id__c Status__c Direction__c Segments__c Error_Code__c Contact__c Lead__c Case__c Opportunity__c Account__c"
        " Record_Id__c Sent_At__c Source__c Trigger__c Msisdn_Tail__c Text__c"
    ),
}

OBJECTS = {kind: (*_SYSTEM, *names.split()) for kind, names in _FIELDS.items()}

#: Fields of an organization with Person Accounts.
PERSON_ACCOUNTS = {
    "Account": (
        "IsPersonAccount", "FirstName", "LastName", "PersonEmail", "PersonMobilePhone", "PersonHomePhone", "PersonOtherPhone",
        "PersonMailingCountry", "PersonContactId", "SMS_Opt_Out__pc",
    ),
    "Contact": ("IsPersonAccount",),
}  # fmt: skip

PREFIXES = {
    "Account": "001",
    "Contact": "003",
    "User": "005",
    "Opportunity": "006",
    "Lead": "00Q",
    "Task": "00T",
    "CaseComment": "00a",
    "Organization": "00D",
    "OpportunityContactRole": "00K",
    "Case": "500",
    "Order": "801",
    "SMS_Message__c": "a00",
}

REQUIRED = {"Task": (), "Case": (), "CaseComment": ("ParentId",), "Contact": ("LastName",), "Lead": ("LastName", "Company")}
LENGTHS = {
    ("Task", "Subject"): 255,
    ("Task", "Description"): 32_000,
    ("CaseComment", "CommentBody"): 4_000,
    ("Case", "Subject"): 255,
}
#: Look-up → the object it leads to; "" any.
LOOKUPS = {
    "Contact__c": "Contact",
    "Lead__c": "Lead",
    "Case__c": "Case",
    "Opportunity__c": "Opportunity",
    "Account__c": "Account",
    "ContactId": "Contact",
    "AccountId": "Account",
    "ParentId": "Case",
    "WhoId": "",
    "WhatId": "",
}
READ_ONLY = {*_SYSTEM, "CaseNumber", "OrderNumber", "IsClosed", "ContactMobile", "ContactPhone"}
PHONES = ("MobilePhone", "Phone", "HomePhone", "OtherPhone", "PersonMobilePhone")
EXTERNAL_IDS = {("SMS_Message__c", "Message_Id__c")}


def long_id(fifteen: str) -> str:
    """The id with the three characters that make it independent of case."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    bits = [sum(1 << i for i in range(5) if fifteen[5 * part + i].isupper()) for part in range(3)]
    return fifteen + "".join(letters[one] for one in bits)
