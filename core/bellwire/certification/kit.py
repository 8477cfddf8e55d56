"""One subject under judgement: asks every rule once, remembers the answers, and says which level they amount to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from bellwire.certification.platform import Platform, platform
from bellwire.certification.quality import Quality, quality_of, stand_in_of
from bellwire.certification.rules import Answer, Level, NotHere, NotJudged, Outcome, Rule, judged
from bellwire.certification.scheme import Scheme, scheme_of
from bellwire.certification.watch import Watch
from bellwire.model import Carrier, Connector, Event, Installation, WebhookRequest
from bellwire.testing import SECRET, installation, sample, samples
from bellwire.testing.standins import StandIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is asked: bent bodies in all, kinds of requests that get hostile ones and large ones, events of old."""

    bent: int
    kinds: int
    large: int
    old: int


FULL = Scale(bent=3_000, kinds=1_000, large=4, old=1_000)
QUICK = Scale(bent=300, kinds=3, large=1, old=60)  # for a suite that asks many connectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """What came of it. `reached`: the highest level of which every rule passed or is rightly exempt."""

    name: str
    claimed: Level | None
    reached: Level | None
    passed: bool
    why: str
    answers: Sequence[Answer] = field(repr=False)


class Kit:
    """A connector or carrier with what the kit needs to ask it.

    `stand_in`: makes the author's platform, instead of the one that the quality file names.
    """

    def __init__(
        self,
        subject: Connector | Carrier,
        *,
        stand_in: Callable[[], StandIn] | None = None,
        quality: Quality | None = None,
        scale: Scale = FULL,
    ) -> None:
        from bellwire.certification.catalogue import rules_for

        self.subject, self.scale = subject, scale
        self.quality = quality if quality is not None else quality_of(subject.samples)
        self.rules: Sequence[Rule] = rules_for(subject)
        self._make, self._answers = stand_in, dict[str, Answer]()
        self.no_stand_in = ""
        self.is_elsewhere = False
        if stand_in is None:
            self._find_stand_in()

    def _find_stand_in(self) -> None:
        self.no_stand_in = "needs a stand-in of the platform: see bellwire.testing.StandIn"
        if self.quality.stand_in is not None:
            try:
                self._make = stand_in_of(self.quality.stand_in, self.subject.samples)
                self.no_stand_in = ""
            except NotHere as e:
                self.no_stand_in, self.is_elsewhere = str(e), True

    # -- what rules look at ---------------------------------------------------------------------------------------

    @property
    def connector(self) -> Connector:
        """The subject, of the rules for connectors."""
        if not isinstance(self.subject, Connector):
            raise NotJudged("only connectors are asked this")
        return self.subject

    @cached_property
    def at(self) -> Installation:
        """The installation that the samples belong to."""
        return installation(self.connector, secrets=(SECRET,))

    @cached_property
    def requests(self) -> Sequence[tuple[str, WebhookRequest]]:
        """Every sample as a request, unsigned, by its name."""
        return [(name, sample(self.subject.samples, name)) for name in samples(self.subject.samples)]

    @cached_property
    def scheme(self) -> Scheme:
        """How it signs and verifies."""
        return scheme_of(self.subject, self.requests)

    @cached_property
    def roots(self) -> frozenset[str]:
        """The top-level packages whose code is the subject's."""
        found = {self.subject.samples, getattr(self.subject.verify, "__module__", "")}
        if isinstance(self.subject, Connector):
            found.add(getattr(self.subject.read, "__module__", ""))
        return frozenset(name.partition(".")[0] for name in found if name) - {"bellwire"}

    def watch(self) -> Watch:
        """A new watch over the subject's code."""
        return Watch(self.roots)

    def read(self, request: WebhookRequest) -> Sequence[Event]:
        """What the connector reads."""
        return self.connector.read(request, self.at)

    @cached_property
    def events(self) -> dict[str, Sequence[Event]]:
        """What it reads of each sample; once a connector crashes on one the rule `samples` says so."""
        found = {}
        for name, request in self.requests:
            try:
                found[name] = self.read(request)
            except Exception as e:
                raise NotJudged("not every sample is read: first mend `samples`") from e
        return found

    @cached_property
    def subject_of_samples(self) -> str:
        """What an event with somebody to text is about: what a status would be written on."""
        found = [event for events in self.events.values() for event in events if event.subject]
        found.sort(key=lambda event: not any(person.phones for person in event.people.values()))
        return found[0].subject if found else "object/1"

    @contextmanager
    def platform(self, *, own: bool = False) -> Iterator[Platform]:
        """A platform for one rule. `own`: only the author's stand-in will do. Raises NotJudged.

        Where the author has a stand-in that is not installed here, the generic server does not speak for it.
        """
        if self._make is None and self.is_elsewhere:
            raise NotHere(self.no_stand_in)
        if self._make is None and own:
            raise NotJudged(self.no_stand_in)
        with platform(self.connector, self.at, self._make, subject=lambda: self.subject_of_samples, roots=self.roots) as made:
            yield made

    # -- asking ---------------------------------------------------------------------------------------------------

    def ask(self, rule: Rule) -> Answer:
        """The answer, with what the quality file says of it."""
        if rule.name not in self._answers:
            self._answers[rule.name] = self._ticked(rule, self._judged(rule))
        return self._answers[rule.name]

    def _judged(self, rule: Rule) -> Answer:
        by_name = {one.name: one for one in self.rules}
        for needed in rule.needs:
            if needed in by_name and self._fails(by_name[needed]):
                return Answer(
                    rule=rule.name,
                    level=rule.level,
                    outcome=Outcome.NOT_JUDGED,
                    means=rule.means,
                    detail=f"says nothing while `{needed}` fails",
                    waits=True,
                )
        return judged(rule, self)

    def _fails(self, rule: Rule) -> bool:
        answer = self.ask(rule)
        return answer.outcome is Outcome.FAILED or answer.waits

    def _ticked(self, rule: Rule, answer: Answer) -> Answer:
        exempt = self.quality.exemption(rule.name)
        if exempt and answer.outcome is Outcome.NOT_JUDGED and not answer.waits:
            return replace(answer, outcome=Outcome.EXEMPT, detail=exempt)
        if exempt and answer.outcome is Outcome.FAILED:
            return replace(answer, detail=f"the exemption is refused, the rule applies: {answer.detail}")
        if self.quality.rules.get(rule.name) == "done" and answer.outcome is Outcome.FAILED:
            return replace(answer, detail=f"the tick is refused: {answer.detail}")
        return answer

    def card(self, *, claimed: Level | None = None) -> Scorecard:
        """Ask every rule. `claimed`: instead of what the quality file claims."""
        answers = [self.ask(rule) for rule in self.rules]
        claimed = claimed or self.quality.level
        missing = self._not_met(answers, claimed)
        unknown = sorted(set(self.quality.rules) - {rule.name for rule in self.rules})
        refused = [one.rule for one in answers if one.outcome is Outcome.FAILED and one.rule in self.quality.rules]
        why = [
            *([f"there is no rule {', '.join(unknown)}"] if unknown else []),
            *([f"a tick is refused: {', '.join(refused)}"] if refused else []),
            *([f"{claimed or Level.BRONZE} is not met: {', '.join(missing)}"] if missing else []),
        ]
        return Scorecard(
            name=self.subject.name,
            claimed=claimed,
            reached=self._reached(answers),
            passed=not why,
            why="; ".join(why),
            answers=answers,
        )

    def _not_met(self, answers: Sequence[Answer], claimed: Level | None) -> list[str]:
        """The rules that stand against the claim. Without a claim nothing of bronze may fail, and that is all."""
        below = [one for one in answers if one.level.rank <= (claimed or Level.BRONZE).rank]
        failed = [one.rule for one in below if one.outcome is Outcome.FAILED]
        if claimed is None:
            return failed
        unticked = [one.rule for one in below if self.quality.rules and one.rule not in self.quality.rules]
        unjudged = [one.rule for one in below if one.outcome is Outcome.NOT_JUDGED and not one.elsewhere]
        return sorted({*failed, *unticked, *unjudged})

    def _reached(self, answers: Sequence[Answer]) -> Level | None:
        good = {Outcome.PASSED, Outcome.EXEMPT}
        reached = None
        for level in Level:
            asked = [one for one in answers if one.level is level]
            if not asked or not all(one.outcome in good for one in asked):
                break
            reached = level
        return reached
