"""The fake Collector's gRPC side (grpcio). Use it through lib.collector.Collector."""

import concurrent.futures

import grpc
from google.protobuf import any_pb2, duration_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from lib.collector import Store

_MESSAGES = {
    "traces": (
        "opentelemetry.proto.collector.trace.v1.TraceService",
        trace_service_pb2.ExportTraceServiceRequest,
        trace_service_pb2.ExportTraceServiceResponse,
    ),
    "metrics": (
        "opentelemetry.proto.collector.metrics.v1.MetricsService",
        metrics_service_pb2.ExportMetricsServiceRequest,
        metrics_service_pb2.ExportMetricsServiceResponse,
    ),
}


def response(signal, answer):
    """The serialised success response that an answer stands for."""
    if answer.what == "garbage":
        return answer.body
    reply = _MESSAGES[signal][2]()
    if answer.rejected:
        name = "rejected_spans" if signal == "traces" else "rejected_data_points"
        setattr(reply.partial_success, name, answer.rejected)
    if answer.message and answer.what == "ok":
        reply.partial_success.error_message = answer.message
    return reply.SerializeToString()


def request_type(signal):
    """The message class of a signal's requests."""
    return _MESSAGES[signal][1]


def _field(number, data):
    """A length-delimited protobuf field of fewer than 128 bytes."""
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


def rpc_status(code, message, retry_after=None):
    """google.rpc.Status {code 1, message 2, details 3}, on demand with RetryInfo {delay 1}."""
    data = bytes([1 << 3, code]) + _field(2, message.encode())
    if retry_after is not None:
        delay = duration_pb2.Duration(
            seconds=int(retry_after), nanos=int(retry_after % 1 * 1_000_000_000)
        )
        info = any_pb2.Any(
            type_url="type.googleapis.com/google.rpc.RetryInfo",
            value=_field(1, delay.SerializeToString()),
        )
        data += _field(3, info.SerializeToString())
    return data


class GrpcCollector(Store):
    """Both OTLP services on 127.0.0.1."""

    protocol = "grpc"

    def __init__(self, port=0):
        super().__init__()
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=16)
        self._server = grpc.server(self._pool, options=[("grpc.so_reuseport", 0)])
        for signal, (service, request, _) in _MESSAGES.items():
            handler = grpc.unary_unary_rpc_method_handler(
                self._handler(signal),
                request_deserializer=lambda b, t=request: (t.FromString(b), len(b)),
                response_serializer=None,
            )
            self._server.add_generic_rpc_handlers(
                [grpc.method_handlers_generic_handler(service, {"Export": handler})]
            )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._server.start()

    def _handler(self, signal):
        def export(message_and_size, context):
            message, size = message_and_size
            request = self.take(signal, message, context.invocation_metadata(), size)
            answer = request.answer
            if answer.what == "grpc":
                code = grpc.StatusCode[answer.code]
                if answer.retry_after is not None:
                    details = rpc_status(code.value[0], answer.message, answer.retry_after)
                    context.set_trailing_metadata((("grpc-status-details-bin", details),))
                context.abort(code, answer.message)
            return response(signal, answer)

        return export

    def close(self):
        """Stop; requests that are held are let go."""
        self.release()
        self._server.stop(grace=0).wait()
        self._pool.shutdown()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        return False
