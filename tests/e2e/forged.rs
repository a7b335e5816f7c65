//! Text that others wrote into AWS forges no line of a report and gives a terminal no order.

use aws_sdk_ec2::types::{Filter, Tag};
use serde_json::json;

use crate::harness::{World, cluster, group, wait};

const NAME: &str = "forged.example.com";
/// As far as XML takes it, in which AWS answers.
const HOSTILE: &str = "1\n\n  ~ Subnet/harmless\u{9b}1A\u{202e}\u{200b}\u{2028}";

fn world(test: &str) -> World {
    let image = "  image: ami-10100000\n";
    let specs = [
        cluster(NAME, "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n"),
        group(NAME, "masters", "Master", image),
        group(NAME, "nodes", "Node", image),
    ];
    let world = World::whole(&format!("forged_{test}"), NAME, &specs.join("---\n"));
    world.apply(NAME);
    world
}

/// Nothing but our own lines and colours.
fn check(text: &str) {
    assert!(
        !text.contains(['\r', '\u{7}', '\u{9b}', '\u{202e}', '\u{200b}', '\u{2028}']),
        "{text:?}"
    );
    let orders = text.split('\u{1b}').skip(1);
    let is_style = |order: &str| {
        let end = order.find(|c: char| !c.is_ascii_digit() && c != '[' && c != ';');
        end.is_some_and(|end| order[end..].starts_with('m'))
    };
    assert!(orders.into_iter().all(is_style), "{text:?}");
    assert!(!text.lines().any(|line| line.contains("Subnet/harmless") && !line.contains("\\n")));
}

#[test]
fn tags_of_others_are_written_out() {
    let world = world("tags");
    let name = Filter::builder().name("tag:Name").values(format!("us-west-2a.{NAME}")).build();
    let subnets = wait(world.ec2().describe_subnets().filters(name).send()).unwrap();
    let subnet = subnets.subnets()[0].subnet_id().unwrap();
    let tag = Tag::builder().key("kubernetes.io/role/elb").value(HOSTILE).build();
    wait(world.ec2().create_tags().resources(subnet).tags(tag).send()).unwrap();
    let update = ["update", "cluster", NAME];
    for more in [["--color", "always"], ["-o", "json"], ["-o", "yaml"]] {
        let run = world.run(&[&update[..], &more].concat());
        check(&run.stdout);
        check(&run.stderr);
        assert!(run.stdout.contains("202e"), "{}", run.stdout);
    }
    let plan = world.plan(NAME, &[]);
    let told = plan["changes"][0]["fields"][0]["before"].as_str().unwrap();
    assert_eq!(told, HOSTILE, "machines read what is there");
}

#[test]
fn messages_of_aws_are_written_out() {
    let world = world("messages");
    world.rules(json!([
        {"operation": "DescribeVolumes", "error": "Broken", "message": HOSTILE},
    ]));
    let run = world.run(&["update", "cluster", NAME, "--color", "always"]);
    assert_ne!(run.code, 0);
    check(&run.stderr);
    assert!(run.stderr.contains(r"\u{202e}"), "{}", run.stderr);
}
