//! Rolling updates of a simulated cluster: what is replaced, and what must never happen.

use serde_json::Value as Json;

use crate::harness::{Run, World, cluster, group};
use crate::simulated::{PACE, Simulation, Workload};

pub const NAME: &str = "roll.example.com";
const OWN: &str = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n";
pub const OLD: &str = "ami-10100000";
pub const NEW: &str = "ami-15000000";
pub const THIRD: &str = "ami-12345678";

/// A group of nodes: name, size and more spec.
type Nodes<'a> = (&'a str, usize, &'a str);

/// A cluster of so many masters, each in a group of its own, and of groups of nodes.
pub fn specs(masters: usize, nodes: &[Nodes<'_>], image: &str) -> String {
    let letters: Vec<char> = ('a'..).take(masters).collect();
    let members: String = letters
        .iter()
        .map(|letter| format!("    - name: {letter}\n      instanceGroup: master-{letter}\n"))
        .collect();
    let own = cluster(NAME, OWN).replace("    - name: a\n      instanceGroup: masters\n", &members);
    let sized = |name: &str, role: &str, size: usize, more: &str| {
        group(NAME, name, role, &format!("  image: {image}\n{more}"))
            .replace("minSize: 1", &format!("minSize: {size}"))
            .replace("maxSize: 1", &format!("maxSize: {size}"))
    };
    let mut specs = vec![own];
    specs.extend(letters.iter().map(|l| sized(&format!("master-{l}"), "Master", 1, "")));
    specs.extend(nodes.iter().map(|(name, size, more)| sized(name, "Node", *size, more)));
    specs.join("---\n")
}

/// A world with a running cluster, whose spec has a newer image than its instances.
pub struct Rolling {
    pub world: World,
    pub simulation: Simulation,
}

impl Rolling {
    pub fn new(test: &str, masters: usize, nodes: &[Nodes<'_>]) -> Self {
        let world = World::whole(test, NAME, &specs(masters, nodes, OLD));
        world.apply(NAME);
        let simulation = Simulation::begin(&world, PACE);
        world.replace(&specs(masters, nodes, NEW));
        world.apply(NAME);
        let rolling = Self { world, simulation };
        rolling.settle();
        rolling
    }

    /// Lets what has just begun come to rest, and begins to count anew.
    pub fn settle(&self) {
        self.simulation.pass(30);
        self.simulation.cluster().forget();
    }

    pub fn command(&self, args: &[&str]) -> std::process::Command {
        let mut all = vec!["rolling-update", "cluster", NAME];
        all.extend(args);
        self.any(&all)
    }

    pub fn any(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.world.command(args);
        command.envs(self.simulation.environment(&self.world, NAME));
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        Run::from(self.command(args).output().unwrap())
    }

    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
        run
    }

    #[track_caller]
    pub fn fails(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.code, 1, "{}\n{}", run.stdout, run.stderr);
        run.stderr
    }

    pub fn report(&self) -> Json {
        serde_json::from_str(&self.ok(&["-o", "json"]).stdout).unwrap()
    }

    /// Asserts that all is as it should be: nothing to replace, nothing lost or left behind,
    /// nothing done to pods that may not be done.
    #[track_caller]
    pub fn assert_whole(&self) {
        let again = self.run(&["--detailed-exitcode"]);
        assert_eq!(again.code, 0, "{}\n{}", again.stdout, again.stderr);
        let valid = Run::from(self.any(&["validate", "cluster", NAME]).output().unwrap());
        assert_eq!(valid.code, 0, "{}", valid.stdout);
        let cluster = self.simulation.cluster();
        assert_eq!(cluster.violations, Vec::<String>::new());
        assert_eq!(cluster.marked(), Vec::<String>::new());
        let loose: Vec<_> =
            cluster.instances.iter().filter(|one| one.is_live && !one.is_attached).collect();
        assert!(loose.is_empty(), "{loose:?}");
    }

    pub fn fewest(&self, group: &str) -> usize {
        self.simulation.cluster().fewest[&format!("{group}.{NAME}")]
    }

    pub fn most(&self, group: &str) -> usize {
        self.simulation.cluster().most[&format!("{group}.{NAME}")]
    }
}

#[test]
fn a_cluster_is_replaced_and_never_short() {
    let groups = [
        ("nodes-a", 8, ""),
        ("nodes-b", 6, "  rollingUpdate: {maxSurge: 0, maxUnavailable: 2}\n"),
        ("nodes-c", 6, "  rollingUpdate: {maxSurge: 50%}\n"),
    ];
    let rolling = Rolling::new("roll_whole", 3, &groups);
    {
        let mut cluster = rolling.simulation.cluster();
        cluster.workloads[0].replicas = 20;
        cluster.workloads.push(Workload { name: "db", replicas: 3, budget: Some(2), ..web() });
        cluster.workloads.push(Workload {
            name: "dns",
            replicas: 2,
            budget: Some(1),
            priority: "system-cluster-critical",
            ..web()
        });
    }
    rolling.settle();
    let before = rolling.run(&["--detailed-exitcode"]);
    assert_eq!(before.code, 2, "{}\n{}", before.stdout, before.stderr);
    rolling.ok(&["--yes"]);
    assert_eq!(rolling.simulation.cluster().masters_down, 1);
    assert_eq!((rolling.fewest("nodes-a"), rolling.most("nodes-a")), (8, 9));
    assert_eq!((rolling.fewest("nodes-b"), rolling.most("nodes-b")), (4, 6));
    assert_eq!((rolling.fewest("nodes-c"), rolling.most("nodes-c")), (6, 9));
    assert!(rolling.simulation.cluster().evictions.len() > 10);
    rolling.assert_whole();
}

pub fn web() -> Workload {
    crate::simulated::WEB
}
