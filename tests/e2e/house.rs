//! The rooms of `src`, held to the table in `docs/architecture.md` by their `use` lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What is not as it should be yet. A line that is mended must go.
const ROOMS_NOT_IN_THE_TABLE: &[&str] = &[];
const CIRCLES: &[&str] = &[];

/// A file's path in the tree of modules, and the modules that it names.
type Modules = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

#[test]
fn rooms_use_only_what_the_table_of_the_architecture_allows() {
    let table = table();
    let modules = modules();
    let mut beyond = BTreeSet::new();
    for (module, named) in &modules {
        let Some(room) = module.first() else { continue };
        let allowed = table.get(room).unwrap_or_else(|| panic!("{room} is not in the table"));
        for other in named.iter().filter_map(|other| other.first()) {
            if other != room && !allowed.contains(other) {
                beyond.insert(format!("{room} → {other}"));
            }
        }
    }
    let known = ROOMS_NOT_IN_THE_TABLE.iter().map(|text| (*text).to_owned());
    assert_eq!(beyond, known.collect());
}

#[test]
fn the_table_of_the_architecture_leads_down() {
    let table = table();
    let mut above: Vec<&str> = Vec::new();
    for room in rooms_in_order() {
        for other in &table[&room] {
            assert!(!above.contains(&other.as_str()), "{room} may not use {other}, which is above");
        }
        above.push(room.leak());
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let modules = modules();
    let circles = circles(&modules);
    let told = circles.iter().map(|circle| {
        println!("{circle:?}");
        format!("{} and {} more", circle[0].join("::"), circle.len() - 1)
    });
    let told: Vec<String> = told.collect();
    assert_eq!(told, CIRCLES);
}

#[test]
fn types_of_aws_and_of_kubernetes_stay_in_their_rooms() {
    let of_aws =
        ["aws", "vpc", "iam", "ec2", "elb", "route53", "autoscaling", "eventbridge", "sqs"]
            .as_slice();
    let of_kubernetes = ["kubernetes"].as_slice();
    let crates = [("aws_sdk_", of_aws), ("aws_config", of_aws), ("kube::", of_kubernetes)];
    let crates = crates.into_iter().chain([("k8s_openapi", of_kubernetes)]);
    let texts = texts();
    for (crates, rooms) in crates {
        let named = texts.iter().filter(|(_, text)| text.contains(crates));
        let beyond: Vec<&String> = named
            .filter_map(|(module, _)| module.first())
            .filter(|room| !rooms.contains(&room.as_str()))
            .collect();
        assert!(beyond.is_empty(), "{crates} is named in {beyond:?}");
    }
}

#[test]
fn files_are_opened_and_made_in_one_room() {
    let ways = ["File::open", "File::create", "File::options", "OpenOptions", "fs::write"];
    let more = ["fs::read(", "fs::create_dir", "fs::copy", "fs::rename", "fs::set_permissions"];
    // The system's own, below /proc and /etc.
    let of_system =
        [("fs::read_to_string", ["cli/signals", "store/local", "store/who"].as_slice())];
    let temporary = [("tempfile::", ["cli/edit"].as_slice())];
    let elsewhere = ways.iter().chain(&more).map(|way| (*way, [].as_slice()));
    let texts = texts();
    for (way, modules) in elsewhere.chain(of_system).chain(temporary) {
        let named = texts.iter().filter(|(_, text)| text.contains(way));
        let named = named.map(|(module, _)| module.join("/"));
        let beyond: Vec<String> = named
            .filter(|module| !module.starts_with("files") && !modules.contains(&module.as_str()))
            .collect();
        assert!(beyond.is_empty(), "{way} stands in {beyond:?}");
    }
}

#[test]
fn a_tree_of_uses_is_read_whole() {
    let text = "
        //! use crate::no::Comment;
        use std::fmt;
        use crate::a::{self, b::{C, d as _}, E};
        use super::{x, y::*};
        fn f() -> crate::g::H { self::z(\"use crate::no::Text;\") }
    ";
    let mut paths = paths(&without_texts(text));
    paths.sort();
    let named = ["crate::a::E", "crate::a::b::C", "crate::a::b::d", "crate::a::self"];
    let more = ["crate::g::H", "self::z", "std::fmt", "super::x", "super::y::*"];
    assert_eq!(paths, [&named[..], &more[..]].concat());
}

/// Of each room, which others it may use.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let rows = rows();
    let all: Vec<&String> = rows.iter().map(|(room, _)| room).collect();
    let allowed = rows.iter().enumerate().map(|(position, (room, uses))| {
        let below = || all[position + 1..].iter().map(|room| (*room).clone());
        let named = || uses.split('`').skip(1).step_by(2).map(str::to_owned);
        let uses: BTreeSet<String> = match uses.as_str() {
            "everything below" => below().collect(),
            _ => named().collect(),
        };
        (room.clone(), uses)
    });
    allowed.collect()
}

fn rooms_in_order() -> Vec<String> {
    rows().into_iter().map(|(room, _)| room).collect()
}

/// The rows of the table of rooms: a room, and the text of what it may use.
fn rows() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let room = cells.first()?.strip_prefix("| `")?.strip_suffix("/`")?;
        let uses = cells.get(2)?.strip_suffix(" |")?;
        Some((room.to_owned(), uses.to_owned()))
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() > 10, "the table of rooms was not found");
    rows
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All modules of `src` but those of tests, and what each of them names of the others.
fn modules() -> Modules {
    let texts = texts();
    let known: BTreeSet<&Vec<String>> = texts.keys().collect();
    texts
        .iter()
        .map(|(module, text)| {
            let named = paths(text).into_iter().filter_map(|path| resolve(&known, module, &path));
            (module.clone(), named.filter(|named| named != module).collect())
        })
        .collect()
}

/// The text of each module, without what `without_texts` takes out.
fn texts() -> BTreeMap<Vec<String>, String> {
    let source = root().join("src");
    let mut files = Vec::new();
    collect(&source, &mut files);
    files
        .iter()
        .filter(|file| !file.iter().any(|part| part == "tests" || part == "tests.rs"))
        .map(|file| {
            let path = file.strip_prefix(&source).unwrap().with_extension("");
            let mut module: Vec<String> =
                path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|last| last == "mod" || last == "main") {
                module.pop();
            }
            (module, without_texts(&fs::read_to_string(file).unwrap()))
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false if path.extension().is_some_and(|end| end == "rs") => files.push(path),
            false => {}
        }
    }
}

/// A file's text without comments, texts and its module of tests.
fn without_texts(text: &str) -> String {
    let text = match text.find("#[cfg(test)]\nmod tests {") {
        Some(tests) => &text[..tests],
        None => text,
    };
    let mut kept = String::new();
    for line in text.lines() {
        let mut is_text = false;
        let mut last = ' ';
        let code = line.char_indices().map_while(|(position, letter)| {
            let is_comment = !is_text && line[position..].starts_with("//");
            if letter == '"' && last != '\\' && last != '\'' {
                is_text = !is_text;
            }
            last = letter;
            (!is_comment).then_some(if is_text { ' ' } else { letter })
        });
        kept.extend(code);
        kept.push('\n');
    }
    kept
}

/// The paths that a file names: those of its `use` lines, and those that begin at a known place.
fn paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = String::new();
    let mut parts = text.split(';').peekable();
    while let Some(part) = parts.next() {
        let start = part.rfind("use ").filter(|start| {
            let before = part[..*start].trim_end_matches(' ').chars().next_back();
            parts.peek().is_some() && before.is_none_or(|last| "\n})]".contains(last))
        });
        let (code, used) = part.split_at(start.unwrap_or(part.len()));
        rest.push_str(code);
        let used: String = used.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(tree) = used.strip_prefix("use ") {
            expand("", tree, &mut found);
        }
    }
    let letters = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let inline = rest.split(|letter| !letters(letter)).map(|path| path.trim_matches(':'));
    let known = ["crate::", "super::", "self::"];
    let inline = inline.filter(|path| known.iter().any(|start| path.starts_with(start)));
    found.extend(inline.map(str::to_owned));
    found
}

fn expand(before: &str, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((stem, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        if !path.is_empty() {
            found.push(format!("{before}{path}"));
        }
        return;
    };
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut begin) = (0, 0);
    let before = format!("{before}{}", stem.trim());
    for (position, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&before, &inner[begin..position], found);
                begin = position + 1;
            }
            _ => {}
        }
    }
    expand(&before, &inner[begin..], found);
}

/// The module that a path leads into: the longest that there is.
fn resolve(known: &BTreeSet<&Vec<String>>, module: &[String], path: &str) -> Option<Vec<String>> {
    let mut full = module.to_vec();
    let mut parts = path.split("::").peekable();
    match *parts.peek()? {
        "crate" => full.clear(),
        "self" | "super" => {}
        child => {
            full.push(child.to_owned());
            if !known.contains(&full) {
                return None;
            }
            full.pop();
        }
    }
    for part in parts {
        match part {
            "crate" | "self" => {}
            "super" => drop(full.pop()),
            part => {
                full.push(part.to_owned());
                if !known.contains(&full) {
                    full.pop();
                    break;
                }
            }
        }
    }
    // The root declares the rooms, and holds nothing to be used.
    (!full.is_empty()).then_some(full)
}

/// The circles, each by its members (Tarjan, "Depth-first search and linear graph algorithms").
fn circles(modules: &Modules) -> Vec<Vec<&Vec<String>>> {
    struct Walk<'a> {
        modules: &'a Modules,
        numbers: BTreeMap<&'a Vec<String>, (usize, usize)>,
        stack: Vec<&'a Vec<String>>,
        circles: Vec<Vec<&'a Vec<String>>>,
    }

    fn visit<'a>(walk: &mut Walk<'a>, module: &'a Vec<String>) -> usize {
        let number = walk.numbers.len();
        walk.numbers.insert(module, (number, number));
        walk.stack.push(module);
        let mut lowest = number;
        for next in walk.modules.get(module).into_iter().flatten() {
            let Some((next, _)) = walk.modules.get_key_value(next) else { continue };
            match walk.numbers.get(next) {
                None => lowest = lowest.min(visit(walk, next)),
                Some((number, _)) if walk.stack.contains(&next) => lowest = lowest.min(*number),
                Some(_) => {}
            }
        }
        if lowest == number {
            let position = walk.stack.iter().position(|one| *one == module).unwrap();
            let mut circle = walk.stack.split_off(position);
            if circle.len() > 1 {
                circle.sort();
                walk.circles.push(circle);
            }
        }
        lowest
    }

    let mut walk =
        Walk { modules, numbers: BTreeMap::new(), stack: Vec::new(), circles: Vec::new() };
    for module in modules.keys().filter(|module| !module.is_empty()) {
        if !walk.numbers.contains_key(module) {
            visit(&mut walk, module);
        }
    }
    walk.circles.sort();
    walk.circles
}
