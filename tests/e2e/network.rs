//! How AWS is reached: http on the way to another host is told, a bundle of certificates is
//! trusted, and passwords in addresses are repeated nowhere.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::{Run, STRICT, World, sandbox, sandbox_python, specs};

const NAME: &str = "dev.example.com";
const ELSEWHERE: &str = "http://me:s3cr3t@aws.internal.example:4566";
const READ: &str = "http://aws.internal.example:4566, without TLS: whoever is on the way reads";
const LIST: &[&str] = &["get", "clusters"];

/// The sandbox behind TLS. Its authority's certificate is in a file of the world's.
struct Tls {
    address: String,
    bundle: String,
    _server: Child,
}

impl Tls {
    fn new(world: &World) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/tls.py");
        let mut server = Command::new(sandbox_python())
            .arg(script)
            .args([Path::new(sandbox()), world.home.path()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let bundle = world.path("ca.pem").display().to_string();
        Self { address: address.trim().to_owned(), bundle, _server: server }
    }
}

fn run(world: &World, args: &[&str], variables: &[(&str, &str)]) -> Run {
    Run::from(world.command(args).envs(variables.iter().copied()).output().unwrap())
}

/// Writes AWS' config file. Its profile is named by `AWS_PROFILE=dev`.
fn configure(world: &World, text: &str) {
    std::fs::create_dir_all(world.path(".aws")).unwrap();
    world.write(".aws/config", text);
}

#[test]
fn http_to_another_host_is_told_once_with_what_sets_it() {
    let world = World::with("plain_http", &specs(NAME, STRICT));
    // One that is not asked here, so that nothing is waited for.
    let variable = "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2";
    let services = "[profile dev]\nservices = s\n[services s]\nssm =\n  endpoint_url = ";
    let own = "[profile dev]\nendpoint_url = ";
    for (config, variables, origin) in [
        (String::new(), vec![(variable, ELSEWHERE)], variable),
        (format!("{services}{ELSEWHERE}\n"), vec![], ""),
        (
            format!("{services}{ELSEWHERE}\n"),
            vec![("AWS_ENDPOINT_URL_S3", sandbox()), ("AWS_ENDPOINT_URL_STS", sandbox())],
            "endpoint_url of ssm, in the services of the profile dev,",
        ),
        (
            format!("{own}{ELSEWHERE}\n"),
            vec![("AWS_ENDPOINT_URL_S3", sandbox()), ("AWS_ENDPOINT_URL_STS", sandbox())],
            "endpoint_url of the profile dev",
        ),
        (
            format!("{own}{ELSEWHERE}\n"),
            vec![
                ("AWS_ENDPOINT_URL_S3", sandbox()),
                ("AWS_ENDPOINT_URL_STS", sandbox()),
                ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE"),
            ],
            "",
        ),
    ] {
        configure(&world, &config);
        let mut command = world.command(LIST);
        command.envs(variables.iter().copied()).env("AWS_PROFILE", "dev");
        if variables.iter().any(|(name, _)| *name == "AWS_ENDPOINT_URL_S3") {
            command.env_remove("AWS_ENDPOINT_URL");
        }
        let ignores = variables.iter().any(|(name, _)| name.starts_with("AWS_IGNORE"));
        if ignores {
            // Nothing is asked of AWS itself.
            command.env("AWS_CA_BUNDLE", "/nowhere/ca.pem");
        }
        let run = Run::from(command.output().unwrap());
        let told = run.stderr.matches("warning:").count();
        if origin.is_empty() {
            assert_eq!(told, 0, "{run:#?}");
        } else {
            let warning = format!("warning: {origin} sends what is for AWS to {READ}");
            assert!(run.stderr.starts_with(&warning) && told == 1, "{origin}: {run:#?}");
        }
        assert_eq!(run.code, i32::from(ignores), "{run:#?}");
        assert!(!run.stderr.contains("s3cr3t"), "{run:#?}");
    }
}

#[test]
fn http_is_told_before_the_first_call_and_so_is_a_proxy_that_takes_it_away() {
    let world = World::with("plain_proxy", &specs(NAME, STRICT));
    // The sandbox is the proxy, and answers for the host. It would take what comes before a dot
    // for a bucket.
    let far = ("AWS_ENDPOINT_URL", "http://me:s3cr3t@elsewhere:4566");
    let far = [far, ("HTTP_PROXY", sandbox())];
    let listed = run(&world, LIST, &far);
    assert_eq!((listed.code, listed.stdout.contains(NAME)), (0, true), "{listed:#?}");
    let warning = "warning: AWS_ENDPOINT_URL sends what is for AWS to http://elsewhere:4566, ";
    assert!(listed.stderr.starts_with(warning), "{listed:#?}");
    assert_eq!(listed.stderr.matches("warning:").count(), 1, "{listed:#?}");
    assert!(!listed.stderr.contains("s3cr3t"), "{listed:#?}");

    let near = [("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:1")];
    let proxy = ("ALL_PROXY", "http://me:s3cr3t@proxy.example.com:3128");
    let no = ("NO_PROXY", sandbox().trim_start_matches("http://").split(':').next().unwrap());
    let run_with = |more: &[(&str, &str)]| run(&world, LIST, &[&near[..], more].concat());
    assert_eq!(run_with(&[proxy, no]).stderr, "");
    let local = ["get", "clusters", "--state", world.home.path().to_str().unwrap()];
    // Where nothing is sent, nothing is told.
    let told = run(&world, &local, &[("AWS_ENDPOINT_URL", ELSEWHERE)]).stderr;
    assert!(!told.contains("warning"), "{told}");
    let near = [("AWS_ENDPOINT_URL_SSM", "http://localhost:1"), proxy, no];
    let told = run(&world, LIST, &near).stderr;
    let warning = "AWS_ENDPOINT_URL_SSM sends what is for AWS to http://localhost:1, without TLS, and \
                   ALL_PROXY takes it to proxy.example.com: ";
    assert!(told.contains(warning) && !told.contains("s3cr3t"), "{told}");
}

#[test]
fn what_gives_credentials_is_told_also_where_endpoints_are_ignored() {
    let world = World::with("plain_role", &specs(NAME, STRICT));
    configure(
        &world,
        "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = own\n\
         [profile own]\naws_access_key_id = A\naws_secret_access_key = B\n",
    );
    let mut command = world.command(LIST);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env("AWS_PROFILE", "dev")
        .env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
        .env("AWS_ENDPOINT_URL", ELSEWHERE)
        .env("AWS_CA_BUNDLE", "");
    // The SDK asks for the role's credentials there all the same; the proxy refuses.
    command.env("HTTP_PROXY", "http://127.0.0.1:1").env("HTTPS_PROXY", "http://127.0.0.1:1");
    let run = Run::from(command.output().unwrap());
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains(&format!("AWS_ENDPOINT_URL sends what is for AWS to {READ}")));
    assert!(!run.stderr.contains("s3cr3t"), "{run:#?}");
}

#[test]
fn a_bundle_of_certificates_is_trusted_by_every_client_and_by_what_gives_credentials() {
    let world = World::whole("bundle", NAME, &specs(NAME, STRICT));
    let tls = Tls::new(&world);
    let (there, bundle) = (("AWS_ENDPOINT_URL", tls.address.as_str()), tls.bundle.as_str());
    let stranger = run(&world, LIST, &[there]);
    assert_eq!(stranger.code, 1, "{stranger:#?}");
    assert!(stranger.stderr.contains("UnknownIssuer"), "{stranger:#?}");

    // The plan has its errors, which are not those of a connection.
    let trusted = ("AWS_CA_BUNDLE", bundle);
    for (args, code) in [(LIST, 0), (&["update", "cluster", NAME], 1)] {
        let run = run(&world, args, &[there, trusted]);
        assert_eq!((run.code, run.stdout.contains(NAME)), (code, true), "{args:?}: {run:#?}");
        assert!(!run.stderr.contains("failed"), "{run:#?}");
    }
    let called: std::collections::BTreeSet<_> =
        world.calls().into_iter().map(|call| call.service).collect();
    for service in ["s3", "sts", "ec2", "iam", "route53", "autoscaling", "sqs", "events"] {
        assert!(called.contains(service), "{service}: {called:?}");
    }

    // The bundle stands among comments, after another certificate.
    let authority = std::fs::read_to_string(bundle).unwrap();
    let commented = format!("# Übrige\n{authority}\nOurs\n====\n{authority}");
    let commented = world.write("commented.pem", &commented);
    configure(
        &world,
        &format!(
            "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/r\nca_bundle = {commented}\n\
             credential_source = Environment\n"
        ),
    );
    let profile = ("AWS_PROFILE", "dev");
    let listed = run(&world, LIST, &[there, profile]);
    assert_eq!((listed.code, listed.stdout.contains(NAME)), (0, true), "{listed:#?}");
    // A variable goes before the profile.
    let none = ("AWS_CA_BUNDLE", "/nowhere/ca.pem");
    let refused = run(&world, LIST, &[there, profile, none]);
    assert_eq!(refused.code, 1, "{refused:#?}");

    // Credentials of a role are asked for there too.
    let world = World::new("bundle_role");
    configure(
        &world,
        &format!(
            "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = own\n\
             ca_bundle = {bundle}\n\
             [profile own]\naws_access_key_id = AKIAbundle_role\naws_secret_access_key = B\n"
        ),
    );
    let mut command = world.command(&["get", "clusters", "--state-owner", "123456789012"]);
    command.env_remove("AWS_ACCESS_KEY_ID").envs([there, profile]);
    let asked = Run::from(command.output().unwrap());
    assert!(!asked.stderr.contains("UnknownIssuer"), "{asked:#?}");
    assert!(world.calls().iter().any(|call| call.operation == "AssumeRole"), "{asked:#?}");
}

#[test]
fn a_bundle_that_cannot_be_used_is_an_error_that_names_it() {
    let world = World::with("no_bundle", &specs(NAME, STRICT));
    world.forget_calls();
    let key = world
        .write("key.pem", "-----BEGIN PRIVATE KEY-----\nczNjcjN0\n-----END PRIVATE KEY-----\n");
    let home = world.home.path().display().to_string();
    let nowhere = world.path("nowhere.pem").display().to_string();
    for (path, reason) in [
        (&nowhere, "cannot be read: No such file"),
        (&home, "is a folder, not a file"),
        (&key, "holds no certificate"),
    ] {
        configure(&world, &format!("[profile dev]\nca_bundle = {path}\n"));
        for (variable, origin) in [
            (("AWS_CA_BUNDLE", path.as_str()), "AWS_CA_BUNDLE"),
            (("AWS_PROFILE", "dev"), "ca_bundle of the profile dev"),
        ] {
            let run = run(&world, LIST, &[variable]);
            let told = format!("{origin} names {path}, which {reason}");
            assert!(run.code == 1 && run.stderr.contains(&told), "{told}: {run:#?}");
            assert!(run.stderr.contains("; correct it, or remove it"), "{run:#?}");
        }
    }
    configure(&world, "[profile dev]\nca_bundle\n");
    let run = run(&world, LIST, &[("AWS_PROFILE", "dev")]);
    assert!(run.stderr.contains("the config files of AWS cannot be read"), "{run:#?}");
    assert!(world.calls().is_empty());
}

#[test]
fn a_password_in_an_address_is_repeated_by_no_error() {
    let world = World::with("passwords", &specs(NAME, STRICT));
    world.forget_calls();
    let refused = "http://me:s3cr3t@127.0.0.1:1";
    for (variables, reason) in [
        (vec![("AWS_ENDPOINT_URL_S3", "http://me:s3 cr3t@127.0.0.1:1")], "is no address"),
        (vec![("AWS_ENDPOINT_URL_S3", "me:s3cr3t@127.0.0.1:1")], "is no address"),
        (vec![("AWS_ENDPOINT_URL", "s3://me:s3cr3t@127.0.0.1:1")], "is no address"),
        (vec![("AWS_ENDPOINT_URL", "")], "is no address"),
        (vec![("AWS_ENDPOINT_URL_S3", refused)], "s3:HeadBucket"),
        (vec![("AWS_ENDPOINT_URL", "http://me:s3,c'r3t@127.0.0.1:1/x?s3cr3t")], "sts:"),
        (vec![("HTTP_PROXY", refused)], "sts:"),
        (vec![("AWS_ENDPOINT_URL", "https://localhost:1"), ("https_proxy", refused)], "sts:"),
        (vec![("AWS_ENDPOINT_URL", "https://localhost:1"), ("ALL_PROXY", refused)], "sts:"),
    ] {
        let run = run(&world, &["get", "clusters", "-v"], &variables);
        assert!(run.code == 1 && run.stderr.contains(reason), "{variables:?}: {run:#?}");
        for part in ["s3cr3t", "cr3t", "r3t"] {
            assert!(!run.stderr.contains(part), "{variables:?}: {run:#?}");
        }
    }
}
