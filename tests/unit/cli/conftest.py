"""A daemon that is not there: what it answers is written down, what it is asked is kept."""

import json

import pytest
from attrs import define, field
from click.testing import CliRunner

from virgate.cli import main
from virgate.cli.client import Client
from virgate.cli.problems import Refused


@define
class FakeDaemon:
    """`answers[verb]` is the reply without its status, an exception, or a function of the arguments."""

    answers: dict = field(factory=dict)
    asked: list = field(factory=list)

    def call(self, verb, *arguments):
        self.asked.append((verb, *arguments))
        if verb not in self.answers:
            raise Refused(verb, 44, "Not built")
        answer = self.answers[verb]
        if isinstance(answer, BaseException):
            raise answer
        return answer(*arguments) if callable(answer) else answer

    def machines(self, *rows):
        """Rows are (id, name, status)."""
        found = [{"vmId": id, "vmName": name, "status": status, "memSize": 256, "smp": 1} for id, name, status in rows]
        self.answers["list"] = lambda full, ids=(): {"vmList": [one for one in found if not ids or one["vmId"] in ids]}
        return found

    def verbs(self):
        return [verb for verb, *_ in self.asked]


@pytest.fixture
def daemon(monkeypatch):
    fake = FakeDaemon()
    monkeypatch.setattr(Client, "call", lambda self, verb, *arguments: fake.call(verb, *arguments))
    return fake


@pytest.fixture
def client():
    return Client("127.0.0.1")


@pytest.fixture
def run(monkeypatch):
    """Runs a command line; its standard output, checked for its exit code."""

    def call(*arguments, code=0, columns=None, json_=False):
        for name in ("VIRGATE_SERVER", "VIRGATE_PKI"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("COLUMNS", str(columns)) if columns else monkeypatch.delenv("COLUMNS", raising=False)
        found = CliRunner().invoke(main, [*(["--json"] if json_ else []), *arguments])
        assert found.exit_code == code, found.output
        return json.loads(found.stdout) if json_ and not code else found

    return call
