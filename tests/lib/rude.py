"""Endpoints that are no Collector at all: for what sidecard must bear without harm."""

import socket
import ssl
import threading

_SETTINGS = b"\0\0\0\4\0\0\0\0\0"  # the frame that HTTP/2 begins with, empty


class RudeServer:
    """Accepts TCP connections on 127.0.0.1 and mistreats them.

    manner: "close" (at once), "silent" (takes everything, never answers), or bytes to say before
    closing. identity: a lib.tls.Identity, to do so behind TLS and as HTTP/2.
    """

    def __init__(self, manner, identity=None):
        self._manner = manner
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._context = None
        if identity is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(identity.both)
            self._context.set_alpn_protocols(["h2"])
        self._open = []
        self._lock = threading.Lock()
        self.accepted = 0
        self.port = self._listener.getsockname()[1]
        self.endpoint = f"{'https' if identity else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            if self._context is not None:
                peer = self._context.wrap_socket(peer, server_side=True)
                peer.sendall(_SETTINGS)
            with self._lock:
                self.accepted += 1
                if self._manner == "silent":
                    self._open.append(peer)
                    continue
            try:
                if isinstance(self._manner, bytes):
                    peer.sendall(self._manner)
            except OSError:
                pass
            peer.close()

    def close(self):
        """Stop and close every connection."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for peer in self._open:
            peer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        return False
