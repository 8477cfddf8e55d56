"""The certification kit around its rules: carriers, scorecards, ticks, exemptions, stand-ins, and the two lines for an author."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bellwire_example
import pytest
from bellwire import Capability, Carrier, ErrorClass, Outcome, SignatureMismatch, Verdict
from bellwire.certification import CONNECTOR_RULES, Answer, Kit, Level, Quality, Scale, Scorecard
from bellwire.certification import Outcome as Went
from bellwire.certification.quality import Exempt, Named, quality_of
from bellwire.errors import ConfigInvalid
from bellwire_connectors import salesforce, twilio

CONNECTOR, CARRIER = bellwire_example.connector, bellwire_example.carrier
TWILIO: Any = twilio.carrier
LITTLE = Scale(bent=40, kinds=1, large=1, old=10)
BROKEN = Path(__file__).parent / "broken"


def card(subject: Any = CONNECTOR, *, claimed: Level | None = None, **quality: Any) -> Scorecard:
    return Kit(subject, quality=Quality(**quality), scale=LITTLE).card(claimed=claimed)


def answer(subject: Any, rule: str, **quality: Any) -> Answer:
    """One rule's answer."""
    kit = Kit(subject, quality=Quality(**quality), scale=LITTLE)
    return kit.ask(next(one for one in kit.rules if one.name == rule))


def failed(found: Scorecard) -> set[str]:
    return {one.rule for one in found.answers if one.outcome is Went.FAILED}


@pytest.fixture(scope="module")
def kit() -> Kit:
    """The till's, asked once for many tests."""
    return Kit(CONNECTOR, quality=Quality(), scale=LITTLE)


# -- carriers -----------------------------------------------------------------------------------------------------


def believes_all(*_: Any) -> None: ...


def accepts_all(_: Any, messages: Any, __: Any) -> list[Outcome]:
    return [Outcome(message_id=one.message_id, verdict=Verdict.ACCEPTED, carrier_ref="1") for one in messages]


def build(**changes: Callable[[Any], str]) -> Callable[..., Any]:
    def broken(messages: Any, at: Any) -> Any:
        assert CARRIER.build is not None
        url = next(iter(changes.values()))(messages[0])
        return replace(CARRIER.build(messages, at), url=url.replace("BASE", at.base_url("https://api.example.com")))

    return broken


BROKEN_CARRIERS: list[tuple[str, dict[str, Any], str]] = [
    ("takes anything for an acceptance", {"interpret": accepts_all}, "nonsense"),
    ("forgets its messages", {"interpret": lambda *_: []}, "answer-samples"),
    ("calls somebody else", {"build": build(url=lambda _: "https://api.example.com/texts")}, "call"),
    ("shows the text in the address", {"build": build(url=lambda message: f"BASE/?text={message.text}")}, "call"),
    ("reads no receipt", {"read_dlrs": lambda *_: []}, "dlr-samples"),
    ("crashes on receipts", {"read_dlrs": lambda *_: 1 / 0}, "dlr-format"),
    ("crashes on replies", {"read_replies": lambda *_: 1 / 0}, "reply-format"),
    ("believes every callback", {"verify": believes_all}, "unsigned"),
    ("declares a session", {"capabilities": frozenset({Capability.SESSION})}, "contract"),
]


def test_the_example_carrier_passes() -> None:
    found = card(CARRIER)
    assert (failed(found), found.passed, found.claimed) == (set(), True, None)


@pytest.mark.parametrize(("changes", "rule"), [row[1:] for row in BROKEN_CARRIERS], ids=[row[0] for row in BROKEN_CARRIERS])
def test_a_carrier_that(changes: dict[str, Any], rule: str) -> None:
    broken: Carrier = replace(CARRIER, **changes)
    assert answer(broken, rule).outcome is Went.FAILED


def wordless(error: ErrorClass) -> Callable[..., Any]:
    """Refuses everything for this reason, and forgets how long to wait."""
    return lambda _, messages, __: [
        Outcome(message_id=one.message_id, verdict=Verdict.REJECTED, error_class=error) for one in messages
    ]


def telling(call: Callable[..., Any] | None) -> Callable[..., Any]:
    """Puts the token into the address."""
    assert call is not None
    return lambda *given: replace(call(*given), url=f"{call(*given).url}?key={given[-1].credentials['auth_token']}")


BROKEN_ANSWERS: list[tuple[str, dict[str, Any], str]] = [
    ("takes 401 for a wrong request", {"interpret": wordless(ErrorClass.BAD_REQUEST)}, "answer-401"),
    ("takes 429 for an outage", {"interpret": wordless(ErrorClass.CARRIER_DOWN)}, "answer-429"),
    ("forgets the Retry-After", {"interpret": wordless(ErrorClass.THROTTLED)}, "answer-429"),
    ("is sure of a gateway's 502", {"interpret": wordless(ErrorClass.CARRIER_DOWN)}, "answer-5xx"),
    ("shows its key to every proxy", {"build": telling(TWILIO.build)}, "hidden-secrets"),
    ("shows it when it asks", {"build_query": telling(TWILIO.build_query)}, "hidden-secrets"),
    ("shows it when it checks", {"check": telling(TWILIO.check)}, "hidden-secrets"),
    ("is always well", {"checked": lambda _: ""}, "check-answers"),
    ("checks somebody else", {"check": lambda at: TWILIO.check(replace(at, settings={}))}, "check-answers"),
]


@pytest.mark.parametrize(("changes", "rule"), [row[1:] for row in BROKEN_ANSWERS], ids=[row[0] for row in BROKEN_ANSWERS])
def test_a_carrier_misses_silver_that(changes: dict[str, Any], rule: str) -> None:
    assert answer(TWILIO, rule).outcome is Went.PASSED
    assert answer(replace(TWILIO, **changes), rule).outcome is Went.FAILED


# -- what can't be judged -------------------------------------------------------------------------------------------


def test_a_platform_that_signs_nothing_is_not_judged_by_its_signatures() -> None:
    silent = replace(CONNECTOR, sign=lambda request, _: request, verify=believes_all)
    found = card(silent)
    unjudged = {one.rule for one in found.answers if one.outcome is Went.NOT_JUDGED and "nothing is signed" in one.detail}
    assert {"signed", "unsigned", "mutated-signature", "changed-body", "other-secret", "stale", "constant-time"} <= unjudged
    assert (failed(found), found.reached) == (set(), None)


def test_without_a_stand_in_what_http_itself_tells_is_judged_and_no_more(kit: Kit) -> None:
    answers = {one.rule: one for one in kit.card().answers}
    for rule in ("write-back", "idempotent", "forbidden", "throttled", "server-error", "cut-after", "slow", "quiet-calls"):
        assert answers[rule].outcome is Went.PASSED, answers[rule]
    for rule in ("refresh-once", "consent-out", "loop-guard", "gap"):
        assert answers[rule].outcome is Went.NOT_JUDGED, answers[rule]


def test_a_post_can_t_be_judged_without_the_platform() -> None:
    def write_back(changes: Any, link: Any) -> None:
        for change in changes:
            link.http.post(f"{link.installation.settings['base_url']}/notes", json={"text": change.status})

    found = answer(replace(CONNECTOR, write_back=write_back), "idempotent")
    assert (found.outcome, "POST" in found.detail) == (Went.NOT_JUDGED, True)


def test_a_rule_is_not_judged_while_one_that_it_needs_fails() -> None:
    gullible = replace(CONNECTOR, verify=believes_all)
    assert answer(gullible, "unsigned").outcome is Went.FAILED
    found = answer(gullible, "other-secret")
    assert (found.outcome, found.detail) == (Went.NOT_JUDGED, "says nothing while `unsigned` fails")


OTHER = "00D000000000002EAA"

NAMED: list[tuple[str, dict[str, Any], dict[str, Any], Went, str]] = [
    ("refuses another organization's calls", {}, {"organization_id": OTHER}, Went.PASSED, ""),
    ("believes everybody", {"verify": believes_all}, {"organization_id": OTHER}, Went.FAILED, "was taken for an account"),
    ("believes nobody", {"verify": lambda *_: refuses_all()}, {"organization_id": OTHER}, Went.FAILED, "for its own account"),
    ("is asked with its own organization", {}, {"organization_id": "00Dxx0000001gPLEAY"}, Went.FAILED, "was taken for an account"),
    ("is not told of another", {}, {}, Went.NOT_JUDGED, "nothing is signed here"),
]


def refuses_all() -> None:
    raise SignatureMismatch("no")


@pytest.mark.parametrize(("changes", "other", "went", "told"), [row[1:] for row in NAMED], ids=[row[0] for row in NAMED])
def test_who_signs_nothing_and_names_the_account(changes: dict[str, Any], other: dict[str, Any], went: Went, told: str) -> None:
    found = answer(replace(salesforce.connector, **changes), "other-account", other_account=other)
    assert (found.outcome, told in found.detail) == (went, True), found.detail


# -- claims, ticks and exemptions -------------------------------------------------------------------------------------


def test_without_a_claim_bronze_must_not_fail(kit: Kit) -> None:
    found = kit.card()
    assert (found.claimed, found.reached, found.passed, found.why) == (None, Level.BRONZE, True, "")
    bad = card(replace(CONNECTOR, verify=believes_all))
    assert (bad.passed, bad.why) == (False, "bronze is not met: unsigned")


def test_a_claim_is_met_only_by_rules_that_passed_or_are_exempt(kit: Kit) -> None:
    assert kit.card(claimed=Level.BRONZE).passed
    silver = kit.card(claimed=Level.SILVER)
    assert (silver.passed, silver.reached) == (False, Level.BRONZE)
    assert "refresh-once" in silver.why


def test_a_tick_that_its_check_contradicts_is_refused() -> None:
    found = card(replace(CONNECTOR, verify=believes_all), level=Level.BRONZE, rules={"unsigned": "done"})
    [told] = [one for one in found.answers if one.rule == "unsigned"]
    assert told.detail.startswith("the tick is refused: ")
    assert "a tick is refused: unsigned" in found.why


def test_an_exemption_holds_where_the_kit_can_t_judge() -> None:
    found = answer(CONNECTOR, "refresh-once", rules={"refresh-once": Exempt(exempt="its tokens do not end")})
    assert (found.outcome, found.detail) == (Went.EXEMPT, "its tokens do not end")


def test_an_exemption_is_refused_where_the_rule_applies_and_fails() -> None:
    gullible, exempt = replace(CONNECTOR, verify=believes_all), Exempt(exempt="we trust everybody")
    found = answer(gullible, "unsigned", rules={"unsigned": exempt})
    assert found.outcome is Went.FAILED
    assert found.detail.startswith("the exemption is refused, the rule applies: ")


def test_a_rule_that_is_not_ticked_stands_against_the_claim() -> None:
    assert "signed" in card(level=Level.BRONZE, rules={"unsigned": "done"}).why


def test_a_rule_that_there_is_not_is_told() -> None:
    assert card(rules={"unsinged": "done"}).why == "there is no rule unsinged"


def test_a_stand_in_that_is_not_installed_here_is_said_and_not_green() -> None:
    found = card(level=Level.SILVER, stand_in=Named(module="no_such_stand_in", name="Till"))
    [told] = [one for one in found.answers if one.rule == "refresh-once"]
    assert (told.outcome, told.elsewhere) == (Went.NOT_JUDGED, True)
    assert "no_such_stand_in:Till is not installed here" in told.detail
    assert (found.passed, found.reached) == (True, Level.BRONZE)


def test_ours_are_not_blamed_where_only_the_wheel_is() -> None:
    """A wheel has no tests, and so no stand-in: what needs it is not judged, and nothing else speaks for it."""
    from bellwire_connectors.shopify import connector

    quality = quality_of(connector.samples)
    away = quality.model_copy(update={"stand_in": Named(module="no_such_stand_in", name="Shop")})
    found = Kit(connector, quality=away, scale=LITTLE).card()
    assert (found.claimed, found.reached, found.passed, found.why) == (Level.GOLD, Level.BRONZE, True, "")
    assert all(one.elsewhere for one in found.answers if one.outcome is Went.NOT_JUDGED and one.level is Level.SILVER)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('level = "golden"', "level"),
        ('[rules]\nsigned = "maybe"', "rules.signed"),
        ('[rules]\nsigned = {exempt = ""}', "rules.signed"),
        ("lewel = 1", "lewel"),
        ("level =", "quality.toml"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str) -> None:
    package = tmp_path / f"wrong_{abs(hash(text))}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "quality.toml").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigInvalid, match=told):
        quality_of(package.name)


# -- for authors ------------------------------------------------------------------------------------------------------

TWO_LINES = """\
from bellwire.testing import certified
test_certified = certified("corner_shop")
"""


def test_one_more_connector_costs_a_folder_and_two_lines(tmp_path: Path) -> None:
    (tmp_path / "test_corner.py").write_text(TWO_LINES)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", f"pythonpath={BROKEN}", "-c", "/dev/null"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert f"{len(CONNECTOR_RULES)} passed" in done.stdout, done.stdout


def test_loading_the_tools_loads_no_engine() -> None:
    script = "import sys, bellwire.testing; print([one for one in ('pytest', 'sqlalchemy', 'requests') if one in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_wrong_signature_is_nobody_s_platform() -> None:
    def picky(*_: Any) -> None:
        raise SignatureMismatch("no")

    assert failed(card(replace(CONNECTOR, verify=picky))) == {"signed"}


def test_the_stand_in_of_the_docs_plays_the_till() -> None:
    page = (Path(__file__).parents[2] / "docs" / "certification.md").read_text()
    source = page.partition("```python\nimport json")[2].partition("```")[0]
    space: dict[str, Any] = {}
    exec("import json" + source, space)  # noqa: S102  # the page's own example
    kit = Kit(CONNECTOR, stand_in=space["Till"], quality=Quality(), scale=LITTLE)
    rules = {one.name: one for one in kit.rules}
    for rule in ("write-back", "idempotent", "every-status", "cut-before", "cut-after", "slow", "quiet-calls"):
        assert kit.ask(rules[rule]).outcome is Went.PASSED, kit.ask(rules[rule])
    assert kit.ask(rules["refresh-once"]).detail == "the stand-in does not play `expire_tokens`"
