"""What whoever writes a connector or a carrier tests it with. Needs no test runner.

`samples` tells how a sample file looks, `cases` how a table of behaviours is written.
"""

from bellwire.testing.accounts import OLD_SECRET, SECRET, FixedClock, LooseLink, account, installation, outgoing
from bellwire.testing.cases import Case, differences
from bellwire.testing.samples import NOW, answer, bend, sample, samples

__all__ = [
    "NOW",
    "OLD_SECRET",
    "SECRET",
    "Case",
    "FixedClock",
    "LooseLink",
    "account",
    "answer",
    "bend",
    "differences",
    "installation",
    "outgoing",
    "sample",
    "samples",
]
