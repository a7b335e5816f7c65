//! Files: whose they are, and what lies in their place and is none.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Run, STRICT, World, group, specs};

const NAME: &str = "dev.example.com";

/// Runs the binary with a umask.
fn with_umask(world: &World, umask: &str, args: &[&str], more: &[(&str, &str)]) -> Run {
    let command = world.command(args);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]);
    shell.arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    Run::from(shell.envs(more.iter().copied()).output().unwrap())
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// All that is below a folder, itself too, with its mode.
fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = vec![(folder.to_owned(), mode(folder))];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(modes(&path)),
            false => found.push((path.clone(), mode(&path))),
        }
    }
    found
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A world with a store in a folder that holds two clusters.
fn with_folder(test: &str) -> (World, PathBuf, String) {
    let world = World::new(test);
    let folder = world.path("state");
    let store = folder.display().to_string();
    for name in [NAME, "b.example.com"] {
        let file = world.write("specs.yaml", &specs(name, STRICT));
        world.ok(&["create", "-f", &file, "--state", &store]);
    }
    (world, folder, store)
}

#[test]
fn a_store_in_a_folder_is_its_owners_alone_whatever_the_umask() {
    for umask in ["000", "022"] {
        let world = World::new(&format!("folder_modes_{umask}"));
        let above = world.path("above");
        let folder = above.join("state");
        let store = folder.display().to_string();
        let file = world.write("specs.yaml", &specs(NAME, STRICT));
        let run = |args: &[&str]| {
            let run = with_umask(&world, umask, &[args, &["--state", &store]].concat(), &[]);
            assert_eq!(run.code, 0, "{run:#?}");
        };
        run(&["create", "-f", &file]);
        let key = world.write("key.pub", crate::harness::SSH_KEY);
        run(&["create", "secret", "sshpublickey", "admin", "-i", &key, "--name", NAME]);
        let found = modes(&above);
        assert!(found.len() > 8, "{found:?}");
        for (path, mode) in found {
            assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        }
        // What was there keeps the mode that somebody gave it.
        let nodes = folder.join(NAME).join("instancegroup/nodes");
        std::fs::set_permissions(&nodes, std::fs::Permissions::from_mode(0o640)).unwrap();
        let groups = nodes.parent().unwrap();
        std::fs::set_permissions(groups, std::fs::Permissions::from_mode(0o750)).unwrap();
        run(&["set", "ig", "nodes", "spec.maxSize=3", "--name", NAME]);
        assert_eq!((mode(&nodes), mode(groups)), (0o640, 0o750));
    }
}

#[test]
fn an_edited_text_is_its_owners_alone_also_where_it_is_kept() {
    let world = World::with("edit_modes", &specs(NAME, STRICT));
    let temporary = world.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    // An editor that makes the file anew, for all to read, and leaves what is not valid.
    let script = "stat -c %a \"$1\" \"$(dirname \"$1\")\" >> $HOME/seen\n\
                  sed 's/minSize: 1/minSize: 9/' \"$1\" > $HOME/new; rm \"$1\"\n\
                  cp $HOME/new \"$1\"; chmod 666 \"$1\"\n";
    let editor = format!("sh {}", world.write("editor", script));
    let run = with_umask(
        &world,
        "000",
        &["edit", "ig", "nodes", "--name", NAME],
        &[("EDITOR", &editor), ("TMPDIR", temporary.to_str().unwrap())],
    );
    assert_eq!(run.code, 1, "{run:#?}");
    let seen = std::fs::read_to_string(world.path("seen")).unwrap();
    assert_eq!(seen, "600\n700\n600\n700\n");
    let kept = modes(&temporary);
    let of = |is_dir: bool| kept[1..].iter().filter(move |(path, _)| path.is_dir() == is_dir);
    assert_eq!((of(true).count(), of(false).count()), (1, 1), "{kept:?}");
    assert!(of(true).all(|(_, mode)| *mode == 0o700), "{kept:?}");
    assert!(of(false).all(|(_, mode)| *mode == 0o600), "{kept:?}");
}

#[test]
fn what_is_no_file_in_a_store_is_told_by_its_name_and_stops_nothing_else() {
    let (world, folder, store) = with_folder("no_files");
    let config = folder.join("b.example.com/config");
    let text = std::fs::read_to_string(&config).unwrap();
    let elsewhere = world.path("elsewhere");
    std::fs::write(&elsewhere, &text).unwrap();
    let replaced: [(&str, &dyn Fn()); 4] = [
        ("is a pipe", &|| pipe(&config)),
        ("is a link", &|| symlink("/dev/zero", &config).unwrap()),
        ("is a link", &|| symlink(&elsewhere, &config).unwrap()),
        ("is neither a file nor a folder", &|| {
            drop(std::os::unix::net::UnixListener::bind(&config).unwrap());
        }),
    ];
    for (told, replace) in replaced {
        std::fs::remove_file(&config).unwrap();
        replace();
        let run = world.ok(&["get", "clusters", "-o", "name", "--state", &store]);
        assert_eq!(run.stdout, format!("{NAME}\n"));
        let warning = format!("warning: {}: {told}", config.display());
        assert!(run.stderr.contains(&warning), "{warning}: {run:#?}");
        let said = world.fails(&["get", "cluster", "nope.example.com", "--state", &store]);
        assert!(said.contains("the state store has b.example.com, dev.example.com"), "{said}");
        let said = world.fails(&["get", "cluster", "b.example.com", "--state", &store]);
        assert!(said.contains(told), "{said}");
        let file = world.write("specs.yaml", &group("b.example.com", "more", "Node", ""));
        let said = world.fails(&["create", "-f", &file, "--state", &store]);
        assert!(said.contains(told), "{said}");
        world.ok(&["iam", "show", NAME, "--state", &store]);
        world.ok(&["set", "ig", "nodes", "spec.maxSize=2", "--name", NAME, "--state", &store]);
        world.ok(&["set", "ig", "nodes", "spec.maxSize=1", "--name", NAME, "--state", &store]);
    }
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), text);
}

#[test]
fn links_below_a_store_lead_no_writer_elsewhere() {
    let (world, folder, store) = with_folder("links");
    let elsewhere = world.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let file = world.write("more.yaml", &group(NAME, "more", "Node", ""));
    let run = |args: &[&str]| world.fails(&[args, &["--state", &store]].concat());
    let is_untouched = || {
        assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
    };

    let groups = folder.join(NAME).join("instancegroup");
    let aside = world.path("aside");
    std::fs::rename(&groups, &aside).unwrap();
    symlink(&elsewhere, &groups).unwrap();
    let link = format!("{}: is a link", groups.display());
    for args in [
        &["create", "-f", &file][..],
        &["replace", "-f", &file, "--force"],
        &["get", "ig", "--name", NAME],
        &["delete", "-f", &file, "--yes"],
    ] {
        let said = run(args);
        assert!(said.contains(&link), "{args:?}: {said}");
        is_untouched();
    }
    std::fs::remove_file(&groups).unwrap();
    std::fs::rename(&aside, &groups).unwrap();

    let lock = folder.join(".kapstan.lock");
    std::fs::remove_file(&lock).unwrap();
    symlink(elsewhere.join("made"), &lock).unwrap();
    let said = run(&["create", "-f", &file]);
    assert!(said.contains(&format!("{}: is a link", lock.display())), "{said}");
    is_untouched();
    std::fs::remove_file(&lock).unwrap();
    pipe(&lock);
    let said = run(&["create", "-f", &file]);
    assert!(said.contains(&format!("{}: is neither a file", lock.display())), "{said}");
    std::fs::remove_file(&lock).unwrap();

    let whole = folder.join(NAME);
    std::fs::rename(&whole, &aside).unwrap();
    symlink(&aside, &whole).unwrap();
    for args in [
        &["create", "-f", &file][..],
        &["get", "all", "--name", NAME],
        &["delete", "cluster", NAME, "--unregister", "--yes"],
    ] {
        let said = run(args);
        assert!(said.contains(&format!("{}: is a link", whole.display())), "{args:?}: {said}");
    }
    assert!(aside.join("config").exists() && aside.join("instancegroup/nodes").exists());
    // The way to the store is the user's own.
    std::fs::remove_file(&whole).unwrap();
    std::fs::rename(&aside, &whole).unwrap();
    let linked = world.path("linked");
    symlink(&folder, &linked).unwrap();
    world.ok(&["create", "-f", &file, "--state", linked.to_str().unwrap()]);
}

#[test]
fn a_link_in_a_store_goes_with_its_cluster_and_what_it_leads_to_stays() {
    let (world, folder, store) = with_folder("link_removed");
    let elsewhere = world.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("own"), "x").unwrap();
    let nodes = folder.join(NAME).join("instancegroup/other");
    symlink(elsewhere.join("own"), nodes).unwrap();
    symlink(&elsewhere, folder.join(NAME).join("secrets")).unwrap();
    let run = world.ok(&["delete", "cluster", NAME, "--unregister", "--yes", "--state", &store]);
    assert!(run.stderr.contains(&format!("{NAME}/secrets")), "{run:#?}");
    assert!(elsewhere.join("own").exists());
    assert!(!folder.join(NAME).join("instancegroup").exists());
}

#[test]
fn what_users_name_is_read_only_where_it_is_a_file_of_some_size() {
    let world = World::with("named_files", &specs(NAME, STRICT));
    let fifo = world.path("pipe");
    pipe(&fifo);
    let fifo = fifo.display().to_string();
    for file in [fifo.as_str(), "/dev/zero", world.home.path().to_str().unwrap()] {
        let what = match file {
            "/dev/zero" => "is a device",
            file if file == fifo => "is a pipe",
            _ => "is a folder",
        };
        for args in [
            &["create", "-f", file][..],
            &["replace", "-f", file],
            &["iam", "show", "-f", file],
            &["create", "secret", "sshpublickey", "admin", "-i", file, "--name", NAME],
            &["validate", "cluster", NAME, "--kubeconfig", file],
        ] {
            let said = world.fails(args);
            assert!(said.contains(&format!("{file}: {what}")), "{args:?}: {said}");
        }
        let mut command = world.command(&["validate", "cluster", NAME]);
        let run = Run::from(command.env("KUBECONFIG", file).output().unwrap());
        assert!(run.code == 1 && run.stderr.contains(what), "{run:#?}");
    }
    let config = world.write("config", "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', \
        certificate-authority: pipe}}]\ncontexts: [{name: dev.example.com, context: {cluster: c}}]\n");
    let said = world.fails(&["validate", "cluster", NAME, "--kubeconfig", &config]);
    assert!(said.contains("pipe: is a pipe"), "{said}");
}

#[test]
fn settings_that_are_no_file_are_told_and_not_waited_for() {
    let world = World::with("settings_pipe", &specs(NAME, STRICT));
    let settings = world.path(".kops.yaml");
    let get = || {
        let mut command = world.command(&["get", "clusters"]);
        Run::from(command.env_remove("KOPS_STATE_STORE").output().unwrap())
    };
    pipe(&settings);
    let run = get();
    assert!(run.code == 1 && run.stderr.contains(".kops.yaml: is a pipe"), "{run:#?}");
    std::fs::remove_file(&settings).unwrap();
    symlink("/dev/zero", &settings).unwrap();
    let run = get();
    assert!(run.code == 1 && run.stderr.contains(".kops.yaml: is a device"), "{run:#?}");
    std::fs::remove_file(&settings).unwrap();
    // Whose file it is, is the user's to say.
    symlink(world.write("own", &format!("kops_state_store: {}\n", world.store())), &settings)
        .unwrap();
    assert_eq!(get().code, 0);
}

#[test]
fn what_an_editor_leaves_is_read_within_a_limit_and_kept() {
    let world = World::with("edit_huge", &specs(NAME, STRICT));
    let edit = |script: &str| {
        let editor = format!("sh {}", world.write("editor", script));
        let mut command = world.command(&["edit", "ig", "nodes", "--name", NAME]);
        command.env("EDITOR", editor).env("TMPDIR", world.home.path());
        let run = Run::from(command.output().unwrap());
        assert_eq!(run.code, 1, "{run:#?}");
        let place = run.stderr.split("see ").nth(1).unwrap().split(": ").next().unwrap();
        let place = PathBuf::from(place);
        assert!(std::fs::symlink_metadata(&place).is_ok(), "{run:#?}");
        std::fs::remove_dir_all(place.parent().unwrap()).unwrap();
        run.stderr
    };
    let said = edit("truncate -s 3G \"$1\"");
    assert!(said.contains("3072.0 MiB are more than a spec may have"), "{said}");
    let said = edit("rm \"$1\"; mkfifo \"$1\"");
    assert!(said.contains("is a pipe"), "{said}");
}
