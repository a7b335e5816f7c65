//! User data: what brings up Kubernetes, and what an instance group adds to it, in a MIME archive
//! as kops writes it (`pkg/model/resources/nodeup.go`; cloud-init, "User-data formats").

/// kops' boundary, and the one that kapstan had once.
const BOUNDARIES: [&str; 2] = ["MIMEBOUNDARY", "KAPSTAN-PART"];
/// How kops calls the script that brings up Kubernetes.
const BOOTSTRAP: &str = "nodeup.sh";
const SCRIPT: &str = "text/x-shellscript";
/// How kapstan's own script begins that says why nothing brings up Kubernetes.
const NOTICE: &str = "#!/bin/sh\n# From kapstan: nothing here brings up Kubernetes.\n";

/// A file in user data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// Its MIME type.
    pub(crate) kind: String,
    pub(crate) content: Vec<u8>,
}

impl Part {
    /// What tells on an instance's console why it does not join its cluster.
    pub(crate) fn notice(cluster: &str) -> Self {
        let content = format!(
            "{NOTICE}echo 'kapstan: this instance joins no cluster, since nothing on it brings up \
             Kubernetes.'\n\
             echo 'kops update cluster {cluster} --yes gives new instances what does.'\n"
        );
        Self { name: BOOTSTRAP.to_owned(), kind: SCRIPT.to_owned(), content: content.into_bytes() }
    }

    pub(crate) fn is_notice(&self) -> bool {
        self.content.starts_with(NOTICE.as_bytes())
    }
}

/// User data taken apart.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct UserData {
    /// What brings up Kubernetes: a part, or all that there is.
    pub(crate) bootstrap: Option<Part>,
    pub(crate) parts: Vec<Part>,
}

impl UserData {
    /// `None` for an archive of somebody else's, and for what would be no script in one of ours.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        if data.starts_with(b"#!") {
            let (name, kind) = (BOOTSTRAP.to_owned(), SCRIPT.to_owned());
            let bootstrap = Some(Part { name, kind, content: data.to_vec() });
            return Some(Self { bootstrap, parts: Vec::new() });
        }
        let mut parts = read_archive(data)?;
        let is_first = parts.first().is_some_and(|part| part.name == BOOTSTRAP);
        let bootstrap = is_first.then(|| parts.remove(0));
        Some(Self { bootstrap, parts })
    }

    /// `None` if there is nothing to run.
    pub(crate) fn write(&self) -> Option<Vec<u8>> {
        match (&self.bootstrap, &self.parts[..]) {
            (None, []) => None,
            (Some(bootstrap), []) => Some(bootstrap.content.clone()),
            (bootstrap, parts) => {
                Some(write_archive(&bootstrap.iter().chain(parts).collect::<Vec<_>>()))
            }
        }
    }
}

fn write_archive(parts: &[&Part]) -> Vec<u8> {
    let mut boundary = BOUNDARIES[0].to_owned();
    while parts.iter().any(|part| find(&part.content, boundary.as_bytes()).is_some()) {
        boundary.push('-');
    }
    let mut out = head(&boundary).into_bytes();
    out.extend(b"\"\r\nMIME-Version: 1.0\r\n");
    for part in parts {
        let Part { name, kind, content } = part;
        let head = format!(
            "\r\n--{boundary}\r\n\
             Content-Disposition: attachment; filename=\"{name}\"\r\n\
             Content-Transfer-Encoding: 7bit\r\n\
             Content-Type: {kind}\r\n\
             Mime-Version: 1.0\r\n\r\n"
        );
        out.extend(head.into_bytes());
        out.extend(content);
    }
    out.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    out
}

/// The beginning of an archive, up to the end of its boundary.
fn head(boundary: &str) -> String {
    format!("Content-Type: multipart/mixed; boundary=\"{boundary}")
}

fn read_archive(data: &[u8]) -> Option<Vec<Part>> {
    let is_known = BOUNDARIES.iter().any(|boundary| data.starts_with(head(boundary).as_bytes()));
    let boundary = is_known.then(|| between(data, "boundary=\"", "\""))??;
    let delimiter = [b"\r\n--", boundary].concat();
    let mut rest = &data[find(data, &delimiter)? + delimiter.len()..];
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let body = rest.strip_prefix(b"\r\n")?;
        let (end_of_head, end) = (find(body, b"\r\n\r\n")?, find(body, &delimiter)?);
        let (head, content) = (&body[..end_of_head], body.get(end_of_head + 4..end)?);
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).ok();
        let kind = match between(head, "Content-Type: ", "\r\n") {
            Some(kind) => kind,
            None => &head[find(head, b"Content-Type: ")? + b"Content-Type: ".len()..],
        };
        parts.push(Part {
            name: text(between(head, "filename=\"", "\"")?)?,
            kind: text(kind)?,
            content: content.to_vec(),
        });
        rest = &body[end + delimiter.len()..];
    }
    Some(parts)
}

fn between<'a>(data: &'a [u8], from: &str, to: &str) -> Option<&'a [u8]> {
    let rest = &data[find(data, from.as_bytes())? + from.len()..];
    Some(&rest[..find(rest, to.as_bytes())?])
}

fn find(data: &[u8], what: &[u8]) -> Option<usize> {
    data.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KOPS: &str = "Content-Type: multipart/mixed; boundary=\"MIMEBOUNDARY\"\r\n\
        MIME-Version: 1.0\r\n\r\n--MIMEBOUNDARY\r\n\
        Content-Disposition: attachment; filename=\"nodeup.sh\"\r\n\
        Content-Transfer-Encoding: 7bit\r\nContent-Type: text/x-shellscript\r\n\
        Mime-Version: 1.0\r\n\r\n#!/bin/bash\nnodeup\n\r\n--MIMEBOUNDARY\r\n\
        Content-Disposition: attachment; filename=\"motd.sh\"\r\n\
        Content-Transfer-Encoding: 7bit\r\nContent-Type: text/cloud-config\r\n\
        Mime-Version: 1.0\r\n\r\n#!/bin/sh\necho\n\r\n--MIMEBOUNDARY--\r\n";

    fn part(name: &str, kind: &str, content: &str) -> Part {
        Part { name: name.to_owned(), kind: kind.to_owned(), content: content.as_bytes().to_vec() }
    }

    #[test]
    fn what_kops_wrote_is_taken_apart_and_put_together_again() {
        let found = UserData::read(KOPS.as_bytes()).unwrap();
        let bootstrap = part("nodeup.sh", "text/x-shellscript", "#!/bin/bash\nnodeup\n");
        assert_eq!(found.bootstrap, Some(bootstrap));
        assert_eq!(found.parts, [part("motd.sh", "text/cloud-config", "#!/bin/sh\necho\n")]);
        assert_eq!(found.write().as_deref(), Some(KOPS.as_bytes()));
        let alone = UserData { parts: Vec::new(), ..found };
        let script = b"#!/bin/bash\nnodeup\n";
        assert_eq!(alone.write().as_deref(), Some(&script[..]));
        assert_eq!(UserData::read(script), Some(alone));
        assert_eq!(UserData::default().write(), None);
    }

    #[test]
    fn a_notice_is_told_from_what_brings_up_kubernetes() {
        for parts in [vec![], vec![part("a.sh", SCRIPT, "#!/bin/sh\n")]] {
            let bootstrap = Some(Part::notice("dev.example.com"));
            let text = UserData { bootstrap, parts }.write().unwrap();
            let found = UserData::read(&text).unwrap();
            assert!(found.bootstrap.as_ref().is_some_and(Part::is_notice));
            assert_eq!(found.write(), Some(text));
        }
        let kops = UserData::read(KOPS.as_bytes()).unwrap();
        assert!(!kops.bootstrap.unwrap().is_notice());
    }

    #[test]
    fn a_boundary_is_in_no_part() {
        let parts = vec![part("a", "text/x-shellscript", "\r\n--MIMEBOUNDARY\r\n")];
        let data = UserData { bootstrap: None, parts };
        let text = data.write().unwrap();
        assert!(text.starts_with(b"Content-Type: multipart/mixed; boundary=\"MIMEBOUNDARY-\""));
        assert_eq!(UserData::read(&text), Some(data));
    }

    #[test]
    fn what_others_wrote_is_left_alone() {
        let other = KOPS.replace("MIMEBOUNDARY", "OTHER");
        for text in [
            "#cloud-config\n",
            "",
            &other,
            &KOPS[..KOPS.len() - 30],
            "Content-Type: multipart/mixed; boundary=\"MIMEBOUNDARY",
        ] {
            assert_eq!(UserData::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn archives_of_ours_from_before_are_read() {
        let old = "Content-Type: multipart/mixed; boundary=\"KAPSTAN-PART\"\r\n\
            MIME-Version: 1.0\r\n\r\n--KAPSTAN-PART\r\n\
            Content-Disposition: attachment; filename=\"a.sh\"\r\n\
            Content-Type: text/x-shellscript\r\nMIME-Version: 1.0\r\n\r\necho\r\n\
            --KAPSTAN-PART--\r\n";
        let parts = vec![part("a.sh", "text/x-shellscript", "echo")];
        let expected = UserData { bootstrap: None, parts };
        assert_eq!(UserData::read(old.as_bytes()), Some(expected));
    }
}
