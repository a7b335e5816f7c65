//! Two who change one spec: one wins, the other is told and keeps his text.

use std::time::{Duration, Instant};

use crate::harness::{Run, STRICT, World, specs};

const NAME: &str = "dev.example.com";

/// An editor that waits for a file before it ends, so that someone else can be faster.
fn slow_editor(world: &World) -> String {
    let script = world.write(
        "editor",
        &format!(
            "#!/bin/sh\nsed -i 's/maxSize: 1/maxSize: 7/' \"$1\"\ntouch {0}/open\nwhile ! test -e \
             {0}/go; do sleep 0.05; done\n",
            world.home.path().display()
        ),
    );
    format!("sh {script}")
}

fn the_second_is_told(world: &World, store: &str) {
    let child = world
        .command(&["edit", "ig", "nodes", "--name", NAME, "--state", store])
        .env("EDITOR", slow_editor(world))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !world.path("open").exists() {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    world.ok(&[
        "set", "ig", "nodes", "spec.machineType=m5.xlarge", "--name", NAME, "--state", store,
    ]);
    world.write("go", "");
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("InstanceGroup/nodes was changed meanwhile by "), "{run:#?}");
    assert!(run.stderr.contains("  spec.machineType: m5.large → m5.xlarge"), "{run:#?}");
    // The loser's text is where the error says it is.
    let path = run.stderr.split("your text is kept in ").nth(1).unwrap();
    let path = path.split(": ").next().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("maxSize: 7") && text.contains("m5.large"), "{text}");
    std::fs::remove_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
    let kept =
        world.ok(&["get", "ig", "nodes", "--name", NAME, "-o", "yaml", "--state", store]).stdout;
    assert!(kept.contains("m5.xlarge") && kept.contains("maxSize: 1"), "{kept}");
}

#[test]
fn in_s3_the_second_is_told_who_changed_what() {
    let world = World::with("conflict_s3", &specs(NAME, STRICT));
    the_second_is_told(&world, &world.store());
}

#[test]
fn in_a_folder_the_second_is_told_who_changed_what() {
    let world = World::new("conflict_folder");
    let store = world.path("state").display().to_string();
    let file = world.write("specs.yaml", &specs(NAME, STRICT));
    world.ok(&["create", "-f", &file, "--state", &store]);
    the_second_is_told(&world, &store);
}

#[test]
fn of_many_writers_at_once_none_is_lost() {
    let world = World::with("conflict_many", &specs(NAME, STRICT));
    let children: Vec<_> = (0..6)
        .map(|number| {
            let field = format!("spec.cloudLabels.writer{number}=here");
            world
                .command(&["set", "ig", "nodes", &field, "--name", NAME])
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let runs: Vec<Run> =
        children.into_iter().map(|child| Run::from(child.wait_with_output().unwrap())).collect();
    let kept = world.ok(&["get", "ig", "nodes", "--name", NAME, "-o", "yaml"]).stdout;
    for (number, run) in runs.iter().enumerate() {
        let is_kept = kept.contains(&format!("writer{number}: here"));
        assert_eq!(is_kept, run.code == 0, "{run:#?}\n{kept}");
        if run.code != 0 {
            assert!(run.stderr.contains("was changed meanwhile"), "{run:#?}");
        }
    }
    assert!(runs.iter().any(|run| run.code == 0));
}
