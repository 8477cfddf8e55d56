"""What whoever writes a connector or a carrier tests it with. Needs no test runner.

`samples` tells how a sample file looks, `cases` how a table of behaviours is written, `standins` how a platform is played, and
`certified` asks the rules of the certification kit.
"""

from bellwire.testing.accounts import OLD_SECRET, SECRET, FixedClock, LooseLink, account, installation, outgoing
from bellwire.testing.cases import Case, differences
from bellwire.testing.pytest_kit import certified
from bellwire.testing.samples import NOW, answer, bend, sample, samples
from bellwire.testing.standins import Fault, HttpStandIn, StandIn

__all__ = [
    "NOW",
    "OLD_SECRET",
    "SECRET",
    "Case",
    "Fault",
    "FixedClock",
    "HttpStandIn",
    "LooseLink",
    "StandIn",
    "account",
    "answer",
    "bend",
    "certified",
    "differences",
    "installation",
    "outgoing",
    "sample",
    "samples",
]
