"""The images of k8s/Containerfile: built by dev/image, and run as Kubernetes would.

Building takes about 3 minutes the first time, half a minute when only the sources have changed.
"""

import contextlib
import json
import os
import subprocess
import uuid

import pytest

from lib import manifests, peer
from lib.manifests import Pod, find, overlay
from lib.metrics import get
from lib.peer import Peer
from lib.ports import free_port
from lib.process import ROOT, program, run
from lib.wait import wait_for

pytestmark = pytest.mark.long

IMAGE = ROOT / "dev" / "image"
PROGRAMS = {
    "sidecard": {"sidecard"},
    "adder": {"adder", "adder-call", "topic"},
    "totalizer": {"totalizer"},
}
# What Kubernetes does to the containers of these pods.
CONFINED = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)


def podman(*argv, timeout=60):
    """podman as dev/image uses it."""
    return run([IMAGE, "--podman", *argv], timeout=timeout)


@pytest.fixture(scope="module")
def images():
    """The three images' full names by name, freshly built."""
    if os.geteuid() != 0:
        pytest.skip("dev/image needs root: debootstrap and chroot do")
    built = run([IMAGE], timeout=1800)
    assert built.returncode == 0, built.stderr
    made = [line.split()[0] for line in built.stdout.splitlines() if line.startswith("localhost/")]
    names = {name.split("/")[1].split(":")[0]: name for name in made}
    assert set(names) == set(PROGRAMS)
    return names


@pytest.mark.parametrize("name", PROGRAMS)
def test_image_is_small_and_has_no_shell(images, name):
    """The program, its libraries and certificates; nothing that its user could change."""
    (about,) = json.loads(podman("image", "inspect", images[name]).stdout)
    assert about["Size"] < {"sidecard": 30, "adder": 48, "totalizer": 34}[name] * 10**6
    assert about["Config"]["User"] == "65532:65532"
    root = podman("image", "mount", images[name]).stdout.strip()
    try:
        files = [os.path.join(at, file) for at, _, these in os.walk(root) for file in these]
        inside = {os.path.relpath(file, root) for file in files}
        assert {f for f in inside if f.startswith("bin/")} == {f"bin/{p}" for p in PROGRAMS[name]}
        others = [f for f in inside if not f.startswith(("bin/", "lib/", "lib64/", "usr/lib/"))]
        assert sorted(others) == [
            "etc/group",
            "etc/nsswitch.conf",
            "etc/passwd",
            "etc/ssl/certs/ca-certificates.crt",
        ]
        for file in files:
            status = os.lstat(file)
            assert status.st_uid == 0 and not status.st_mode & 0o6022, file
    finally:
        podman("image", "unmount", images[name])


def test_images_share_the_layer_of_common_libraries(images):
    """On one node it is there once."""
    layers = {}
    for name, image in images.items():
        (about,) = json.loads(podman("image", "inspect", image).stdout)
        layers[name] = about["RootFS"]["Layers"]
    assert len({chain[0] for chain in layers.values()}) == 1, layers
    assert len({chain[1] for chain in layers.values()}) == 3, layers


@pytest.mark.parametrize("name, binary", [(n, b) for n in PROGRAMS for b in sorted(PROGRAMS[n])])
def test_programs_start_in_their_image(images, name, binary):
    """Every library is there."""
    said = podman(
        "run",
        "--rm",
        "--network=none",
        *CONFINED,
        f"--entrypoint=/bin/{binary}",
        images[name],
        "--version",
    )
    assert said.returncode == 0, said.stderr
    built = program("dev/topic" if binary == "topic" else binary)
    assert said.stdout == run([built, "--version"]).stdout


@pytest.mark.parametrize("name", ["dev", "production"])
def test_programs_in_the_image_take_what_the_manifests_give(images, name):
    """--check with a container's command, arguments and environment, inside its image."""
    for workload in find(overlay(name), "Deployment") + find(overlay(name), "Job"):
        for container in Pod(workload).containers:
            image = images[container["image"].rsplit("/", 1)[-1].split(":")[0]]
            env = [f"--env={k}={v}" for k, v in manifests.environment(container).items()]
            command = [f"--entrypoint={word}" for word in container.get("command", ())]
            words = ["run", "--rm", "--network=none", *CONFINED, *env, *command, image, "--check"]
            checked = podman(*words, *container["args"])
            assert checked.returncode == 0, (workload["metadata"]["name"], checked.stderr)


@contextlib.contextmanager
def running(image, *options, arguments):
    """A container; its name. It is gone afterwards."""
    name = f"sidecard-test-{uuid.uuid4().hex[:12]}"
    started = podman("run", "--detach", f"--name={name}", *options, image, *arguments)
    try:
        assert started.returncode == 0, started.stderr
        yield name
    finally:
        podman("rm", "--force", "--time=0", name)


def test_sidecar_works_in_its_image(images, tmp_path):
    """Without privileges, on a read-only root: a span is on /metrics, SIGTERM ends it with 0."""
    container = Pod(find(overlay("production"), "Deployment", "adder")[0]).container("sidecard")
    port = free_port()
    folder = tmp_path / "s"
    folder.mkdir()
    os.chown(folder, 65532, 65532)
    env = {**manifests.environment(container), "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1"}
    env["OTEL_EXPORTER_PROMETHEUS_PORT"] = str(port)
    options = [f"--env={k}={v}" for k, v in env.items()]
    options += ["--network=host", f"--volume={folder}:/run/sidecar", *CONFINED]
    with running(images["sidecard"], *options, arguments=container["args"]) as name:

        def ready():
            try:
                return get(port, "/readyz")[0] == 200
            except OSError:
                return False

        wait_for(ready, lambda: f"/readyz: {podman('logs', name).stderr}")
        assert get(port, "/healthz")[0] == 200
        with Peer(folder / "sidecar.sock", "shop") as shop:
            shop.send(peer.whole("checkout"))
            wait_for(
                lambda: (
                    b'sidecar_spans_finished_total{service_name="shop"} 1'
                    in get(port, "/metrics")[2]
                ),
                "the span on /metrics",
            )
        assert podman("kill", "--signal=TERM", name).returncode == 0
        ended = podman("wait", name)
        assert ended.stdout.strip() == "0", podman("logs", name).stderr
        log = podman("logs", name)
        assert "stop" in (log.stdout + log.stderr)


def test_image_says_what_is_wrong():
    """An unknown image, or no root: one line, and not a build."""
    said = run([IMAGE, "nonsense"])
    assert said.returncode == 1
    assert said.stderr == "image: no image nonsense; there are: sidecard adder totalizer\n"
    assert subprocess.run(["bash", "-n", IMAGE], check=False).returncode == 0
