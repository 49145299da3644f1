"""Certificates of a test's own, made by openssl: an authority, and what it signs for 127.0.0.1."""

import dataclasses
import pathlib
import subprocess

_NEW = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


@dataclasses.dataclass(frozen=True)
class Identity:
    """Paths of PEM files. both: key and certificate in one."""

    certificate: pathlib.Path
    key: pathlib.Path
    both: pathlib.Path


class Authority:
    """A certificate authority in that folder; .certificate is what a peer trusts."""

    def __init__(self, folder, name="authority"):
        self._folder = pathlib.Path(folder)
        self.certificate = self._folder / f"{name}.pem"
        self._key = self._folder / f"{name}.key"
        self._openssl(
            f"req -x509 {_NEW} -days 2 -subj /CN={name}"
            f" -keyout {self._key} -out {self.certificate}"
        )

    def _openssl(self, line):
        done = subprocess.run(
            ["openssl", *line.split()],
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def issue(self, name):
        """An Identity for a server on 127.0.0.1, or for a client."""
        made = [self._folder / f"{name}.{kind}" for kind in ("pem", "key", "both")]
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        self._openssl(f"req {_NEW} -subj /CN={name} -keyout {made[1]} -out {request}")
        self._openssl(
            f"x509 -req -in {request} -out {made[0]} -days 2 -extfile {extensions}"
            f" -CA {self.certificate} -CAkey {self._key} -CAcreateserial"
        )
        made[2].write_text(made[1].read_text() + made[0].read_text())
        return Identity(*made)
