from types import SimpleNamespace

import pytest
import pytest_twisted
from twisted.logger import globalLogPublisher

from virgate.api.dispatch import Api
from virgate.api.verb import Caller, Family, Parameter, Reply, Verb
from virgate.api.wire import integer, text, uuid
from virgate.errors import NotReady, Unexpected
from virgate.hookspecs.errors import HookError


@pytest.fixture
def node():
    return SimpleNamespace(hooks=None, ready=True, broken=False)


@pytest.fixture
def logged():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def verb(run, *parameters, family=Family.HOST, **more):
    return Verb("Test.x", "x", family, parameters, "", run, **more)


def required(name, convert=text):
    return Parameter(name, convert, convert.__name__, True)


CALLER = Caller("192.0.2.1", "192.0.2.2", "flow-1")


async def call(node, found, *arguments, caller=CALLER):
    return await Api(node).call(found, arguments, caller)


def status(answer):
    return answer["status"]["code"], answer["status"]["message"]


def raising(problem):
    async def run(node, **arguments):
        raise problem

    return run


async def done(node, **arguments):
    return Reply({"got": arguments})


@pytest_twisted.ensureDeferred
async def test_success_says_done_or_ok_or_the_verb_s_own_words(node):
    async def nothing(node):
        return None

    async def own(node):
        return Reply({"a": 1}, "Machine destroyed")

    assert await call(node, verb(nothing)) == {"status": {"code": 0, "message": "Done"}}
    assert await call(node, verb(nothing, family=Family.STORAGE)) == {"status": {"code": 0, "message": "OK"}}
    assert await call(node, verb(own)) == {"status": {"code": 0, "message": "Machine destroyed"}, "a": 1}


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("arguments", [(), ("a", "b", "c")])
@pytest_twisted.ensureDeferred
async def test_a_wrong_number_of_arguments_is_code_16(node, family, arguments):
    found = verb(done, required("one"), Parameter("two", text, "text", False, "2"), family=family)
    code, message = status(await call(node, found, *arguments))
    assert code == 16
    assert message == f"x takes 1 to 2 arguments, not {len(arguments)}"


@pytest_twisted.ensureDeferred
async def test_absent_and_nil_arguments_get_their_default(node):
    found = verb(done, required("one"), Parameter("two", integer, "integer", False, 7))
    for arguments in (("a",), ("a", None)):
        assert (await call(node, found, *arguments)).get("got") in ({"one": "a"}, {"one": "a", "two": 7})
    assert (await call(node, found, "a", "8"))["got"] == {"one": "a", "two": 8}


@pytest_twisted.ensureDeferred
async def test_a_value_of_a_wrong_type_is_16_for_hosts_and_1000_for_storage(node):
    code, message = status(await call(node, verb(done, required("count", integer)), "many"))
    assert (code, message) == (16, "x: count must be integer: 'many'")
    found = verb(done, required("sdUUID", uuid), family=Family.STORAGE)
    assert status(await call(node, found, "ABC")) == (1000, "Invalid parameter: 'sdUUID=ABC'")


@pytest.mark.parametrize(
    ("problem", "host", "storage", "with_default"),
    [
        (HookError("u1"), 1500, 1500, 1500),
        (ValueError("odd"), 16, 100, 201),
        (Unexpected("odd"), 16, 100, 201),
        (NotReady(), 99, 99, 99),
    ],
)
@pytest_twisted.ensureDeferred
async def test_each_failure_gets_the_code_its_family_names(node, problem, host, storage, with_default):
    assert status(await call(node, verb(raising(problem))))[0] == host
    assert status(await call(node, verb(raising(problem), family=Family.STORAGE)))[0] == storage
    found = verb(raising(problem), family=Family.STORAGE, default_code=201)
    assert status(await call(node, found))[0] == with_default


@pytest_twisted.ensureDeferred
async def test_the_text_of_an_unexpected_failure_is_told(node):
    assert status(await call(node, verb(raising(ValueError("odd"))))) == (16, "Unexpected exception: ValueError: odd")


@pytest_twisted.ensureDeferred
async def test_until_the_node_is_ready_host_verbs_answer_99_and_storage_verbs_work(node):
    node.ready = False
    assert status(await call(node, verb(done))) == (99, "Recovering from crash or Initializing")
    assert status(await call(node, verb(None)))[0] == 99
    assert status(await call(node, verb(done, always_ready=True)))[0] == 0
    assert status(await call(node, verb(done, family=Family.STORAGE)))[0] == 0


@pytest.mark.parametrize("family", Family)
@pytest_twisted.ensureDeferred
async def test_a_verb_that_is_not_built_answers_44_whatever_it_is_given(node, family):
    assert status(await call(node, verb(None, family=family), 1, 2, 3)) == (44, "Not implemented: x")


@pytest_twisted.ensureDeferred
async def test_every_call_is_one_line_with_verb_code_time_flow_and_peer(node, logged):
    await call(node, verb(done))
    await call(node, verb(raising(HookError("u1"))))
    first, second = logged
    assert (first["verb"], first["code"], first["flow"], first["peer"]) == ("x", 0, "flow-1", "192.0.2.1")
    assert second["code"] == 1500
    assert 0 <= first["seconds"] < 1


@pytest_twisted.ensureDeferred
async def test_a_correlation_id_cannot_forge_or_flood_the_log(node, logged):
    await call(node, verb(done), caller=Caller(flow="a\r\nlevel=error\x1b[2J" + "x" * 10000))
    assert logged[0]["flow"].startswith("a??level=error?[2J")
    assert len(logged[0]["flow"]) == 256


@pytest_twisted.ensureDeferred
async def test_secrets_are_in_no_line_of_the_log(node, logged):
    found = verb(raising(ValueError("bad password hunter2")), required("password"), secret=frozenset({"password"}))
    await call(node, found, "hunter2")
    answer = await call(node, verb(done, required("password", integer), secret=frozenset({"password"})), "hunter2")
    assert "hunter2" not in str(logged)
    assert "hunter2" not in str(answer)
    assert any(event.get("kind") == "ValueError" for event in logged)


@pytest_twisted.ensureDeferred
async def test_a_verb_that_asks_for_the_caller_gets_it_beside_the_client_s_arguments(node):
    seen = []

    async def run(node, one, who):
        seen.append((one, who.peer))

    await call(node, verb(run, required("one"), wants_caller="who"), "a")
    assert seen == [("a", "192.0.2.1")]


@pytest_twisted.ensureDeferred
async def test_when_storage_could_not_be_opened_every_verb_says_so():
    async def done(node): ...

    broken = SimpleNamespace(hooks=None, ready=True, broken=True)
    assert status(await call(broken, verb(done, always_ready=True))) == (99, "Failed to initialize storage")
