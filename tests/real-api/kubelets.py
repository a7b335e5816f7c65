"""What no real program plays here: kubelets, the cloud's controller, and the passing of AWS' time."""

import datetime
import json
import re
import threading
import time
import traceback

import requests

MIRROR = "kubernetes.io/config.mirror"
PARTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def stamp(micro=False):
    return now().strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


class Pace:
    """Seconds: until an instance runs, is a node, is ready; until its node is deleted when it is
    gone; until a pod that is bound runs, and one that must end has ended."""

    def __init__(self, boot=3, join=2, ready=2, forget=4, start=1, end=2):
        self.boot, self.join, self.ready, self.forget = boot, join, ready, forget
        self.start, self.end = start, end


class Machine:
    def __init__(self, row, seen):
        self.id, self.zone, self.seen = row["id"], row["zone"], seen
        self.name = row["dns"]
        self.group = (row["group"] or row["detached"] or "").split(".")[0]
        self.is_master = self.group.startswith("master")
        self.joined, self.ready, self.gone = None, None, None


class Kubelets(threading.Thread):
    """Makes a node of each instance, runs the pods bound to it, and forgets it when it is gone.

    `never_join` names groups whose new instances never join, `silent` nodes whose kubelet says no
    more, `taints` what nodes of a group join with.
    """

    def __init__(self, api, sandbox, key, pace, taints=None):
        super().__init__(daemon=True)
        self.api, self.sandbox, self.key, self.pace = api, sandbox, key, pace
        self.taints = taints or {}
        self.never_join, self.silent = set(), set()
        self.machines, self.since = {}, {}
        self.ends = threading.Event()
        self.troubles = []

    def life(self, method, body=None, seconds=0):
        answer = requests.request(
            method, f"{self.sandbox}/_sandbox/life", params={"key": self.key, "seconds": seconds},
            data=None if body is None else json.dumps(body), timeout=30)
        answer.raise_for_status()
        return answer.json()

    def begin(self):
        """The instances that stand now have been nodes for a while."""
        settings = {"boot": self.pace.boot, "react": 1, "shutdown": 2, "begin": int(time.time())}
        self.last = time.monotonic()
        self.take(self.life("PUT", settings), is_first=True)
        self.start()

    def stop(self):
        self.ends.set()
        if self.is_alive():
            self.join(10)

    def run(self):
        while not self.ends.is_set():
            try:
                self.step()
            except (requests.RequestException, RuntimeError):
                pass  # The server may be away; a kubelet tries again.
            except Exception:
                self.troubles.append(traceback.format_exc())
            self.ends.wait(0.5)

    def step(self):
        passed = int(time.monotonic() - self.last)
        self.last += passed
        self.take(self.life("POST", seconds=passed))
        for machine in list(self.machines.values()):
            self.keep(machine)
        self.run_pods()

    def take(self, report, is_first=False):
        moment = time.monotonic()
        live = {row["id"]: row for row in report["instances"] if row["state"] == "running"}
        for ident, row in live.items():
            if ident not in self.machines:
                machine = Machine(row, moment - 3600 if is_first else moment)
                machine.is_new = not is_first
                self.machines[ident] = machine
        for ident, machine in self.machines.items():
            if ident not in live and machine.gone is None:
                machine.gone = moment

    def keep(self, machine):
        moment = time.monotonic()
        path = f"/api/v1/nodes/{machine.name}"
        if machine.gone is not None:
            if machine.joined and moment - machine.gone >= self.pace.forget:
                node = self.api.call("GET", path, ok=(200, 404))
                # The name may be another machine's by now.
                if node.get("spec", {}).get("providerID", "").endswith(machine.id):
                    self.api.delete(path, preconditions={"uid": node["metadata"]["uid"]})
                del self.machines[machine.id]
            return
        if machine.is_new and machine.group in self.never_join or machine.name in self.silent:
            return
        if machine.joined is None:
            if moment - machine.seen >= self.pace.join:
                self.join_cluster(machine)
                machine.joined = moment
            return
        if machine.ready is None and moment - machine.joined >= (self.pace.ready if machine.is_new else 0):
            machine.ready = moment
            machine.told = 0
        if machine.ready is not None and moment - machine.told >= 3:
            self.tell(machine)
            machine.told = moment

    def join_cluster(self, machine):
        labels = {"kops.k8s.io/instancegroup": machine.group, "kubernetes.io/hostname": machine.name,
                  "topology.kubernetes.io/zone": machine.zone}
        taints = list(self.taints.get(machine.group, []))
        if machine.is_master:
            labels.update({CONTROL_PLANE: "", EXCLUDED: ""})
            taints.append({"key": CONTROL_PLANE, "effect": "NoSchedule"})
        else:
            labels["node-role.kubernetes.io/node"] = ""
        self.api.create("/api/v1/nodes", {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": machine.name, "labels": labels},
            "spec": {"providerID": f"aws:///{machine.zone}/{machine.id}", "taints": taints}})
        for part in PARTS if machine.is_master else ():
            node = self.api.get(f"/api/v1/nodes/{machine.name}")
            self.api.create("/api/v1/namespaces/kube-system/pods", {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "name": f"{part}-{machine.name}", "labels": {"k8s-app": part}, "annotations": {MIRROR: "x"},
                    "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": machine.name,
                                         "uid": node["metadata"]["uid"], "controller": True}]},
                "spec": {"nodeName": machine.name, "priorityClassName": "system-cluster-critical",
                         "tolerations": [{"operator": "Exists"}],
                         "containers": [{"name": "part", "image": "none"}]}})

    def tell(self, machine):
        """The node's state and its lease, as a kubelet renews them."""
        room = {"cpu": "8", "memory": "32Gi", "pods": "110"}
        moment = stamp()
        self.api.merge(f"/api/v1/nodes/{machine.name}/status", {"status": {
            "capacity": room, "allocatable": room,
            "addresses": [{"type": "InternalIP", "address": address_in(machine.name)},
                          {"type": "Hostname", "address": machine.name}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady",
                            "message": "kubelet is posting ready status",
                            "lastHeartbeatTime": moment, "lastTransitionTime": moment}]}})
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                 "metadata": {"name": machine.name, "namespace": "kube-node-lease"},
                 "spec": {"holderIdentity": machine.name, "leaseDurationSeconds": 40, "renewTime": stamp(True)}}
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        if self.api.merge(f"{leases}/{machine.name}", {"spec": {"renewTime": stamp(True)}}).get("code") == 404:
            self.api.create(leases, lease)

    def run_pods(self):
        speaking = {m.name for m in self.machines.values() if m.joined and m.gone is None} - self.silent
        moment = time.monotonic()
        for pod in self.api.items("/api/v1/pods"):
            meta, spec = pod["metadata"], pod["spec"]
            if spec.get("nodeName") not in speaking:
                continue
            path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
            is_ending = "deletionTimestamp" in meta
            since = self.since.setdefault((meta["uid"], is_ending), moment)
            if is_ending and moment - since >= self.pace.end:
                self.api.delete(path, gracePeriodSeconds=0, preconditions={"uid": meta["uid"]})
            elif not is_ending and pod["status"].get("phase") == "Pending" and moment - since >= self.pace.start:
                names = [container["name"] for container in spec["containers"]]
                told = stamp()
                self.api.merge(f"{path}/status", {"status": {
                    "phase": "Running", "startTime": told,
                    "conditions": [{"type": kind, "status": "True", "lastTransitionTime": told}
                                   for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")],
                    "containerStatuses": [
                        {"name": name, "ready": True, "restartCount": 0, "image": "none", "imageID": "none",
                         "state": {"running": {"startedAt": told}}} for name in names]}})


def address_in(name):
    found = re.match(r"ip-(\d+)-(\d+)-(\d+)-(\d+)", name)
    return ".".join(found.groups()) if found else "10.0.0.1"
