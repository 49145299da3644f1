"""Server reflection, both versions, asked by hand and read with the official descriptor classes."""

import threading

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from lib import proto
from lib.adder import SERVICE, Adder, Broker

V1, V1ALPHA = "grpc.reflection.v1", "grpc.reflection.v1alpha"
HEALTH = "grpc.health.v1.Health"
SERVICES = {SERVICE, HEALTH, f"{V1}.ServerReflection", f"{V1ALPHA}.ServerReflection"}
BY_NAME, BY_SYMBOL, BY_EXTENSION, NUMBERS, LIST = 3, 4, 5, 6, 7
FILE, NUMBERS_ANSWER, SERVICE_LIST, ERROR = 4, 5, 6, 7
NOT_FOUND, INVALID_ARGUMENT = 5, 3


@pytest.fixture(scope="module")
def adder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adder")
    with Broker(folder) as broker, Adder(folder, broker.address) as running:
        yield running
        running.terminate()


@pytest.fixture(params=[V1, V1ALPHA])
def ask(request, adder):
    """ask(*requests): the answers of one stream, each {field: [values]}."""
    method = adder.channel().stream_stream(
        f"/{request.param}.ServerReflection/ServerReflectionInfo", proto.encode, proto.decode
    )
    return lambda *requests: list(method(iter(requests), timeout=20))


def file_of(answer):
    """The one file of an answer."""
    [content] = proto.decode(answer[FILE][0])[1]
    return descriptor_pb2.FileDescriptorProto.FromString(content)


def test_services(ask):
    [answer] = ask({LIST: "*"})
    listed = proto.decode(answer[SERVICE_LIST][0])[1]
    assert {proto.decode(s)[1][0].decode() for s in listed} == SERVICES


def test_each_answer_carries_its_question(ask):
    [answer] = ask({1: "the.host", BY_NAME: "sum.proto"})
    assert answer[1] == [b"the.host"]
    assert proto.decode(answer[2][0]) == {1: [b"the.host"], BY_NAME: [b"sum.proto"]}


def test_the_files_build_and_hold_every_name_that_is_in_them(ask):
    """A client's way: services, their files, and a pool that links them."""
    files = [file_of(a) for a in ask(*({BY_SYMBOL: s} for s in sorted(SERVICES)))]
    assert len({f.name for f in files}) == 4
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        assert list(file.dependency) == []
        pool.Add(file)
    call = pool.FindServiceByName(SERVICE).FindMethodByName("SumNumbers")
    fields = {f.name: (f.number, f.type) for f in call.input_type.fields}
    assert fields == {"x": (1, 3), "y": (2, 3)}

    def names(message, prefix):
        full = f"{prefix}.{message.name}"
        yield full
        yield from (f"{full}.{f.name}" for f in [*message.field, *message.oneof_decl])
        for enum in message.enum_type:
            yield f"{full}.{enum.name}"
            yield from (f"{full}.{v.name}" for v in enum.value)
        for inner in message.nested_type:
            yield from names(inner, full)

    for file in files:
        symbols = [n for m in file.message_type for n in names(m, file.package)]
        for service in file.service:
            symbols.append(f"{file.package}.{service.name}")
            symbols += [f"{symbols[-1]}.{m.name}" for m in service.method]
        assert len(symbols) > 3
        for answer in ask(*({BY_SYMBOL: s} for s in symbols)):
            assert file_of(answer).name == file.name
        [answer] = ask({BY_NAME: file.name})
        assert file_of(answer) == file


@pytest.mark.parametrize(
    "request_fields",
    [
        {BY_NAME: "nothing.proto"},
        {BY_NAME: ""},
        {BY_SYMBOL: ""},
        {BY_SYMBOL: "sum"},
        {BY_SYMBOL: "sum."},
        {BY_SYMBOL: ".sum.SumNumbersService"},
        {BY_SYMBOL: "SumNumbersService"},
        {BY_SYMBOL: "sum.SumNumbersService."},
        {BY_SYMBOL: "sum.SumNumbersService.SumNumber"},
        {BY_SYMBOL: "sum.SumNumbersRequest.z"},
        {BY_SYMBOL: "grpc.reflection.v1al.ServerReflection"},
        {BY_EXTENSION: proto.encode({1: "sum.SumNumbersRequest", 2: 100})},
        {NUMBERS: "sum.SumNumbersService"},
        {NUMBERS: "nothing"},
    ],
)
def test_what_is_not_there(ask, request_fields):
    [answer] = ask(request_fields)
    error = proto.decode(answer[ERROR][0])
    assert error[1] == [NOT_FOUND] and error[2][0]


def test_extensions_of_a_message_are_none(ask):
    [answer] = ask({NUMBERS: "sum.SumNumbersRequest"})
    assert proto.decode(answer[NUMBERS_ANSWER][0]) == {1: [b"sum.SumNumbersRequest"]}


def test_a_stream_answers_in_order_and_survives_a_question_that_is_none(ask):
    answers = ask({}, {BY_NAME: "sum.proto"}, {99: "later"}, {LIST: ""})
    assert len(answers) == 4
    assert proto.decode(answers[0][ERROR][0])[1] == [INVALID_ARGUMENT]
    assert file_of(answers[1]).name == "sum.proto"
    assert proto.decode(answers[2][ERROR][0])[1] == [INVALID_ARGUMENT]
    assert SERVICE_LIST in answers[3]


def test_unreadable_question(adder):
    method = adder.channel().stream_stream(f"/{V1}.ServerReflection/ServerReflectionInfo")
    with pytest.raises(grpc.RpcError) as error:
        list(method(iter([b"\x0a\xff"]), timeout=20))
    assert error.value.code() == grpc.StatusCode.INTERNAL


def test_an_open_stream_does_not_hold_up_a_stop(tmp_path):
    with Broker(tmp_path) as broker, Adder(tmp_path, broker.address, "--grace=1h") as adder:
        method = adder.channel().stream_stream(
            f"/{V1}.ServerReflection/ServerReflectionInfo", proto.encode, proto.decode
        )
        gate = Gate({LIST: ""})
        stream = method(gate, timeout=60)
        assert SERVICE_LIST in next(stream)
        adder.terminate()
        with pytest.raises(grpc.RpcError):
            next(stream)
        gate.close()


class Gate:
    """An iterator that gives one request and then nothing until it is closed."""

    def __init__(self, request):
        self._request = request
        self._closed = threading.Event()

    def __iter__(self):
        return self

    def __next__(self):
        if self._request is not None:
            request, self._request = self._request, None
            return request
        self._closed.wait()
        raise StopIteration

    def close(self):
        self._closed.set()
