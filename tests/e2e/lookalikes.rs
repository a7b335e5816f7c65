//! Clusters whose names look alike, and one name twice: whatever is done to one of them, all others
//! stay as they were, in AWS and in the stores.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::Tag;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use serde_json::Value as Json;

use crate::harness::{Run, SSH_KEY, World, cluster, group, wait};
use crate::locks::leaves;

const NAME: &str = "dev.example.com";
const TWIN: &str = "dev.k8s.local";
const HERE: &str = "us-west-2";
const THERE: &str = "eu-west-1";
const BASIC: &str = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n";
const CLASSIC: &str = "  api: {loadBalancer: {type: Public}}\n";
const NETWORK: &str = "  api: {loadBalancer: {type: Public, class: Network}}\n";
/// Without what takes names in which dots and hyphens are one, and dots are none.
const NO_QUEUE: &str = "  nodeTerminationHandler: {enabled: false}\n";
const IMAGE: &str = "  image: ami-10100000\n";

/// A cluster of the account, in its region and its store.
#[derive(Clone, Debug)]
struct One {
    name: &'static str,
    region: &'static str,
    store: String,
    /// Whether the IAM resources and the records of its name are its own: there is one of a name
    /// in an account.
    has_name: bool,
}

impl One {
    fn here(world: &World, name: &'static str) -> Self {
        Self { name, region: HERE, store: world.bucket.clone(), has_name: true }
    }

    /// A second cluster of a name, in another region and another store.
    fn there(world: &World, name: &'static str) -> Self {
        let store = format!("{}-second", world.bucket);
        let location = CreateBucketConfiguration::builder();
        let location = location.location_constraint(BucketLocationConstraint::UsWest2).build();
        let create = world.s3().create_bucket().bucket(&store);
        wait(create.create_bucket_configuration(location).send()).unwrap();
        Self { name, region: THERE, store, has_name: false }
    }

    fn specs(&self, more: &str) -> String {
        let groups = [("masters", "Master"), ("nodes", "Node")]
            .map(|(name, role)| group(self.name, name, role, IMAGE).replace("Size: 1", "Size: 0"));
        let specs = format!(
            "{}---\n{}",
            cluster(self.name, &format!("{BASIC}{more}")),
            groups.join("---\n")
        );
        specs.replace(HERE, self.region)
    }

    fn command<'a>(&'a self, args: &[&'a str]) -> Vec<String> {
        let mut command: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        command.extend(["--state".to_owned(), format!("s3://{}", self.store)]);
        command
    }

    fn run(&self, world: &World, args: &[&str]) -> Run {
        let editor = world.write("editor", "echo '# edited' >> \"$1\"\n");
        let args = self.command(args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = world.command(&args);
        Run::from(command.env("EDITOR", format!("sh {editor}")).output().unwrap())
    }

    #[track_caller]
    fn ok(&self, world: &World, args: &[&str]) -> Run {
        let run = self.run(world, args);
        assert_eq!(run.code, 0, "{args:?} of {self:?}: {run:#?}");
        run
    }

    #[track_caller]
    fn fails(&self, world: &World, args: &[&str]) -> String {
        let run = self.run(world, args);
        assert_eq!(run.code, 1, "{args:?} of {self:?}: {run:#?}");
        run.stderr
    }

    /// Keeps specs, with a key.
    #[track_caller]
    fn keep(&self, world: &World, more: &str) {
        let file = world.write("specs.yaml", &self.specs(more));
        self.ok(world, &["replace", "-f", &file, "--force"]);
        let key = world.write("id_rsa.pub", SSH_KEY);
        let secret = ["create", "secret", "sshpublickey", "admin", "-i", &key, "--name", self.name];
        self.run(world, &secret);
    }

    #[track_caller]
    fn apply(&self, world: &World) {
        self.ok(world, &["update", "cluster", self.name, "--yes"]);
        self.ok(world, &["update", "cluster", self.name, "--yes", "--prune"]);
    }

    fn marks(&self, row: &Json) -> bool {
        let own = format!("kubernetes.io/cluster/{}", self.name);
        row["tags"]["KubernetesCluster"] == self.name || row["tags"][own] == "owned"
    }

    /// Whether something of AWS' is the cluster's, by what the test knows of it; `marked` is what
    /// carries its tags.
    fn has(&self, id: &str, row: &Json, marked: &BTreeSet<&str>) -> bool {
        let (region, id) = id.split_once(' ').unwrap();
        if [" role", " profile"].iter().any(|kind| id.ends_with(kind)) {
            return self.has_name && self.marks(row);
        }
        if let Some((record, "A" | "AAAA")) = id.rsplit_once(' ') {
            let own = ["api", "api.internal", "kops-controller.internal"];
            let is_own = own.iter().any(|own| record == format!("{own}.{}.", self.name));
            return self.has_name && is_own;
        }
        let part_of = [&row["VpcId"], &row["Attachments"][0]["InstanceId"]];
        let is_part = part_of.iter().any(|id| id.as_str().is_some_and(|id| marked.contains(id)));
        let key = id.strip_prefix(&format!("kubernetes.{}-", self.name));
        let is_key = key.is_some_and(|key| key.split(':').count() == 16 && key.len() == 47);
        region == self.region && (self.marks(row) || is_part || is_key)
    }

    /// Where its objects lie.
    fn keys(&self) -> [String; 2] {
        ["", ".kapstan/"].map(|folder| format!("{}/{folder}{}/", self.store, self.name))
    }
}

/// All that there is.
#[derive(Clone, Debug)]
struct State {
    aws: serde_json::Map<String, Json>,
    /// The objects of all stores, with their ETags.
    objects: BTreeMap<String, String>,
}

impl State {
    fn of(world: &World) -> Self {
        let Json::Object(aws) = world.dump_of(&[HERE, THERE]) else { panic!("no dump") };
        Self { aws, objects: objects(world) }
    }

    /// Of AWS, what is a cluster's, and what is not.
    fn parts(&self, one: &One) -> (BTreeMap<&String, &Json>, BTreeMap<&String, &Json>) {
        let marked = self.aws.iter().filter(|(_, row)| one.marks(row));
        let marked = marked.filter_map(|(id, _)| id.split_once(' '));
        let marked = marked.filter(|(region, _)| *region == one.region).map(|(_, id)| id).collect();
        self.aws.iter().partition(|(id, row)| one.has(id, row, &marked))
    }

    /// Asserts that nothing is left of a cluster.
    #[track_caller]
    fn assert_gone(&self, one: &One) {
        let left: Vec<&String> = self.parts(one).0.into_keys().collect();
        assert_eq!(left, [""; 0], "{one:?}");
        assert!(!self.objects.keys().any(|key| key.starts_with(&one.keys()[0])), "{one:?}");
    }

    /// Asserts that but for a cluster all is as before.
    #[track_caller]
    fn assert_same_beside(&self, before: &Self, one: &One, what: &str) {
        let (before_aws, after_aws) = (before.parts(one).1, self.parts(one).1);
        let ids: BTreeSet<_> = before_aws.keys().chain(after_aws.keys()).collect();
        for id in ids {
            assert_eq!(before_aws.get(id), after_aws.get(id), "{id}, after {what} of {one:?}");
        }
        let beside = |objects: &BTreeMap<String, String>| {
            let own = |key: &String| one.keys().iter().any(|own| key.starts_with(own));
            let objects = objects.clone().into_iter();
            objects.filter(|(key, _)| !own(key)).collect::<BTreeMap<_, _>>()
        };
        let (before, after) = (beside(&before.objects), beside(&self.objects));
        assert_eq!(before, after, "after {what} of {one:?}");
    }
}

fn objects(world: &World) -> BTreeMap<String, String> {
    let buckets = wait(world.s3().list_buckets().send()).unwrap();
    let mut found = BTreeMap::new();
    for bucket in buckets.buckets().iter().filter_map(|bucket| bucket.name()) {
        let listed = wait(world.s3().list_objects_v2().bucket(bucket).send()).unwrap();
        found.extend(listed.contents().iter().map(|object| {
            let key = format!("{bucket}/{}", object.key().unwrap());
            (key, object.e_tag().unwrap().to_owned())
        }));
    }
    found
}

/// The operations that changed something in AWS, the stores apart.
fn writes(world: &World) -> Vec<String> {
    let writes = world.calls().into_iter();
    let writes = writes.filter(|call| call.write && !["s3", "sts"].contains(&&*call.service));
    writes.map(|call| call.operation).collect()
}

/// A command by its name, how it ends, and its arguments.
type Step<'a> = (&'static str, i32, Vec<&'a str>);

/// Runs commands on a cluster; after each, everything else must be as before.
#[track_caller]
fn walk(world: &World, one: &One, steps: &[Step<'_>]) -> State {
    let mut before = State::of(world);
    for (_, code, args) in steps {
        world.forget_calls();
        let run = one.run(world, args);
        assert_eq!(run.code, *code, "{args:?} of {one:?}: {run:#?}");
        let after = match writes(world).is_empty() {
            true => State { aws: before.aws.clone(), objects: objects(world) },
            false => State::of(world),
        };
        after.assert_same_beside(&before, one, &format!("{args:?}"));
        before = after;
    }
    before
}

/// Runs what builds, changes and ends a cluster; the names of these commands tell nothing new.
#[track_caller]
fn walk_through(world: &World, one: &One, steps: &[&[&str]]) {
    let steps: Vec<Step<'_>> = steps.iter().map(|args| ("", 0, args.to_vec())).collect();
    walk(world, one, &steps).assert_gone(one);
}

/// Every command, in the order of a cluster's life: its name, how it ends, and its arguments.
fn life<'a>(name: &'a str, files: &'a Files) -> Vec<Step<'a>> {
    let update = ["update", "cluster", name];
    let rolling = ["rolling-update", "cluster", name, "--cloudonly", "--yes", "--force"];
    let refresh = ["rolling-update", "cluster", name, "--engine", "instance-refresh"];
    let instance = ["delete", "instance", &files.instance, "--name", name, "--cloudonly", "--yes"];
    vec![
        ("version", 0, vec!["version"]),
        ("completion", 0, vec!["completion", "bash"]),
        ("get", 0, vec!["get", name]),
        ("get clusters", 0, vec!["get", "clusters"]),
        ("get ig", 0, vec!["get", "ig", "--name", name]),
        ("get all", 0, vec!["get", "all", name]),
        ("iam show", 0, vec!["iam", "show", name]),
        ("iam diff", 0, vec!["iam", "diff", name]),
        ("iam upgrade", 0, vec!["iam", "upgrade", name, "--to", "1.36"]),
        ("validate cluster", 1, vec!["validate", "cluster", name]),
        ("create", 0, vec!["create", "-f", &files.group]),
        ("create cluster", 1, vec!["create", "cluster", name, "--zones", "us-west-2a", "--yes"]),
        (
            "create secret sshpublickey",
            0,
            vec!["create", "secret", "sshpublickey", "admin", "-i", &files.key, "--name", name],
        ),
        ("update cluster", 0, update.to_vec()),
        ("update cluster", 0, [&update[..], &["--prune"]].concat()),
        ("update cluster", 0, [&update[..], &["--yes"]].concat()),
        ("set cluster", 0, vec!["set", "cluster", name, "spec.sshAccess=[10.0.0.0/8]"]),
        ("set ig", 0, vec!["set", "ig", "nodes", "spec.rootVolumeSize=64", "--name", name]),
        ("unset cluster", 0, vec!["unset", "cluster", name, "spec.sshAccess"]),
        ("unset ig", 0, vec!["unset", "ig", "nodes", "spec.rootVolumeSize", "--name", name]),
        ("set ig", 0, vec!["set", "ig", "nodes", "spec.machineType=m5.xlarge", "--name", name]),
        ("edit cluster", 0, vec!["edit", "cluster", name]),
        ("edit ig", 0, vec!["edit", "ig", "nodes", "--name", name]),
        ("update cluster", 0, [&update[..], &["--yes", "--prune"]].concat()),
        ("rolling-update cluster", 0, rolling.to_vec()),
        ("rolling-update cluster", 0, [&refresh[..], &["--yes", "--force"]].concat()),
        ("delete instance", 1, instance.to_vec()),
        ("replace", 0, vec!["replace", "-f", &files.specs]),
        ("delete", 0, vec!["delete", "-f", &files.group]),
        ("delete ig", 0, vec!["delete", "ig", "more", "--name", name, "--yes"]),
        ("update cluster", 0, [&update[..], &["--yes", "--prune"]].concat()),
        ("unlock", 0, vec!["unlock", name]),
        ("adopt-account", 0, vec!["adopt-account", name, "--yes"]),
        ("delete cluster", 0, vec!["delete", "cluster", name, "--unregister"]),
        ("delete cluster", 0, vec!["delete", "cluster", name]),
        ("delete cluster", 0, vec!["delete", "cluster", name, "--yes"]),
    ]
}

/// What commands are given.
struct Files {
    group: String,
    specs: String,
    key: String,
    /// An instance of another cluster.
    instance: String,
}

/// The whole life of a cluster beside others.
#[track_caller]
fn live(world: &World, one: &One, specs: &str, instance: &str) {
    let profile = specs.lines().find(|line| line.contains("instance-profile/second-nodes"));
    let profile = profile.map(|line| format!("  iam: {{{}}}\n", line.trim())).unwrap_or_default();
    let more = group(one.name, "more", "Node", &format!("{IMAGE}{profile}"));
    let more = more.replace("Size: 1", "Size: 0");
    let files = Files {
        group: world.write("more.yaml", &more.replace(HERE, one.region)),
        specs: world.write("own.yaml", specs),
        key: world.write("key.pub", SSH_KEY),
        instance: instance.to_owned(),
    };
    let life = life(one.name, &files);
    let mut commands = Vec::new();
    leaves(world, &[], &mut commands);
    for command in &commands {
        let is_known = life.iter().any(|(name, ..)| name == command);
        assert!(is_known, "what does {command} do to the neighbours?");
    }
    walk(world, one, &life).assert_gone(one);
}

/// An instance of a cluster, by the group that runs it.
fn instance_of(world: &World, scaling_group: &str) -> String {
    let call = world.autoscaling().describe_auto_scaling_groups();
    let found = wait(call.auto_scaling_group_names(scaling_group).send()).unwrap();
    found.auto_scaling_groups()[0].instances()[0].instance_id().unwrap().to_owned()
}

/// Has a cluster use profiles of the user's own.
fn profiles(world: &World, one: &One) {
    for role in ["masters", "nodes"] {
        let name = format!("second-{role}");
        let iam = world.iam();
        let get = || wait(iam.get_instance_profile().instance_profile_name(&name).send()).ok();
        if get().is_none() {
            world.foreign_profile(&name, &name);
        }
        let arn = get().unwrap().instance_profile.unwrap().arn;
        let named = format!("spec.iam.profile={arn}");
        one.ok(world, &["set", "ig", role, &named, "--name", one.name]);
    }
}

/// Asserts that a command is refused for what another cluster has, before anything is written.
#[track_caller]
fn assert_refused(world: &World, one: &One, args: &[&str], told: &[&str]) {
    world.forget_calls();
    let said = one.fails(world, args);
    for told in told {
        assert!(said.contains(told), "{told} of {args:?} in {said}");
    }
    assert_eq!(writes(world), [""; 0], "{args:?}");
}

#[test]
fn clusters_of_names_that_look_alike_do_not_touch_each_other() {
    let world = World::bare("lookalikes");
    world.zone("example.com", "com");
    world.zone("example.com-b", "com-b");
    let all = [
        (NAME, CLASSIC),
        ("dev.example.com-b", NETWORK),
        ("xdev.example.com", NETWORK),
        ("x.dev.example.com", CLASSIC),
        ("a-b.example.com", NETWORK),
        ("a.b.example.com", NO_QUEUE),
    ];
    let all = all.map(|(name, more)| (One::here(&world, name), more));
    let mut before = State::of(&world);
    for (one, more) in &all {
        one.keep(&world, more);
        if one.name == "x.dev.example.com" {
            let size = ["spec.minSize=1", "spec.maxSize=1", "--name", one.name];
            one.ok(&world, &[&["set", "ig", "nodes"], &size[..]].concat());
        }
        one.apply(&world);
        let after = State::of(&world);
        after.assert_same_beside(&before, one, "the making");
        before = after;
    }
    // kops does not tag key pairs; and an earlier key has left one.
    let pairs = wait(world.ec2().describe_key_pairs().send()).unwrap();
    for pair in pairs.key_pairs() {
        wait(world.ec2().delete_tags().resources(pair.key_pair_id().unwrap()).send()).unwrap();
    }
    let earlier = format!("kubernetes.{NAME}-{}", ["0f"; 16].join(":"));
    wait(world.ec2().create_key_pair().key_name(&earlier).send()).unwrap();
    let neighbour = instance_of(&world, "nodes.x.dev.example.com");
    let (dev, more) = &all[0];
    live(&world, dev, &dev.specs(more), &neighbour);
    for (one, _) in &all[1..] {
        let update = ["update", "cluster", one.name, "--yes", "--prune"];
        walk_through(&world, one, &[&update, &["delete", "cluster", one.name, "--yes"]]);
    }
}

#[test]
fn names_that_two_clusters_give_alike_are_the_first_s() {
    let world = World::bare("same_names");
    world.zone("example.com", "com");
    let (dash, dot) = (One::here(&world, "a-b.example.com"), One::here(&world, "a.b.example.com"));
    let update = ["update", "cluster", dot.name, "--yes", "--prune"];
    let unset = ["unset", "cluster", dot.name, "spec.api"];
    for (class, other) in [(CLASSIC, NETWORK), (NETWORK, CLASSIC)] {
        for one in [&dash, &dot] {
            one.keep(&world, class);
        }
        dash.apply(&world);
        let told = ["it is the cluster a-b.example.com's", "api-a-b-example-com-5rf11p"];
        assert_refused(&world, &dot, &update, &told);
        // The other class has names of its own.
        dot.keep(&world, &format!("{other}{NO_QUEUE}"));
        let delete = ["delete", "cluster", dot.name, "--yes"];
        walk_through(&world, &dot, &[&update, &unset, &update, &delete]);
        dash.ok(&world, &["delete", "cluster", dash.name, "--yes"]);
    }
}

#[test]
fn a_group_with_a_dot_in_its_name_takes_nothing_of_the_cluster_below() {
    let world = World::bare("dotted_group");
    let (above, below) = (One::here(&world, TWIN), One::here(&world, "x.dev.k8s.local"));
    for one in [&above, &below] {
        one.keep(&world, NO_QUEUE);
        one.apply(&world);
    }
    let group = group(TWIN, "nodes.x", "Node", IMAGE).replace("Size: 1", "Size: 0");
    above.ok(&world, &["create", "-f", &world.write("group.yaml", &group)]);
    let update = ["update", "cluster", TWIN, "--yes", "--prune"];
    let told = [
        "LaunchTemplate/nodes.x.dev.k8s.local: there is one already",
        "AutoscalingGroup/nodes.x.dev.k8s.local: there is one already",
        "it is the cluster x.dev.k8s.local's",
    ];
    assert_refused(&world, &above, &update, &told);
    walk_through(
        &world,
        &above,
        &[
            &["rolling-update", "cluster", TWIN, "--cloudonly", "--yes", "--force"],
            &["delete", "ig", "nodes.x", "--name", TWIN, "--yes"],
            &update,
            &["delete", "cluster", TWIN, "--yes"],
        ],
    );
}

#[test]
fn of_gossip_twins_the_second_takes_nothing_of_the_first() {
    let world = World::bare("gossip_twins");
    let (first, second) = (One::here(&world, TWIN), One::there(&world, TWIN));
    for one in [&first, &second] {
        one.keep(&world, CLASSIC);
    }
    first.apply(&world);
    let update = ["update", "cluster", TWIN, "--yes"];
    let places = [HERE, THERE, &first.store, &second.store, "IAMRole/nodes.dev.k8s.local"];
    for more in [&[][..], &["--prune"], &["--phase", "security"], &["--phase", "iam", "--prune"]] {
        assert_refused(&world, &second, &[&update[..], more].concat(), &places);
    }
    assert_refused(&world, &second, &[&update[..], &["--phase", "cluster"]].concat(), &places);
    // Nothing is written to what is another's, even where the role is not looked at.
    for kinds in ["IAMRole=Ignore", "IAMRole=ExistsAndWarnIfChanges"] {
        let more = ["--lifecycle-overrides", kinds];
        assert_refused(&world, &second, &[&update[..], &more].concat(), &places[..4]);
    }
    // By half, the second stands.
    let network = ["update", "cluster", TWIN, "--yes", "--phase", "network"];
    walk_through(&world, &second, &[&network, &["delete", "cluster", TWIN, "--yes"]]);
    // With profiles of its own, it stands.
    second.keep(&world, CLASSIC);
    profiles(&world, &second);
    second.apply(&world);
    let specs = second.ok(&world, &["get", "all", TWIN, "-o", "yaml"]).stdout;
    live(&world, &second, &specs, "i-0123456789abcdef0");
}

#[test]
fn of_gossip_twins_the_first_takes_nothing_of_the_second() {
    let world = World::bare("gossip_first");
    let (first, second) = (One::here(&world, TWIN), One::there(&world, TWIN));
    for one in [&first, &second] {
        one.keep(&world, NETWORK);
    }
    profiles(&world, &second);
    first.apply(&world);
    second.apply(&world);
    live(&world, &first, &first.specs(NETWORK), "i-0123456789abcdef0");
    second.ok(&world, &["update", "cluster", TWIN, "--yes"]);
}

#[test]
fn of_two_clusters_of_one_name_and_region_the_second_deletes_nothing_of_the_first() {
    let world = World::bare("store_twins");
    let first = One::here(&world, TWIN);
    let second = One { region: HERE, ..One::there(&world, TWIN) };
    for one in [&first, &second] {
        one.keep(&world, "");
    }
    first.apply(&world);
    let places = [&first, &second].map(|one| format!("s3://{}/{TWIN}", one.store));
    let told = places.each_ref().map(String::as_str);
    assert_refused(&world, &second, &["update", "cluster", TWIN, "--yes", "--prune"], &told);
    for more in [&[][..], &["--yes"], &["--yes", "-o", "json"], &["--region", HERE, "--yes"]] {
        assert_refused(&world, &second, &[&["delete", "cluster", TWIN], more].concat(), &told);
    }
    second.ok(&world, &["delete", "cluster", TWIN, "--unregister", "--yes"]);
    walk_through(&world, &first, &[&["delete", "cluster", TWIN, "--yes"]]);
}

#[test]
fn a_cluster_that_was_moved_to_another_store_is_given_its_roles_as_the_refusal_says() {
    let world = World::bare("moved_store");
    let first = One::here(&world, TWIN);
    let moved = One { region: HERE, has_name: true, ..One::there(&world, TWIN) };
    first.keep(&world, "");
    first.apply(&world);
    moved.keep(&world, "");
    let said = moved.fails(&world, &["update", "cluster", TWIN, "--yes"]);
    let region = tag("kapstan.io/region", HERE);
    let store = tag("kapstan.io/store", &format!("s3://{}/{TWIN}", moved.store));
    for role in ["masters", "nodes"] {
        let name = format!("{role}.{TWIN}");
        let told = [
            format!("aws iam tag-role --role-name {name} --tags "),
            format!("aws iam tag-instance-profile --instance-profile-name {name} --tags "),
        ];
        for told in told {
            let command = format!(
                "{told}Key=kapstan.io/region,Value={HERE} Key=kapstan.io/store,Value={}",
                store.value()
            );
            assert!(said.contains(&command), "{command} in {said}");
        }
        let (iam, tags) = (world.iam(), Some(vec![region.clone(), store.clone()]));
        wait(iam.tag_role().role_name(&name).set_tags(tags.clone()).send()).unwrap();
        let profile = iam.tag_instance_profile().instance_profile_name(&name);
        wait(profile.set_tags(tags).send()).unwrap();
    }
    moved.apply(&world);
    assert_refused(&world, &first, &["update", "cluster", TWIN, "--yes"], &[&first.store]);
    walk_through(&world, &moved, &[&["delete", "cluster", TWIN, "--yes"]]);
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

#[test]
fn of_twins_with_a_hosted_zone_the_second_takes_no_record_of_the_first() {
    let world = World::bare("zone_twins");
    let zone = world.zone("example.com", "com");
    let (first, second) = (One::here(&world, NAME), One::there(&world, NAME));
    for one in [&first, &second] {
        one.keep(&world, CLASSIC);
    }
    first.apply(&world);
    // As kops leaves them before masters tell their addresses.
    for name in ["api.internal", "etcd-a.internal"] {
        world.record(&zone, &format!("{name}.{NAME}"), "203.0.113.123");
    }
    let update = ["update", "cluster", NAME, "--yes"];
    assert_refused(&world, &second, &update, &[HERE, THERE, &first.store, &second.store]);
    // With profiles of its own, the names in DNS are the first's.
    profiles(&world, &second);
    for class in ["Network", "Classic"] {
        let class = format!("spec.api.loadBalancer.class={class}");
        second.ok(&world, &["set", "cluster", NAME, &class]);
        let told = ["DNSName/api.dev.example.com: there is one already", "us-west-2.elb.amazonaws"];
        for more in [&["--prune"][..], &["--phase", "cluster"]] {
            assert_refused(&world, &second, &[&update[..], more].concat(), &told);
        }
    }
    let prune = ["update", "cluster", NAME, "--yes", "--prune"];
    let delete = ["delete", "cluster", NAME, "--yes"];
    let network = ["update", "cluster", NAME, "--yes", "--phase", "network"];
    walk_through(
        &world,
        &second,
        &[
            &[&prune[..], &["--lifecycle-overrides", "DNSName=Ignore"]].concat(),
            &["unset", "cluster", NAME, "spec.api"],
            &prune,
            &delete,
        ],
    );
    // What is left of one whose store is lost goes likewise.
    second.keep(&world, CLASSIC);
    walk_through(
        &world,
        &second,
        &[
            &network,
            &["delete", "cluster", NAME, "--unregister", "--yes"],
            &["delete", "cluster", NAME, "--region", THERE, "--yes"],
        ],
    );
}
