//! `edit` through a real pseudo-terminal, with an editor that follows a script.

use crate::harness::{STRICT, Seen, World, on_terminal, specs};

const NAME: &str = "dev.example.com";

/// Runs `edit ig nodes` on a terminal. The editor's script gets the file as `$1` and how
/// often it was opened as `$count`; it refuses to run without a terminal.
fn edit(world: &World, script: &str) -> Seen {
    let editor = world.write(
        "editor",
        &format!(
            "#!/bin/sh\ntest -t 0 && test -t 1 || exit 9\ntest \"$1\" = --wait || exit 8\nshift\n\
             count=$(($(cat {0}/count 2>/dev/null || echo 0) + 1))\necho $count > {0}/count\n\
             cp \"$1\" {0}/opened-$count\necho \"editor opened $count\"\n{script}\n",
            world.home.path().display()
        ),
    );
    let mut command = world.command(&["edit", "ig", "nodes", "--name", NAME]);
    command.env("EDITOR", "false").env("KUBE_EDITOR", format!("sh '{editor}' --wait"));
    on_terminal(&command)
}

fn world(test: &str) -> World {
    World::with(test, &specs(NAME, STRICT))
}

fn kept(world: &World) -> String {
    world.ok(&["get", "ig", "nodes", "--name", NAME, "-o", "yaml"]).stdout
}

fn opened(world: &World, count: usize) -> String {
    std::fs::read_to_string(world.path(&format!("opened-{count}"))).unwrap()
}

#[test]
fn a_valid_edit_is_kept_with_its_comments() {
    let world = world("edit_valid");
    let seen = edit(&world, "sed -i 's/maxSize: 1/maxSize: 4 # for the sale/' \"$1\"");
    assert_eq!(seen.code, 0, "{}", seen.screen);
    assert!(seen.screen.contains("InstanceGroup/nodes changed"), "{}", seen.screen);
    assert!(kept(&world).contains("maxSize: 4 # for the sale"));
    assert_eq!(seen.screen.matches("editor opened").count(), 1);
}

#[test]
fn an_invalid_edit_reopens_with_its_errors_and_can_be_mended() {
    let world = world("edit_mended");
    let before = kept(&world);
    let seen = edit(
        &world,
        "case $count in
        1) sed -i 's/minSize: 1/minSize: 9/; s/role: Node/roel: Node/' \"$1\" ;;
        2) sed -i 's/roel: Node/role: Node/; s/maxSize: 1/maxSize: 9/' \"$1\" ;;
        esac",
    );
    assert_eq!(seen.code, 0, "{}", seen.screen);
    insta::assert_snapshot!("edit_reopened", opened(&world, 2));
    let after = kept(&world);
    assert_eq!(
        after,
        before.replace("minSize: 1", "minSize: 9").replace("maxSize: 1", "maxSize: 9")
    );
}

#[test]
fn a_broken_text_reopens_too() {
    let world = world("edit_broken");
    let seen = edit(
        &world,
        "case $count in
        1) sed -i 's/role: Node/role: [Node/' \"$1\" ;;
        2) sed -i 's/role: \\[Node/role: Node/; s/maxSize: 1/maxSize: 2/' \"$1\" ;;
        esac",
    );
    assert_eq!(seen.code, 0, "{}", seen.screen);
    assert!(opened(&world, 2).starts_with("# kapstan: "), "{}", opened(&world, 2));
    assert!(kept(&world).contains("maxSize: 2"));
}

#[test]
fn an_abandoned_edit_writes_nothing_and_keeps_the_text() {
    let world = world("edit_abandoned");
    let before = kept(&world);
    let seen = edit(&world, "test $count = 1 && sed -i 's/minSize: 1/minSize: 9/' \"$1\"; true");
    assert_eq!(seen.code, 1, "{}", seen.screen);
    assert_eq!(kept(&world), before);
    let path = seen
        .screen
        .split("Your text is kept in ")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("minSize: 9") && !text.contains("# kapstan:"), "{text}");
    std::fs::remove_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
}

#[test]
fn an_unchanged_text_writes_nothing() {
    let world = world("edit_unchanged");
    world.forget_calls();
    let seen = edit(&world, "true");
    assert_eq!(seen.code, 0, "{}", seen.screen);
    assert!(seen.screen.contains("InstanceGroup/nodes is unchanged; nothing was written"));
    assert!(world.calls().iter().all(|call| !call.write), "{:?}", world.calls());
}

#[test]
fn an_editor_that_fails_changes_nothing() {
    let world = world("edit_fails");
    let before = kept(&world);
    let seen = edit(&world, "sed -i 's/maxSize: 1/maxSize: 3/' \"$1\"; exit 3");
    assert_eq!(seen.code, 1, "{}", seen.screen);
    assert_eq!(kept(&world), before);
    assert!(seen.screen.contains("your text is kept in"), "{}", seen.screen);
}

#[test]
fn an_object_keeps_its_name() {
    let world = world("edit_renamed");
    let seen = edit(&world, "test $count = 1 && sed -i 's/name: nodes/name: other/' \"$1\"; true");
    assert_eq!(seen.code, 1, "{}", seen.screen);
    assert!(
        opened(&world, 2).contains("an object keeps its kind and name"),
        "{}",
        opened(&world, 2)
    );
}
