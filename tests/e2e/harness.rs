//! One sandbox for all tests, an AWS account for each, and the binary run in it.

use std::future::Future;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// The address of the sandbox, which lives as long as this process.
pub fn sandbox() -> &'static str {
    static SANDBOX: OnceLock<(String, Child)> = OnceLock::new();
    let (address, _) = SANDBOX.get_or_init(|| {
        let start = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/start");
        let mut child = Command::new(start)
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sandbox starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output is ours");
        BufReader::new(stdout).read_line(&mut line).expect("it tells its address");
        (line.trim().to_owned(), child)
    });
    address
}

/// The Python that the sandbox runs with, and its libraries.
pub fn sandbox_python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| root.join("target")).join("sandbox/bin/python")
}

/// An AWS account, a state store in it and a home folder, all of one test's own.
pub struct World {
    pub home: TempDir,
    pub key: String,
    pub bucket: String,
    /// Whether plans look at IAM alone.
    iam_only: bool,
}

/// The kinds that a plan leaves out where a test is about IAM alone.
const BESIDE_IAM: [&str; 29] = [
    "VPC", "VPCAmazonIPv6CIDRBlock", "VPCCIDRBlock", "DHCPOptions", "VPCDHCPOptionsAssociation",
    "Subnet", "InternetGateway", "EgressOnlyInternetGateway", "ElasticIP", "NatGateway",
    "RouteTable", "Route", "RouteTableAssociation", "SecurityGroup", "SecurityGroupRule", "SSHKey",
    "EBSVolume", "LoadBalancer", "DNSZone", "DNSName", "LaunchTemplate", "AutoscalingGroup",
    "LoadBalancerAttachment", "ExternalLoadBalancerAttachment", "ExternalTargetGroupAttachment",
    "SQS", "EventBridgeRule", "EventBridgeTarget", "AutoscalingLifecycleHook",
];

/// What a run of the binary came to.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// `test` names the test, and must be no other's.
    pub fn new(test: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let world = Self {
            home,
            key: format!("AKIA{test}"),
            bucket: format!("state-{}", test.replace('_', "-").to_lowercase()),
            iam_only: true,
        };
        let config = aws_sdk_s3::config::Builder::from(&world.sdk()).force_path_style(true).build();
        let region = aws_sdk_s3::types::BucketLocationConstraint::UsWest2;
        let location = aws_sdk_s3::types::CreateBucketConfiguration::builder();
        let location = location.location_constraint(region).build();
        let s3 = aws_sdk_s3::Client::from_conf(config);
        wait(s3.create_bucket().bucket(&world.bucket).create_bucket_configuration(location).send())
            .unwrap();
        world
    }

    /// A world whose store holds these specs, with a hosted zone for example.com.
    pub fn with(test: &str, specs: &str) -> Self {
        let world = Self::new(test);
        world.zone("example.com", "ZSANDBOX");
        world.create(specs);
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub fn store(&self) -> String {
        format!("s3://{}", self.bucket)
    }

    /// A world whose plans look at everything, with an SSH key kept for the cluster.
    pub fn whole(test: &str, name: &str, specs: &str) -> Self {
        let mut world = Self::with(test, specs);
        world.iam_only = false;
        world.keep_ssh_key(name);
        world
    }

    /// An empty world whose plans look at everything.
    pub fn bare(test: &str) -> Self {
        Self { iam_only: false, ..Self::new(test) }
    }

    /// Makes what a spec takes for granted. Returns the ids in the spec with the real ones.
    pub fn lay_out(&self, spec: &str) -> Json {
        let file = self.write("lay-out.yaml", spec);
        self.account(&["lay-out", &file])
    }

    /// Everything in the account, as `{kind/name: fields}`.
    pub fn observe(&self, laid_out: &Json) -> Json {
        self.account(&["observe", &laid_out.to_string()])
    }

    /// The ids of everything in the account.
    pub fn everything(&self) -> Vec<String> {
        serde_json::from_value(self.account(&["everything"])).unwrap()
    }

    fn account(&self, args: &[&str]) -> Json {
        self.script("account.py", args)
    }

    /// Makes one thing of every kind, as `situation` says, beside a cluster's own. Returns the id
    /// of each.
    pub fn situation(&self, situation: &str, cluster: &str) -> Json {
        self.script("ownership.py", &["make", situation, cluster])
    }

    /// All that AWS tells of everything, by id.
    pub fn dump(&self) -> Json {
        self.script("ownership.py", &["dump"])
    }

    /// All that AWS tells of everything in several regions, by region and id.
    pub fn dump_of(&self, regions: &[&str]) -> Json {
        self.script("ownership.py", &[&["dump"], regions].concat())
    }

    /// Runs one of the sandbox's scripts in this world's account.
    fn script(&self, script: &str, args: &[&str]) -> Json {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = Command::new(sandbox_python())
            .arg(root.join("tests/sandbox").join(script))
            .args([sandbox(), &self.key])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn ec2(&self) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::new(&self.sdk())
    }

    pub fn events(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.sdk())
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.sdk())
    }

    pub fn autoscaling(&self) -> aws_sdk_autoscaling::Client {
        aws_sdk_autoscaling::Client::new(&self.sdk())
    }

    pub fn keep_ssh_key(&self, cluster: &str) {
        let key = self.write("id_rsa.pub", SSH_KEY);
        self.ok(&["create", "secret", "sshpublickey", "admin", "-i", &key, "--name", cluster]);
    }

    /// The binary with this world's environment, and none of the tester's.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kapstan"));
        command.args(args);
        if self.iam_only && args.windows(2).any(|pair| pair == ["update", "cluster"]) {
            let ignored = BESIDE_IAM.map(|kind| format!("{kind}=Ignore"));
            command.arg("--lifecycle-overrides").arg(ignored.join(","));
        }
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("USER", "tester")
            .env("AWS_ENDPOINT_URL", sandbox())
            .env("AWS_ACCESS_KEY_ID", &self.key)
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-the-sandbox")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("KOPS_STATE_STORE", self.store())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        Run::from(self.command(args).output().unwrap())
    }

    /// Runs the binary, which must succeed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{args:?}: {run:#?}");
        run
    }

    /// Runs the binary, which must fail; returns what it said.
    #[track_caller]
    pub fn fails(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.code, 1, "{args:?}: {run:#?}");
        run.stderr
    }

    pub fn run_with_input(&self, args: &[&str], input: &str) -> Run {
        let mut command = self.command(args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        #[expect(
            clippy::let_underscore_must_use,
            reason = "one that has seen enough closes its input"
        )]
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Run::from(child.wait_with_output().unwrap())
    }

    #[track_caller]
    pub fn create(&self, specs: &str) {
        let file = self.write("specs.yaml", specs);
        self.ok(&["create", "-f", &file]);
    }

    #[track_caller]
    pub fn replace(&self, specs: &str) {
        let file = self.write("specs.yaml", specs);
        self.ok(&["replace", "-f", &file]);
    }

    /// Keeps specs, those that are new too.
    #[track_caller]
    pub fn replace_or_create(&self, specs: &str) {
        let file = self.write("specs.yaml", specs);
        self.ok(&["replace", "-f", &file, "--force"]);
    }

    /// The plan as JSON.
    #[track_caller]
    pub fn plan(&self, cluster: &str, more: &[&str]) -> Json {
        let mut args = vec!["update", "cluster", cluster, "-o", "json"];
        args.extend(more);
        serde_json::from_str(&self.ok(&args).stdout).unwrap()
    }

    #[track_caller]
    pub fn apply(&self, cluster: &str) {
        self.ok(&["update", "cluster", cluster, "--yes"]);
    }

    /// Asserts that a second look finds nothing to do, nothing to leave and nothing to warn of.
    #[track_caller]
    pub fn assert_settled(&self, cluster: &str, more: &[&str]) {
        self.assert_settled_but(cluster, more, &[]);
    }

    /// Asserts that a second look finds nothing to do, and tells of what it leaves (`!`) and
    /// warns of exactly this: each line has its text, those left first.
    #[track_caller]
    pub fn assert_settled_but(&self, cluster: &str, more: &[&str], told: &[&str]) {
        let mut args = vec!["update", "cluster", cluster, "--detailed-exitcode"];
        args.extend(more);
        let run = self.run(&args);
        // What the spec no longer has is due, whether it is pruned or not.
        let code = if told.iter().any(|text| text.starts_with("- ")) { 2 } else { 0 };
        assert_eq!(run.code, code, "{run:#?}");
        let end = if code == 2 { "nothing to change" } else { "nothing to do" };
        let is_end = |line: &str| line.starts_with(&format!("{cluster}: {end}; "));
        assert!(run.stdout.lines().any(is_end), "{run:#?}");
        let changes: Vec<&str> = run.stdout.lines().filter(|line| is_change(line)).collect();
        let warnings = run.stderr.lines().filter(|line| line.starts_with("warning:"));
        let found: Vec<&str> = changes.into_iter().chain(warnings).collect();
        let is_told = found.len() == told.len()
            && found.iter().zip(told).all(|(line, text)| line.contains(text));
        assert!(is_told, "{found:#?} instead of {told:#?}");
    }

    pub fn sdk(&self) -> SdkConfig {
        let credentials =
            aws_sdk_iam::config::Credentials::new(&self.key, "secret", None, None, "tests");
        wait(
            aws_config::defaults(BehaviorVersion::latest())
                .region(Region::new("us-west-2"))
                .credentials_provider(credentials)
                .endpoint_url(sandbox())
                .load(),
        )
    }

    pub fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.sdk())
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk()).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Creates a public hosted zone; its id is the sandbox's to choose.
    pub fn zone(&self, name: &str, reference: &str) -> String {
        let client = aws_sdk_route53::Client::new(&self.sdk());
        let zone = wait(client.create_hosted_zone().name(name).caller_reference(reference).send());
        let zone = zone.unwrap().hosted_zone.unwrap();
        zone.id().trim_start_matches("/hostedzone/").to_owned()
    }

    /// Lets a name lead to an address.
    pub fn record(&self, zone: &str, name: &str, address: &str) {
        use aws_sdk_route53::types as sdk;
        let value = sdk::ResourceRecord::builder().value(address).build().unwrap();
        let set = sdk::ResourceRecordSet::builder().name(name).r#type(sdk::RrType::A).ttl(60);
        let set = set.resource_records(value).build().unwrap();
        let change = sdk::Change::builder().action(sdk::ChangeAction::Upsert);
        let change = change.resource_record_set(set).build().unwrap();
        let batch = sdk::ChangeBatch::builder().changes(change).build().unwrap();
        let client = aws_sdk_route53::Client::new(&self.sdk());
        let call = client.change_resource_record_sets().hosted_zone_id(zone);
        wait(call.change_batch(batch).send()).unwrap();
    }

    /// The inline policy of a role as AWS holds it, or `None`.
    pub fn policy(&self, role: &str, name: &str) -> Option<Json> {
        let call = self.iam().get_role_policy().role_name(role).policy_name(name).send();
        let text = wait(call).ok()?.policy_document;
        let text = percent_encoding::percent_decode_str(&text).decode_utf8().unwrap().into_owned();
        Some(serde_json::from_str(&text).unwrap())
    }

    pub fn put_policy(&self, role: &str, name: &str, document: &Json) {
        let call = self.iam().put_role_policy().role_name(role).policy_name(name);
        wait(call.policy_document(document.to_string()).send()).unwrap();
    }

    /// A role made by someone else, with its profile.
    pub fn foreign_profile(&self, profile: &str, role: &str) {
        let iam = self.iam();
        let create = iam.create_role().role_name(role);
        wait(create.assume_role_policy_document(trust("ec2.amazonaws.com").to_string()).send())
            .unwrap();
        wait(iam.create_instance_profile().instance_profile_name(profile).send()).unwrap();
        let add = iam.add_role_to_instance_profile().instance_profile_name(profile);
        wait(add.role_name(role).send()).unwrap();
    }

    /// What the sandbox is to do to this world's calls.
    pub fn rules(&self, rules: Json) {
        self.admin("PUT", "rules", &rules.to_string());
    }

    /// Kills a run where it stands, and frees the cluster that it leaves locked.
    pub fn kill(&self, child: &mut Child, cluster: &str) {
        child.kill().unwrap();
        child.wait().unwrap();
        self.rules(json!([]));
        self.ok(&["unlock", cluster, "--force"]);
    }

    pub fn forget_calls(&self) {
        self.admin("DELETE", "calls", "");
    }

    pub fn calls(&self) -> Vec<Call> {
        let Json::Array(calls) = self.admin("GET", "calls", "") else { panic!("no calls") };
        calls.iter().map(Call::from).collect()
    }

    /// The operations that changed something in IAM, in order.
    pub fn iam_writes(&self) -> Vec<String> {
        let calls = self.calls().into_iter();
        calls.filter(|call| call.write && call.service == "iam").map(|c| c.operation).collect()
    }

    pub fn held(&self) -> u64 {
        self.admin("GET", "held", "").as_u64().unwrap()
    }

    fn admin(&self, method: &str, what: &str, body: &str) -> Json {
        administrate(&self.key, method, what, "", body)
    }

    /// A text with what differs from run to run replaced.
    pub fn neutral(&self, text: &str) -> String {
        let mut parts = text.split("--expect-plan ");
        let first = parts.next().unwrap_or_default().to_owned();
        let text = parts.fold(first, |text, part| {
            let rest = part.trim_start_matches(|digit: char| digit.is_ascii_hexdigit());
            format!("{text}--expect-plan FINGERPRINT{rest}")
        });
        let ignored = BESIDE_IAM.map(|kind| format!("{kind}=Ignore")).join(",");
        text.replace(&format!(" --lifecycle-overrides {ignored}"), "")
            .replace(&format!(",{ignored}"), "")
            .replace(&self.home.path().display().to_string(), "[home]")
            .replace(&self.bucket, "state")
    }
}

/// Whether a line of a plan tells of a resource that is not as wanted.
fn is_change(line: &str) -> bool {
    ["  + ", "  ~ ", "  - ", "  ! "].iter().any(|mark| line.starts_with(mark))
}

/// Asks the sandbox what is not AWS' own; `query` is added to the address.
pub fn administrate(key: &str, method: &str, what: &str, query: &str, body: &str) -> Json {
    let address = sandbox().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{method} /_sandbox/{what}?key={key}{query} HTTP/1.1\r\nHost: {address}\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, content) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(content).unwrap()
}

/// One call that the sandbox saw.
#[derive(Debug)]
pub struct Call {
    pub service: String,
    pub operation: String,
    pub path: String,
    /// What the caller had in `AWS_EXECUTION_ENV`.
    pub run: String,
    /// Whose the caller took the bucket to be.
    pub bucket_owner: String,
    pub write: bool,
    pub started: f64,
    pub ended: f64,
    /// The answer's status; 0 where none came.
    pub status: u64,
}

impl From<&Json> for Call {
    fn from(json: &Json) -> Self {
        Self {
            service: json["service"].as_str().unwrap().to_owned(),
            operation: json["operation"].as_str().unwrap().to_owned(),
            path: json["path"].as_str().unwrap().to_owned(),
            run: json["run"].as_str().unwrap().to_owned(),
            bucket_owner: json["bucketOwner"].as_str().unwrap().to_owned(),
            write: json["write"].as_bool().unwrap(),
            started: json["started"].as_f64().unwrap(),
            ended: json["ended"].as_f64().unwrap_or(f64::MAX),
            status: json["status"].as_u64().unwrap_or(0),
        }
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// What a terminal showed, and the exit code.
pub struct Seen {
    pub screen: String,
    pub code: i32,
}

/// Runs a command on a terminal of 40 lines and 120 columns.
pub fn on_terminal(command: &Command) -> Seen {
    let (mut pty, pts) = pty_process::blocking::open().unwrap();
    pty.resize(pty_process::Size::new(40, 120)).unwrap();
    let mut on = pty_process::blocking::Command::new(command.get_program())
        .args(command.get_args())
        .env_clear()
        .env("TERM", "xterm");
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            on = on.env(name, value);
        }
    }
    let mut child = on.spawn(pts).unwrap();
    let mut screen = Vec::new();
    let mut buffer = [0; 4096];
    // A terminal whose last user is gone gives an error, not an end.
    while let Ok(count) = pty.read(&mut buffer) {
        if count == 0 {
            break;
        }
        screen.extend_from_slice(&buffer[..count]);
    }
    let code = child.wait().unwrap().code().unwrap();
    Seen { screen: String::from_utf8_lossy(&screen).replace("\r\n", "\n"), code }
}

/// Waits for an answer of AWS.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.unwrap().block_on(future)
}

pub fn trust(service: &str) -> Json {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"},
        ],
    })
}

pub fn document(statements: Json) -> Json {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// A small valid cluster. `more` is spec on top, as indented YAML lines; its first may be
/// annotations.
pub fn cluster(name: &str, more: &str) -> String {
    let end = match more.starts_with("  annotations:") {
        true => more.find('\n').map_or(more.len(), |end| end + 1),
        false => 0,
    };
    let (annotations, more) = more.split_at(end);
    format!(
        "\
apiVersion: kops/v1alpha2
kind: Cluster
metadata:
  name: {name}
{annotations}spec:
  cloudProvider: aws
  kubernetesVersion: 1.10.3
  networkCIDR: 172.20.0.0/16
  subnets:
  - name: us-west-2a
    zone: us-west-2a
    cidr: 172.20.32.0/19
    type: Public
  etcdClusters:
  - name: main
    etcdMembers:
    - name: a
      instanceGroup: masters
  - name: events
    etcdMembers:
    - name: a
      instanceGroup: masters
  networking:
    kubenet: {{}}
  topology:
    masters: public
    nodes: public
{more}"
    )
}

/// An instance group. `more` is spec on top, as indented YAML lines.
pub fn group(cluster: &str, name: &str, role: &str, more: &str) -> String {
    format!(
        "\
apiVersion: kops/v1alpha2
kind: InstanceGroup
metadata:
  name: {name}
  labels:
    kops.k8s.io/cluster: {cluster}
spec:
  role: {role}
  machineType: m5.large
  minSize: 1
  maxSize: 1
  subnets:
  - us-west-2a
{more}"
    )
}

/// A cluster with masters and nodes, in one file.
pub fn specs(name: &str, more: &str) -> String {
    [cluster(name, more), group(name, "masters", "Master", ""), group(name, "nodes", "Node", "")]
        .join("---\n")
}

/// A target group as a spec may name it that is laid out.
pub const TARGET_GROUP: &str =
    "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/my-tg/0123456789abcdef";

/// The public key of no one; its private half was thrown away.
pub const SSH_KEY: &str = include_str!("../goldens/id_rsa.pub");

pub const STRICT: &str = "  iam: {}\n";
pub const ECR: &str = "  iam: {allowContainerRegistry: true}\n";
pub const LEGACY: &str = "  iam: {legacy: true}\n";

/// The permissions that a plan's change of a policy gains or loses, as pairs in order.
pub fn pairs(plan: &Json, id: &str, which: &str) -> Vec<String> {
    let change = change(plan, id);
    let mut pairs = Vec::new();
    for statement in change["permissions"][which].as_array().unwrap() {
        for action in texts(&statement["Action"]) {
            for resource in texts(&statement["Resource"]) {
                pairs.push(format!("{action} {resource}"));
            }
        }
    }
    pairs.sort();
    pairs
}

/// The change of one resource in a plan.
#[track_caller]
pub fn change<'a>(plan: &'a Json, id: &str) -> &'a Json {
    let changes = plan["changes"].as_array().unwrap();
    changes.iter().find(|change| change["id"] == id).unwrap_or_else(|| panic!("{id} in {plan:#}"))
}

/// `ACTION ID` of each change of a plan.
pub fn actions(plan: &Json) -> Vec<String> {
    let changes = plan["changes"].as_array().unwrap().iter();
    let text = |change: &Json| {
        format!("{} {}", change["action"].as_str().unwrap(), change["id"].as_str().unwrap())
    };
    changes.map(text).collect()
}

pub fn texts(json: &Json) -> Vec<String> {
    match json {
        Json::String(text) => vec![text.clone()],
        Json::Array(items) => items.iter().map(|i| i.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    }
}
