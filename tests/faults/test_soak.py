"""The soak (soak.py): two minutes of it, half an hour by --long.

Invariants, of all answers and at each moment: `never-denied`, `right`, `answered`; at the end the zones of both servers are what
was written, record by record; `no-leak`: memory, descriptors, leases, children.
"""

import pytest

from holders import INSTRUMENTS
from server import BINARY
from soak import Soak

SHORT_S, LONG_S = 120, 1800


def is_instrumented():
    """What a sanitizer remembers is no leak."""
    with open(BINARY, "rb") as binary:
        octets = binary.read()
    return any(name.encode() in octets for name in INSTRUMENTS)


@pytest.mark.once  # the gates with sanitizers run it by itself, for less long
def test_the_soak_finds_nothing_wrong(seed, pytestconfig):
    seconds = LONG_S if pytestconfig.getoption("--long") else SHORT_S
    Soak(seed, seconds, has_memory_check=not is_instrumented()).run()
