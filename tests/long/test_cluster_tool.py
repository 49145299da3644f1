"""dev/cluster by itself: what it says when it cannot."""

from lib.cluster import PARTS, TOOL
from lib.process import run


def said(folder, *argv, cache=None):
    """What it says on the way out, with status 1."""
    env = {"CLUSTER": str(folder), **({"CACHE": str(cache)} if cache else {})}
    done = run([TOOL, *argv], env)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_usage():
    """On stdout when asked for, else on stderr with status 2; the same text."""
    asked, wrong = run([TOOL, "--help"]), run([TOOL, "nonsense"])
    assert (asked.returncode, wrong.returncode) == (0, 2)
    assert asked.stdout == wrong.stderr and "dev/cluster up" in asked.stdout


def test_nothing_runs(tmp_path):
    """Every command but up and down says so; down has nothing to do."""
    for command in (["kubectl", "get", "pods"], ["run", "true"], ["ctr", "version"]):
        assert said(tmp_path / "c", *command) == "cluster: it does not run: dev/cluster up\n"
    assert run([TOOL, "down"], {"CLUSTER": str(tmp_path / "c")}).returncode == 0


def test_no_other_folder_is_touched(tmp_path):
    """Neither by up nor by down."""
    (tmp_path / "mine").write_text("")
    for command in ("up", "down"):
        assert said(tmp_path, command) == f"cluster: {tmp_path} is not a cluster's folder\n"
    assert (tmp_path / "mine").exists()
    assert "has that folder for itself" in said("/run/cluster", "up")
    assert "too long a name" in said("/tmp/" + "x" * 60, "up")


def test_missing_parts_are_named(tmp_path):
    """All of them at once, as the argument of dev/parts."""
    wanted = set(PARTS) - {"operator"}
    text = said("/tmp/no-cluster", "up", cache=tmp_path)
    assert text.startswith("cluster: parts are not there: dev/parts ")
    assert set(text.partition("dev/parts ")[2].split()) == wanted


def test_only_one_runs(cluster):
    """A second one in the same folder is refused; the first does not mind."""
    assert said(cluster.folder / "c", "up").startswith("cluster: it runs already, in ")
    assert "node" in cluster.do("get", "nodes", "-o", "name")
