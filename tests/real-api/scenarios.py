"""Rolling updates against a real Kubernetes API, one cluster a scenario, three at a time.

usage: scenarios.py --programs FOLDER --kapstan BINARY --sandbox ADDRESS [SCENARIO ...]
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import boto3
import requests

from control_plane import ControlPlane
from kubelets import EXCLUDED, Kubelets, Pace

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAME = "roll.example.com"
OLD, NEW = "ami-10100000", "ami-15000000"
TAINT, CHANGED = "kops.k8s.io/scheduled-for-update", "kapstan.io/rolling-update"
BRISK = ["--node-interval", "1s", "--control-plane-interval", "1s", "--post-drain-delay", "1s"]
AT_ONCE = 3
LIMIT = 600


def specs(masters, groups, image):
    letters = "abc"[:masters]
    members = "".join(f"    - {{name: {letter}, instanceGroup: master-{letter}}}\n" for letter in letters)
    cluster = f"""\
apiVersion: kops/v1alpha2
kind: Cluster
metadata: {{name: {NAME}, annotations: {{kapstan.io/bootstrap: none}}}}
spec:
  cloudProvider: aws
  kubernetesVersion: 1.10.3
  networkCIDR: 172.20.0.0/16
  subnets:
  - {{name: us-west-2a, zone: us-west-2a, cidr: 172.20.32.0/19, type: Public}}
  etcdClusters:
  - name: main
    etcdMembers:
{members}  - name: events
    etcdMembers:
{members}  iam: {{}}
  networking: {{kubenet: {{}}}}
  topology: {{masters: public, nodes: public}}
"""
    rows = [(f"master-{letter}", "Master", 1, "") for letter in letters]
    rows += [(name, "Node", size, more) for name, size, more in groups]
    return "---\n".join([cluster] + [f"""\
apiVersion: kops/v1alpha2
kind: InstanceGroup
metadata:
  name: {name}
  labels: {{kops.k8s.io/cluster: {NAME}}}
spec:
  role: {role}
  image: {image}
  machineType: m5.large
  minSize: {size}
  maxSize: {size}
  subnets: [us-west-2a]
{more}""" for name, role, size, more in rows])


class World:
    """One AWS account with a running cluster, whose spec has a newer image than its instances."""

    def __init__(self, options, test, masters, groups, taints=None, pace=None, tokens=None):
        self.options, self.key = options, f"REAL{test.upper().replace('_', '')}"
        self.shape = (masters, groups)
        self.folder = tempfile.mkdtemp(prefix="real-api-")
        self.plane = ControlPlane(options.programs, self.folder, tokens)
        self.api = self.plane.api
        self.kubelets = Kubelets(self.api, options.sandbox, self.key, pace or Pace(), taints)

    def begin(self):
        self.plane.start()
        self.config = self.plane.kubeconfig("kubeconfig.json", NAME)
        self.aws_begin()
        self.kubelets.begin()
        self.to_image(NEW)
        self.settle()

    def aws(self, service):
        return boto3.client(
            service, endpoint_url=self.options.sandbox, region_name="us-west-2", aws_access_key_id=self.key,
            aws_secret_access_key="secret")

    def aws_begin(self):
        bucket = f"state-{self.key.lower()}"
        place = {"LocationConstraint": "us-west-2"}
        self.aws("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
        self.aws("route53").create_hosted_zone(Name="example.com", CallerReference=self.key)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": self.folder, "AWS_ENDPOINT_URL": self.options.sandbox,
            "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true",
            "KOPS_STATE_STORE": f"s3://{bucket}", "KUBECONFIG": self.config}
        self.write_specs(OLD)
        self.ok("create", "-f", self.specs)
        key = os.path.join(ROOT, "tests/goldens/id_rsa.pub")
        self.ok("create", "secret", "sshpublickey", "admin", "-i", key, "--name", NAME)
        self.ok("update", "cluster", NAME, "--yes")

    def write_specs(self, image):
        self.specs = os.path.join(self.folder, "specs.yaml")
        with open(self.specs, "w") as file:
            file.write(specs(*self.shape, image))

    def to_image(self, image):
        self.write_specs(image)
        self.ok("replace", "-f", self.specs)
        self.ok("update", "cluster", NAME, "--yes")

    def start(self, *arguments, config=None):
        environment = dict(self.environment, **({"KUBECONFIG": config} if config else {}))
        return subprocess.Popen(
            [self.options.kapstan, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)

    def run(self, *arguments, config=None, limit=LIMIT):
        """The exit code, and all that was said."""
        child = self.start(*arguments, config=config)
        try:
            said, _ = child.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            child.kill()
            said, _ = child.communicate()
            raise AssertionError(f"{arguments} has not ended after {limit} s:\n{said}")
        return child.returncode, said

    def ok(self, *arguments, **options):
        code, said = self.run(*arguments, **options)
        assert code == 0, f"{arguments}: exit {code}\n{said}"
        return said

    def roll(self, *arguments, **options):
        return self.run("rolling-update", "cluster", NAME, "--yes", *BRISK, *arguments, **options)

    def begin_roll(self, *arguments, **options):
        return self.start("rolling-update", "cluster", NAME, "--yes", *BRISK, *arguments, **options)

    def nodes(self, group=None):
        rows = self.api.items("/api/v1/nodes")
        label = "kops.k8s.io/instancegroup"
        return [row for row in rows if group in (None, row["metadata"]["labels"].get(label))]

    def pods(self, app):
        return self.api.items(f"/api/v1/namespaces/default/pods?labelSelector=app%3D{app}")

    def ready(self, app):
        return sum(is_ready(pod) for pod in self.pods(app) if "deletionTimestamp" not in pod["metadata"])

    def settle(self):
        """Waits until every instance is a ready node."""
        masters, groups = self.shape
        expected = masters + sum(size for _, size, _ in groups)
        until(lambda: sum(is_ready(node) for node in self.nodes()) == expected, "all nodes are ready")
        until(lambda: not any(taint["key"].startswith("node.kubernetes.io/")
                              for node in self.nodes() for taint in taints_of(node)), "nodes take pods")

    def deploy(self, name, replicas, kind="Deployment", **more):
        labels = {"app": name}
        spec = {
            "replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {
                "terminationGracePeriodSeconds": 5, "containers": [{"name": "main", "image": "none"}], **more}}}
        if kind == "StatefulSet":
            spec["serviceName"] = name
        if kind == "DaemonSet":
            del spec["replicas"]
        plural = kind.lower() + "s"
        self.api.create(f"/apis/apps/v1/namespaces/default/{plural}", {
            "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
        if replicas:
            until(lambda: self.ready(name) == replicas, f"{name} runs")

    def budget(self, name, app, **allowed):
        path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
        self.api.create(path, {
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": {"app": app}}, **allowed}})
        until(lambda: self.api.get(f"{path}/{name}").get("status", {}).get("observedGeneration"), f"{name} is counted")

    def allow(self, user, *rules):
        """Gives a user these rights: API group, resource, verbs."""
        listed = [{"apiGroups": [group], "resources": [resource], "verbs": verbs} for group, resource, verbs in rules]
        base = "/apis/rbac.authorization.k8s.io/v1"
        self.api.create(f"{base}/clusterroles", {"metadata": {"name": user}, "rules": listed})
        self.api.create(f"{base}/clusterrolebindings", {
            "metadata": {"name": user}, "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user}})

    def marks(self):
        """What a rolling update has left on nodes."""
        found = []
        for node in self.nodes():
            meta = node["metadata"]
            is_master = any("control-plane" in label for label in meta["labels"])
            marks = [
                ("cordon", node["spec"].get("unschedulable")), ("annotation", CHANGED in meta.get("annotations", {})),
                ("exclusion", not is_master and EXCLUDED in meta["labels"]),
                ("taint", any(taint["key"] == TAINT for taint in taints_of(node)))]
            found += [f"{meta['name']}: {what}" for what, is_there in marks if is_there]
        return found

    def writes(self):
        rows = requests.get(f"{self.options.sandbox}/_sandbox/calls", params={"key": self.key}, timeout=30).json()
        return [row["operation"] for row in rows if row["write"]]

    def forget_calls(self):
        requests.delete(f"{self.options.sandbox}/_sandbox/calls", params={"key": self.key}, timeout=30)

    def until_cordoned(self, child):
        def is_cordoned():
            assert child.poll() is None, f"it ended before: {child.stdout.read()}"
            return any(node["spec"].get("unschedulable") for node in self.nodes())
        until(is_cordoned, "a node is cordoned", within=180)

    def end(self):
        self.kubelets.stop()
        self.plane.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Watch(threading.Thread):
    """Looks again and again, and keeps what a look complains of."""

    def __init__(self, look):
        super().__init__(daemon=True)
        self.look, self.complaints, self.ends = look, set(), threading.Event()

    def run(self):
        while not self.ends.wait(0.3):
            try:
                self.complaints.update(self.look())
            except (requests.RequestException, RuntimeError):
                pass

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.join()


def taints_of(node):
    return node["spec"].get("taints", [])


def is_ready(row):
    conditions = row.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def until(condition, what, within=60):
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            if condition():
                return
        except (requests.RequestException, RuntimeError):
            pass
        time.sleep(0.3)
    raise AssertionError(f"after {within} s it is not so that {what}")


def equal(found, expected, told=""):
    assert found == expected, f"{found!r} where {expected!r} is right\n{told}"


def has(said, *parts):
    for part in parts:
        assert re.search(part, said), f"{part!r} is not in:\n{said}"


SCENARIOS = []


def on(test, masters, groups, **more):
    """A scenario on a world of this shape (see World)."""
    def take(scenario):
        SCENARIOS.append((scenario, lambda options: World(options, test, masters, groups, **more)))
        return scenario
    return take


GPU = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
ROLLER_READS = [("", "nodes", ["get", "list"]), ("", "pods", ["get", "list"]),
                ("policy", "poddisruptionbudgets", ["get", "list"])]
STUCK = [("nodes", 2, "  rollingUpdate: {maxSurge: 0, maxUnavailable: 1}\n")]


@on("whole", 3, [("nodes-a", 3, ""), ("nodes-b", 4, "  rollingUpdate: {maxSurge: 50%}\n")])
def a_whole_update(world):
    """Masters one by one, two groups side by side, a budgeted database never short."""
    world.deploy("db", 3, kind="StatefulSet")
    world.budget("db", "db", minAvailable=2)
    world.deploy("web", 6)
    world.deploy("agent", 0, kind="DaemonSet", tolerations=[{"operator": "Exists"}])
    before = {node["metadata"]["name"] for node in world.nodes()}

    def look():
        if world.ready("db") < 2:
            yield "fewer than two of db"
        down = [n for n in world.nodes() if "master" in n["metadata"]["labels"]["kops.k8s.io/instancegroup"]
                and n["spec"].get("unschedulable")]
        if len(down) > 1:
            yield "two masters cordoned"

    with Watch(look) as watch:
        code, said = world.roll("--max-parallel-groups", "2")
    equal(code, 0, said)
    equal(watch.complaints, set(), said)
    world.settle()
    equal(before & {node["metadata"]["name"] for node in world.nodes()}, set())
    equal(world.marks(), [])
    equal(world.ready("db"), 3)
    code, said = world.run("rolling-update", "cluster", NAME, "--detailed-exitcode")
    equal(code, 0, said)
    world.ok("validate", "cluster", NAME)


@on("taints", 1, [("gpu", 2, ""), ("nodes", 2, "")], taints={"gpu": [GPU]})
def taints_are_kept(world):
    """Taints of masters, of GPU nodes, and of somebody who comes in between."""
    kept = next(node["metadata"]["name"] for node in world.nodes("nodes"))
    other = {"key": "example.com/maintenance", "effect": "NoSchedule"}
    node = world.api.get(f"/api/v1/nodes/{kept}")
    world.api.merge(f"/api/v1/nodes/{kept}", {"spec": {"taints": taints_of(node) + [other]}})

    def look():
        for node in world.nodes():
            group, keys = node["metadata"]["labels"]["kops.k8s.io/instancegroup"], [t["key"] for t in taints_of(node)]
            if group == "gpu" and GPU["key"] not in keys:
                yield "a GPU node lost its taint"
            if group.startswith("master") and "node-role.kubernetes.io/control-plane" not in keys:
                yield "a master lost its taint"
            if node["metadata"]["name"] == kept and other["key"] not in keys:
                yield "a foreign taint was lost"

    with Watch(look) as watch:
        code, said = world.roll()
    equal(code, 0, said)
    equal(watch.complaints, set(), said)
    equal(world.marks(), [])


@on("stop", 1, STUCK)
def a_stop_releases(world):
    """A budget that never gives way: the group stops, and the node serves again."""
    world.deploy("stuck", 2)
    world.budget("stuck", "stuck", maxUnavailable=0)
    code, said = world.roll("--instance-group", "nodes", "--drain-timeout", "15s")
    equal(code, 1, said)
    has(said, r"budget default/stuck")
    equal(world.marks(), [], said)
    equal(world.ready("stuck"), 2)


@on("interrupt", 1, STUCK)
def an_interrupt_releases(world):
    world.deploy("stuck", 2)
    world.budget("stuck", "stuck", maxUnavailable=0)
    child = world.begin_roll("--instance-group", "nodes")
    world.until_cordoned(child)
    time.sleep(3)
    child.send_signal(signal.SIGINT)
    said, _ = child.communicate(timeout=60)
    equal(child.returncode, 1, said)
    equal(world.marks(), [], said)


@on("kill", 1, STUCK)
def marks_of_a_killed_run_go(world):
    """Nothing needs to be replaced any more, and what a killed run marked is taken back."""
    world.deploy("stuck", 2)
    world.budget("stuck", "stuck", maxUnavailable=0)
    child = world.begin_roll("--instance-group", "nodes")
    world.until_cordoned(child)
    child.kill()
    child.communicate()
    assert world.marks(), "a killed run leaves marks"
    world.to_image(OLD)
    said = world.ok("rolling-update", "cluster", NAME)
    has(said, r"ip-172-20")
    code, said = world.roll()
    equal(code, 0, said)
    equal(world.marks(), [], said)


@on("rights", 1, STUCK, tokens={"roller-token": "roller"})
def missing_rights_are_told_first(world):
    """Who may not evict, or not patch nodes, changes nothing at all."""
    world.deploy("web", 2)
    world.allow("roller", *ROLLER_READS, ("", "nodes", ["get", "list", "patch"]))
    config = world.plane.kubeconfig("roller.json", NAME, "roller-token")
    world.forget_calls()
    code, said = world.roll("--instance-group", "nodes", config=config, limit=120)
    equal(code, 1, said)
    has(said, r"pods/eviction")
    equal(world.marks(), [], said)
    equal([call for call in world.writes() if "Object" not in call], [], said)


@on("budgets", 1, STUCK)
def two_budgets_are_told(world):
    """A pod under two budgets can never be evicted: said soon, and with both names."""
    world.deploy("twice", 2)
    world.budget("first", "twice", maxUnavailable=1)
    world.budget("second", "twice", maxUnavailable=1)
    code, said = world.roll("--instance-group", "nodes", limit=180)
    equal(code, 1, said)
    has(said, r"first", r"second")
    equal(world.marks(), [], said)
    equal(world.ready("twice"), 2)


@on("restart", 1, STUCK)
def a_restart_is_waited_for(world):
    world.deploy("web", 2, terminationGracePeriodSeconds=10)
    child = world.begin_roll("--instance-group", "nodes")
    world.until_cordoned(child)
    world.plane.restart_server(away=8)
    said, _ = child.communicate(timeout=LIMIT)
    equal(child.returncode, 0, said)
    equal(world.marks(), [], said)


@on("token", 1, STUCK, tokens={"roller-token": "roller"})
def an_unknown_token_ends_it(world):
    """After a restart the token is not known any more: final, with what is left cordoned."""
    world.deploy("stuck", 2)
    world.budget("stuck", "stuck", maxUnavailable=0)
    world.allow("roller", *ROLLER_READS, ("", "nodes", ["get", "list", "patch", "delete"]), ("", "pods/eviction", ["create"]))
    config = world.plane.kubeconfig("roller.json", NAME, "roller-token")
    child = world.begin_roll("--instance-group", "nodes", config=config)
    world.until_cordoned(child)
    cordoned = [n["metadata"]["name"] for n in world.nodes() if n["spec"].get("unschedulable")]
    world.plane.restart_server(away=1, tokens={"another": "roller"})
    said, _ = child.communicate(timeout=120)
    equal(child.returncode, 1, said)
    has(said, r"[Uu]nauthorized", re.escape(cordoned[0]), r"log in")


@on("cordon", 1, STUCK)
def an_operator_s_cordon_stays(world):
    """A node that an operator cordoned is not uncordoned by a stop, nor a master's label taken."""
    world.deploy("stuck", 2)
    world.budget("stuck", "stuck", maxUnavailable=0)
    kept = world.nodes("nodes")[0]["metadata"]["name"]
    world.api.merge(f"/api/v1/nodes/{kept}", {"spec": {"unschedulable": True}})
    code, said = world.roll("--drain-timeout", "15s", "--instance-group", "nodes")
    equal(code, 1, said)
    equal(world.marks(), [f"{kept}: cordon"], said)
    master = world.nodes("master-a")[0]
    assert EXCLUDED in master["metadata"]["labels"], said


def play(scenario, make, options):
    """Runs one scenario; gives back why it failed, if it did, and the server's version."""
    begun, world = time.monotonic(), make(options)
    version, trouble = None, None
    try:
        world.begin()
        version = world.plane.version()
        scenario(world)
        if world.kubelets.troubles:
            trouble = "the played kubelets failed:\n" + world.kubelets.troubles[0]
    except BaseException:
        trouble = traceback.format_exc()
    finally:
        world.end()
    took = time.monotonic() - begun
    print(f"{'FAILED' if trouble else 'ok':6} {scenario.__name__} ({took:.0f} s)\n{trouble or ''}", end="", flush=True)
    return trouble, version


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--programs", required=True)
    parser.add_argument("--kapstan", required=True)
    parser.add_argument("--sandbox", required=True)
    parser.add_argument("scenarios", nargs="*")
    options = parser.parse_args()
    chosen = [one for one in SCENARIOS if not options.scenarios or one[0].__name__ in options.scenarios]
    unknown = set(options.scenarios) - {scenario.__name__ for scenario, _ in SCENARIOS}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda one: play(*one, options), chosen))
    failed = sum(trouble is not None for trouble, _ in results)
    version = next((version for _, version in results if version), "that did not start")
    print(f"kube-apiserver {version}: {len(chosen)} scenarios ran")
    print(f"real-api: {len(chosen) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
