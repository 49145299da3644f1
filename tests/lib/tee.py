"""Between services and their sidecar: passes every byte on, and keeps it."""

import socket
import threading


class Tee:
    """Use as a context manager. Services connect to path; what they send goes to target, a sidecar's
    socket. streams: the bytes of each connection so far, in the order of connecting."""

    def __init__(self, path, target):
        self.path, self._target = str(path), str(target)
        self.streams = []
        self._threads = []
        self._connections = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen()

    def __enter__(self):
        self._run(self._accept)
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its service has ended
        for thread in self._threads:
            thread.join()
        self._listener.close()
        return False

    def _run(self, what, *args):
        thread = threading.Thread(target=what, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            stream = bytearray()
            self.streams.append(stream)
            self._connections.append(connection)
            self._run(self._pass, connection, stream)

    def _pass(self, connection, stream):
        with connection, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sidecar:
            sidecar.connect(self._target)
            while data := connection.recv(65536):
                stream += data
                sidecar.sendall(data)
