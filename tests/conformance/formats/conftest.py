"""The names that the vectors of spec storage-format 11 have in common."""

from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def names():
    return SimpleNamespace(
        sd="3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f",
        sd2="4f8b2d63-ae51-4c8f-9032-7b6c1d2e3f40",
        sp="b81f4d06-2c3a-4e95-a7d8-90e1f2a3b4c5",
        img="5c9d8e7f-0a1b-4c2d-9e3f-4a5b6c7d8e9f",
        vol="7f6e5d4c-3b2a-4190-8f7e-6d5c4b3a2910",
        now=1700000000,
    )
