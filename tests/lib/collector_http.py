"""The fake Collector's HTTP side (http.server, HTTP/1.1): use lib.collector.Collector."""

import gzip
import http.server
import socket
import ssl
import threading

from lib.collector import Store
from lib.collector_grpc import request_type, response, rpc_status

_PATHS = {"/v1/traces": "traces", "/v1/metrics": "metrics"}
_TYPE = "application/x-protobuf"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self):  # pylint: disable=invalid-name
        """One export request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        size = len(body)
        signal = _PATHS.get(self.path.removeprefix(self.server.prefix))
        if signal is None or self.headers["Content-Type"] != _TYPE:
            self._reply(404 if signal is None else 415, rpc_status(3, "wrong path or type"))
            return
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        message = request_type(signal).FromString(body)
        answer = self.server.store.take(signal, message, self.headers.items(), size).answer
        if answer.what == "cut":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif answer.what == "http":
            failure = rpc_status(14, "as scripted") if answer.body is None else answer.body
            headers = {} if answer.retry_after is None else {"Retry-After": answer.retry_after}
            self._reply(answer.code, failure, headers)
        else:
            self._reply(200, response(signal, answer))

    def _reply(self, status, body, headers=None):
        # As the Collector does: a gzip request gets a gzip reply.
        if body and self.headers["Content-Encoding"] == "gzip":
            body = gzip.compress(body)
            headers = {**(headers or {}), "Content-Encoding": "gzip"}
        self.send_response(status)
        self.send_header("Content-Type", _TYPE)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):  # pylint: disable=arguments-differ
        """Not on the tests' stderr."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args):
        self._lock = threading.Lock()
        self._connections = set()
        super().__init__(*args)

    def process_request(self, request, client_address):
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def connections(self):
        """Those that are open."""
        with self._lock:
            return set(self._connections)

    def cut_connections(self):
        """Whoever keeps a connection alive must not be served by a server that has stopped."""
        with self._lock:
            for connection in self._connections:
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        """A peer that goes away while it is answered is what some tests are about."""


class HttpCollector(Store):
    """/v1/traces and /v1/metrics under an optional prefix on 127.0.0.1; behind TLS, given a
    lib.tls.Identity."""

    protocol = "http/protobuf"

    def __init__(self, port=0, prefix="", identity=None):
        super().__init__()
        self._server = _Server(("127.0.0.1", port), _Handler)
        if identity is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity.both)
            # The handshake is the business of each connection's own thread.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._server.store = self
        self._server.prefix = prefix
        self.port = self._server.server_port
        scheme = "http" if identity is None else "https"
        self.endpoint = f"{scheme}://127.0.0.1:{self.port}{prefix}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def connections(self):
        """Those that are open, as opaque values."""
        return self._server.connections()

    def close(self):
        """Stop; requests that are held are let go."""
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.cut_connections()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        return False
