"""`python -m bellwire_connectors.sandbox.simulator`: the simulator without the rest of Bellwire's commands."""

from __future__ import annotations

from bellwire_connectors.sandbox.simulator import simulate_carrier

simulate_carrier()
