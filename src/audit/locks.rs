//! The release of a client that the files of a build tell: lock files and manifests beside a configuration, or above it.

use super::fact::{Component, Unit};
use super::input;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// How many directories above a file are looked into; a repository's own begin ends the search before.
const LEVELS: usize = 6;

type Release = (u16, u16, u16);

/// What one directory's files tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Told {
    java: Option<Release>,
    librdkafka: Option<Release>,
    /// Whether a repository begins here.
    begins: bool,
}

/// Directories that were looked into.
#[derive(Debug, Default)]
pub(super) struct Locks(HashMap<PathBuf, Told>);

impl Locks {
    /// Gives the units of a file the release of their client, where neither the file nor anybody else tells it.
    pub(super) fn tell(&mut self, path: &Path, units: &mut [Unit]) {
        for unit in units.iter_mut().filter(|u| u.release.is_none()) {
            unit.release = match unit.component {
                Component::KafkaClients => self.find(path, |t| t.java),
                Component::Librdkafka => self.find(path, |t| t.librdkafka),
                _ => None,
            };
        }
    }

    fn find(&mut self, path: &Path, pick: impl Fn(&Told) -> Option<Release>) -> Option<Release> {
        let mut directory = path.parent();
        for _ in 0..=LEVELS {
            let here = directory?;
            let here = if here.as_os_str().is_empty() {
                Path::new(".")
            } else {
                here
            };
            let told = *self.0.entry(here.to_owned()).or_insert_with(|| look_into(here));
            if let Some(release) = pick(&told) {
                return Some(release);
            }
            if told.begins {
                return None;
            }
            directory = directory?.parent();
        }
        None
    }
}

/// The files that are read, and what each tells.
const FILES: [(&str, fn(&str) -> Told); 9] = [
    ("gradle.lockfile", gradle),
    ("build.gradle", gradle),
    ("pom.xml", maven),
    ("requirements.txt", python),
    ("poetry.lock", locked_python),
    ("uv.lock", locked_python),
    ("go.mod", go),
    ("Cargo.lock", rust),
    ("Directory.Packages.props", dotnet),
];

fn look_into(directory: &Path) -> Told {
    let mut told = Told::default();
    // One look at what is there instead of one for every name.
    let names: Vec<OsString> = std::fs::read_dir(directory)
        .map(|entries| entries.flatten().map(|e| e.file_name()).collect())
        .unwrap_or_default();
    let has = |name: &str| names.iter().any(|n| n == name);
    told.begins = has(".git");
    for (name, read) in FILES {
        let path = directory.join(name);
        if !has(name) || !path.is_file() {
            continue;
        }
        let Ok(bytes) = input::bytes_of(&path) else { continue };
        let here = read(&String::from_utf8_lossy(&bytes));
        told.java = told.java.or(here.java);
        told.librdkafka = told.librdkafka.or(here.librdkafka);
    }
    told
}

/// A release at the begin of a text.
fn release(text: &str) -> Option<Release> {
    let text = text.trim_start_matches(['v', '=', '~', '^', ' ', '"', '\'']);
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let mut parts = text.get(..end)?.split('.').map(str::parse::<u16>);
    let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
    Some((major, minor, parts.next().and_then(Result::ok).unwrap_or(0)))
}

/// What stands behind the first of a text.
fn behind<'t>(text: &'t str, mark: &str) -> Option<&'t str> {
    text.find(mark).and_then(|at| text.get(at + mark.len()..))
}

fn gradle(text: &str) -> Told {
    Told {
        java: behind(text, "org.apache.kafka:kafka-clients:").and_then(release),
        ..Told::default()
    }
}

fn maven(text: &str) -> Told {
    let version_of = |artifact: &str| {
        let rest = behind(text, &format!("<artifactId>{artifact}</artifactId>"))?;
        let own = rest.split("</").next()?;
        release(behind(own, "<version>")?)
    };
    Told {
        java: version_of("kafka-clients").or_else(|| managed_by_boot(version_of("spring-boot-starter-parent")?)),
        ..Told::default()
    }
}

/// The kafka-clients that a release of Spring Boot manages; the first known one at or below it, for what lies between.
fn managed_by_boot(boot: Release) -> Option<Release> {
    match (boot.0, boot.1) {
        (2, 5) => Some((2, 7, 1)),
        (2, 6) => Some((3, 0, 0)),
        (2, 7..) => Some((3, 1, 2)),
        (3, 0..=4) => Some((3, 3, 1)),
        (3, _) => Some((3, 9, 1)),
        (4, _) => Some((4, 1, 1)),
        _ => None,
    }
}

/// The Python, Go and .NET clients have the release of the librdkafka that they carry.
fn carried(text: Option<&str>) -> Told {
    Told {
        librdkafka: text.and_then(release),
        ..Told::default()
    }
}

fn python(text: &str) -> Told {
    carried(behind(text, "confluent-kafka==").or_else(|| behind(text, "confluent_kafka==")))
}

fn locked_python(text: &str) -> Told {
    carried(
        behind(text, "name = \"confluent-kafka\"")
            .and_then(|rest| behind(rest.get(..60).unwrap_or(rest), "version = \"")),
    )
}

fn go(text: &str) -> Told {
    carried(
        behind(text, "confluentinc/confluent-kafka-go/v2 ")
            .or_else(|| behind(text, "confluentinc/confluent-kafka-go ")),
    )
}

fn dotnet(text: &str) -> Told {
    carried(behind(text, "Include=\"Confluent.Kafka\" Version=\""))
}

/// `rdkafka-sys` 4.7.0+2.3.0 carries librdkafka 2.3.0.
fn rust(text: &str) -> Told {
    let rest = behind(text, "name = \"rdkafka-sys\"").and_then(|rest| rest.lines().nth(1));
    carried(rest.and_then(|line| behind(line, "+")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_files_of_builds_tell() {
        let java = |r| Told {
            java: Some(r),
            ..Told::default()
        };
        let carries = |r| Told {
            librdkafka: Some(r),
            ..Told::default()
        };
        assert_eq!(
            gradle("org.apache.kafka:kafka-clients:3.7.1=compileClasspath\n"),
            java((3, 7, 1))
        );
        assert_eq!(
            maven("<artifactId>kafka-clients</artifactId>\n <version>2.8.0</version>"),
            java((2, 8, 0))
        );
        assert_eq!(
            maven("<artifactId>spring-boot-starter-parent</artifactId><version>2.5.3</version>"),
            java((2, 7, 1))
        );
        assert_eq!(
            maven("<artifactId>kafka-clients</artifactId><version>${kafka.version}</version>"),
            Told::default()
        );
        assert_eq!(python("flask==1.0\nconfluent-kafka==1.4.2\n"), carries((1, 4, 2)));
        assert_eq!(
            go("\tgithub.com/confluentinc/confluent-kafka-go/v2 v2.3.0\n"),
            carries((2, 3, 0))
        );
        assert_eq!(
            rust("[[package]]\nname = \"rdkafka-sys\"\nversion = \"4.7.0+2.3.0\"\n"),
            carries((2, 3, 0))
        );
        assert_eq!(
            locked_python("[[package]]\nname = \"confluent-kafka\"\nversion = \"2.1.1\"\n"),
            carries((2, 1, 1))
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(org.apache.kafka:kafka-clients:|<artifactId>kafka-clients</artifactId>|<version>|name = \"confluent-kafka\"|ż|[0-9.+=v\n]){0,20}") {
            for (_, read) in FILES {
                let _ = read(&text);
            }
        }
    }
}
