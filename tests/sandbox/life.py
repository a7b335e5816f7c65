"""Instances that take time: they boot, serve, shut down, and Auto Scaling keeps their number.

moto starts and ends instances at once. For an access key whose account was given life, time is
simulated, and moves only when told (POST /_sandbox/life/advance?seconds=N): instances are
pending before they run, and shut down before they are gone; Auto Scaling starts what is missing
some seconds later, writes down what it tried, and carries out instance refreshes. After the
Auto Scaling User Guide ("Amazon EC2 Auto Scaling instance lifecycle", "Use an instance refresh")
and the EC2 User Guide ("Amazon EC2 instance state changes").
"""

import datetime
import itertools
import uuid

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, autoscaling_backends
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import InstanceBackend, InstanceState

BEGIN = datetime.datetime(2026, 1, 1)
KNOWN = {"boot", "react", "shutdown", "join", "ready", "troubles", "region", "begin"}

lives = {}


class Life:
    """The time of one account. `settings`: seconds that instances take to `boot` and to shut
    down (`shutdown`), and Auto Scaling to `react`; when its time begins (`begin`, seconds since
    1970); `troubles`, a list of what goes wrong, each for a `group` (part of its name):

      {"launch": MESSAGE}      launches fail so
      {"dies": MESSAGE}        new instances are shut down by EC2 once they run
    """

    def __init__(self, account, settings):
        unknown = set(settings) - KNOWN
        if unknown:
            raise ValueError(f"unknown in a life: {sorted(unknown)}")
        self.account = account
        self.region = settings.get("region", "us-west-2")
        self.boot, self.react = settings.get("boot", 60), settings.get("react", 5)
        self.shutdown = settings.get("shutdown", 20)
        begin = settings.get("begin")
        self.begin_time = BEGIN if begin is None else datetime.datetime.fromtimestamp(begin, datetime.timezone.utc).replace(tzinfo=None)
        self.troubles = settings.get("troubles", [])
        self.now = 0
        # By instance: when it runs, or is gone.
        self.runs_at, self.gone_at, self.dies = {}, {}, {}
        # By group: since when instances are missing, what was tried, its refreshes.
        self.short_since, self.activities, self.refreshes = {}, {}, {}

    @property
    def backend(self):
        return autoscaling_backends[self.account][self.region]

    @property
    def ec2(self):
        return ec2_backends[self.account][self.region]

    def time(self, seconds=None):
        return self.begin_time + datetime.timedelta(seconds=self.now if seconds is None else seconds)

    def trouble(self, group, kind):
        found = (one for one in self.troubles if kind in one and one["group"] in group)
        return next((one[kind] for one in found), None)

    def settle(self):
        """What there is has been running for a day."""
        for state in self.states():
            state.instance.launch_time = self.time(-86400)

    def states(self):
        return [state for group in self.backend.autoscaling_groups.values() for state in group.instance_states]

    def advance(self, seconds):
        for _ in range(seconds):
            self.now += 1
            self.run_and_end()
            for group in list(self.backend.autoscaling_groups.values()):
                self.keep(group)
                refresh = (self.refreshes.get(group.name) or [None])[0]
                if refresh and refresh.is_open():
                    refresh.step(self, group)

    def run_and_end(self):
        for ident in [ident for ident, at in self.runs_at.items() if at <= self.now]:
            del self.runs_at[ident]
            instance = self.ec2.get_instance(ident)
            set_state(instance, "running", 16)
            state = next((s for s in self.states() if s.instance.id == ident), None)
            if state:
                state.lifecycle_state = "InService"
                self.close(state.auto_scaling_group.name, ident, "Successful")
            message = self.dies.pop(ident, None)
            if message:
                instance.state_reason.code = "Server.InternalError"
                instance.state_reason.message = message
                self.end(ident)
        for ident in [ident for ident, at in self.gone_at.items() if at <= self.now]:
            del self.gone_at[ident]
            set_state(self.ec2.get_instance(ident), "terminated", 48)
            for group in self.backend.autoscaling_groups.values():
                group.instance_states = [s for s in group.instance_states if s.instance.id != ident]
            # EC2 shows it for a while; nothing here looks at it any more.
            for reservation in self.ec2.reservations.values():
                reservation.instances = [one for one in reservation.instances if one.id != ident]

    def end(self, ident):
        """Begins to shut an instance down."""
        if ident in self.gone_at:
            return
        self.runs_at.pop(ident, None)
        instance = self.ec2.get_instance(ident)
        if instance.state == "terminated":
            return
        set_state(instance, "shutting-down", 32)
        self.gone_at[ident] = self.now + self.shutdown
        for state in self.states():
            if state.instance.id == ident:
                state.lifecycle_state = "Terminating"

    def keep(self, group):
        """Starts what is missing, some time after it is."""
        standing = [s for s in group.instance_states if not s.lifecycle_state.startswith("Terminating")]
        missing = (group.desired_capacity or 0) - len(standing)
        if missing <= 0 or "Launch" in group._suspended_processes:
            self.short_since.pop(group.name, None)
            return
        since = self.short_since.setdefault(group.name, self.now)
        if self.now - since < self.react:
            return
        message = self.trouble(group.name, "launch")
        if message:
            self.tried(group.name, f"Launching a new EC2 instance.  Status Reason: {message}", None, "Failed", message)
            # It tries again later.
            self.short_since[group.name] = self.now + 10
            return
        for _ in range(missing):
            self.launch(group)
        self.short_since.pop(group.name, None)

    def launch(self, group):
        subnets = [one for one in (group.vpc_zone_identifier or "").split(",") if one]
        used = [state.instance.subnet_id for state in group.instance_states]
        whole = group.vpc_zone_identifier
        if subnets:
            group.vpc_zone_identifier = min(subnets, key=used.count)
        before = {state.instance.id for state in group.instance_states}
        try:
            launch_now(group, 1, group.get_propagated_tags())
        finally:
            group.vpc_zone_identifier = whole
        for state in group.instance_states:
            if state.instance.id not in before:
                self.begin(group, state)

    def begin(self, group, state):
        instance = state.instance
        instance.launch_time = self.time()
        set_state(instance, "pending", 0)
        state.lifecycle_state = "Pending"
        self.runs_at[instance.id] = self.now + self.boot
        message = self.trouble(group.name, "dies")
        if message:
            self.dies[instance.id] = message
        self.tried(group.name, f"Launching a new EC2 instance: {instance.id}", instance.id, "InProgress")

    def tried(self, group, description, ident, status, message=None):
        self.activities.setdefault(group, []).insert(0, {
            "ActivityId": str(uuid.uuid4()), "AutoScalingGroupName": group, "Description": description,
            "Cause": f"At {self.time().isoformat()} the number of instances was to be kept.",
            "StartTime": self.time(), "StatusCode": status, "StatusMessage": message, "Progress": 50,
            "instance": ident,
        })

    def close(self, group, ident, status):
        for activity in self.activities.get(group, []):
            if activity["instance"] == ident and activity["StatusCode"] == "InProgress":
                activity.update(StatusCode=status, Progress=100, EndTime=self.time())

    def instances(self):
        """Every instance that is not gone, as the world outside sees it."""
        places = {state.instance.id: (state.auto_scaling_group.name, state.lifecycle_state) for state in self.states()}
        rows = []
        for reservation in self.ec2.reservations.values():
            for instance in reservation.instances:
                if instance.state == "terminated":
                    continue
                group, lifecycle = places.get(instance.id, (None, None))
                tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
                rows.append({
                    "id": instance.id, "state": instance.state, "group": group, "lifecycle": lifecycle,
                    "launched": int((instance.launch_time.replace(tzinfo=datetime.timezone.utc)).timestamp()),
                    "zone": instance.placement.zone, "dns": instance.private_dns_name,
                    "detached": tags.get("kops.k8s.io/detached-from-asg"),
                })
        return rows

    def told(self):
        groups = self.backend.autoscaling_groups.values()
        return {
            "now": int(self.time().replace(tzinfo=datetime.timezone.utc).timestamp()),
            "instances": self.instances(), "groups": {group.name: group.desired_capacity for group in groups},
        }


class Refresh:
    """An instance refresh: replaces instances with another version, so many at a time."""

    numbers = itertools.count(1)

    def __init__(self, life, group, asked):
        self.ident = f"refresh-{next(self.numbers)}"
        self.group, self.started, self.ended = group.name, life.now, None
        self.status, self.reason = "Pending", None
        self.preferences = asked.get("Preferences") or {}
        template = (asked.get("DesiredConfiguration") or {}).get("LaunchTemplate")
        if template:
            group._set_launch_configuration(None, template, None)
        self.version = version_of(group)
        # skip_matching leaves what runs this version already.
        skips = str(self.preferences.get("SkipMatching", "false")).lower() == "true"
        current = [s for s in group.instance_states if s.launch_template["Version"] == str(self.version)]
        self.old = [s.instance.id for s in group.instance_states if not (skips and s in current)]
        self.all = len(self.old)
        self.waits_until = None
        self.passed = set()

    def is_open(self):
        return self.status in ("Pending", "InProgress", "Cancelling")

    def done(self):
        return 100 if not self.all else (self.all - len(self.old)) * 100 // self.all

    def step(self, life, group):
        states = {state.instance.id: state for state in group.instance_states}
        self.old = [ident for ident in self.old if ident in states and states[ident].lifecycle_state != "Terminating"]
        coming = [s for s in states.values() if s.lifecycle_state == "Pending"]
        if self.status == "Cancelling":
            self.end(life, "Cancelled", "Cancelled due to user request.")
            return
        self.status = "InProgress"
        if not self.old and not coming and len(states) == group.desired_capacity:
            self.end(life, "Successful", None)
            return
        if life.activities.get(group.name) and life.activities[group.name][0]["StatusCode"] == "Failed":
            self.reason = life.activities[group.name][0]["StatusMessage"]
        for mark in self.preferences.get("CheckpointPercentages") or []:
            if int(mark) < 100 and self.done() >= int(mark) and mark not in self.passed:
                self.passed.add(mark)
                self.waits_until = life.now + int(self.preferences.get("CheckpointDelay", 3600))
        if self.waits_until and life.now < self.waits_until:
            return
        healthy = len([s for s in states.values() if s.lifecycle_state == "InService"])
        least = -(-group.desired_capacity * int(self.preferences.get("MinHealthyPercentage", 90)) // 100)
        # At least one at a time, whatever the percentage.
        least = min(least, group.desired_capacity - 1)
        for ident in self.old[: max(0, healthy - least)]:
            life.end(ident)

    def end(self, life, status, reason):
        self.status, self.reason, self.ended = status, reason, life.now

    def told(self, life):
        return {
            "InstanceRefreshId": self.ident, "AutoScalingGroupName": self.group, "Status": self.status,
            "StatusReason": self.reason, "StartTime": life.time(self.started),
            "EndTime": None if self.ended is None else life.time(self.ended),
            "PercentageComplete": self.done(), "InstancesToUpdate": len(self.old), "Preferences": self.preferences,
        }


def version_of(group):
    return group.ec2_launch_template.get_version(group.launch_template_version).number


def set_state(instance, name, code):
    instance._state.name, instance._state.code = name, code


launch_now = FakeAutoScalingGroup.replace_autoscaling_group_instances


def life_of(backend):
    return lives.get(backend.account_id)


def give(account, settings):
    life = lives.get(account)
    if life is None:
        life = lives[account] = Life(account, settings)
        life.settle()
    else:
        # Time and what is under way go on; only what is to come changes.
        fresh = Life(account, settings)
        life.boot, life.react, life.shutdown, life.troubles = fresh.boot, fresh.react, fresh.shutdown, fresh.troubles
    return life


def correct():
    """Lets the life of an account, where it has one, decide when instances come and go."""
    set_capacity = FakeAutoScalingGroup.set_desired_capacity
    detach, terminate = AutoScalingBackend.detach_instances, AutoScalingBackend.terminate_instance
    notify, end_now = AutoScalingBackend.notify_terminate_instances, InstanceBackend.terminate_instances
    activities = AutoScalingResponse.describe_scaling_activities

    def set_desired_capacity(group, capacity):
        life = life_of(group.autoscaling_backend)
        if life is None or capacity == 0:
            return set_capacity(group, capacity)
        group.desired_capacity = group.min_size if capacity is None else capacity

    def detach_instances(backend, name, idents, decrement):
        life = life_of(backend)
        if life is None:
            return detach(backend, name, idents, decrement)
        group = backend.autoscaling_groups[name]
        group.instance_states = [s for s in group.instance_states if s.instance.id not in idents]
        if decrement:
            group.desired_capacity -= len(idents)
        for ident in idents:
            life.tried(name, f"Detaching EC2 instance: {ident}", ident, "InProgress")
        return []

    def terminate_instance(backend, ident, decrement):
        life = life_of(backend)
        if life is None:
            return terminate(backend, ident, decrement)
        state = next((s for s in life.states() if s.instance.id == ident), None)
        if state is None:
            raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {ident}")
        if decrement:
            state.auto_scaling_group.desired_capacity -= 1
        life.end(ident)
        return {"ActivityId": str(uuid.uuid4()), "AutoScalingGroupName": state.auto_scaling_group.name,
                "Cause": "a user request", "StartTime": life.time(), "StatusCode": "InProgress"}

    def notify_terminate_instances(backend, idents):
        if life_of(backend) is None:
            return notify(backend, idents)

    def terminate_instances(backend, idents):
        life = lives.get(backend.account_id)
        if life is None or not life.backend.autoscaling_groups:
            return end_now(backend, idents)
        before = []
        for instance in backend.get_multi_instances_by_id(idents):
            before.append((instance, InstanceState(instance.state, instance.state_code)))
            life.end(instance.id)
        return before

    def describe_scaling_activities(response):
        life = life_of(response.autoscaling_backend)
        if life is None:
            return activities(response)
        rows = life.activities.get(response._get_param("AutoScalingGroupName"), [])
        shown = [{key: value for key, value in row.items() if key != "instance"} for row in rows]
        return ActionResult({"Activities": shown[: response._get_int_param("MaxRecords") or 100]})

    def group_of(response):
        return response.autoscaling_backend.autoscaling_groups[response._get_param("AutoScalingGroupName")]

    def start_instance_refresh(response):
        life, group = life_of(response.autoscaling_backend), group_of(response)
        under_way = life.refreshes.setdefault(group.name, [])
        if under_way and under_way[0].is_open():
            raise refused("InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.")
        under_way.insert(0, Refresh(life, group, response._get_params()))
        return ActionResult({"InstanceRefreshId": under_way[0].ident})

    def describe_instance_refreshes(response):
        life, group = life_of(response.autoscaling_backend), group_of(response)
        wanted = response._get_param("InstanceRefreshIds") or []
        rows = life.refreshes.get(group.name, [])
        return ActionResult({"InstanceRefreshes": [row.told(life) for row in rows if not wanted or row.ident in wanted]})

    def cancel_instance_refresh(response):
        life, group = life_of(response.autoscaling_backend), group_of(response)
        under_way = [one for one in life.refreshes.get(group.name, []) if one.is_open()]
        if not under_way:
            raise refused("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling group " + group.name)
        under_way[0].status = "Cancelling"
        return ActionResult({"InstanceRefreshId": under_way[0].ident})

    FakeAutoScalingGroup.set_desired_capacity = set_desired_capacity
    AutoScalingBackend.detach_instances = detach_instances
    AutoScalingBackend.terminate_instance = terminate_instance
    AutoScalingBackend.notify_terminate_instances = notify_terminate_instances
    InstanceBackend.terminate_instances = terminate_instances
    AutoScalingResponse.describe_scaling_activities = describe_scaling_activities
    AutoScalingResponse.start_instance_refresh = start_instance_refresh
    AutoScalingResponse.describe_instance_refreshes = describe_instance_refreshes
    AutoScalingResponse.cancel_instance_refresh = cancel_instance_refresh


def refused(code, message):
    return AutoscalingClientError(code, message)
