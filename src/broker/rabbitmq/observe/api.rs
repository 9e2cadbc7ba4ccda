//! Reading the management API for an audit: one connection, one request after the other, page by page.

use super::super::management::{Session, refusal};
use super::super::target::Target;
use crate::audit::live::{Unread, quoted};
use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;

/// Entries of a page: the most that the server gives.
const PAGE: usize = 500;
/// The largest answer that is read. Bindings come in one piece: a million of them are some 150 MB.
const LARGEST_BYTES: usize = 256 << 20;
/// Whoever has more pages than these (a million entries) is read no further, and that is said.
const MOST_PAGES: u64 = 2000;
/// So often a list is read that changes while it is read.
const PASSES: u32 = 3;

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// The status of the answer; `None` when there was none.
    pub(super) status: Option<u16>,
    /// The server's words, or the system's.
    pub(super) why: String,
}

impl Refused {
    fn lost(why: impl Into<String>) -> Refused {
        Refused {
            status: None,
            why: why.into(),
        }
    }

    /// A list that the server shows empty, where it refuses others.
    pub(super) fn closed() -> Refused {
        Refused {
            status: Some(401),
            why: "the user has no entry in the virtual host, and is shown none".to_owned(),
        }
    }

    /// What was to be read, and what to do.
    pub(super) fn unread(self, what: impl Into<String>, api: &Api<'_>) -> Unread {
        let user = quoted(&api.target.user);
        let vhost = match api.target.vhost.as_str() {
            "/" => "VHOST".to_owned(),
            vhost => quoted(vhost),
        };
        let next = match self.status {
            None => format!(
                "check that the node runs and that --management names its management API (rabbitmq-plugins enable rabbitmq_management); \
                 {} was asked",
                api.url
            ),
            Some(401) if api.is_in => format!(
                "give the user the tag monitoring (rabbitmqctl set_user_tags {user} monitoring) and an entry in the virtual host, which may \
                 be empty: rabbitmqctl set_permissions -p {vhost} {user} '' '' ''"
            ),
            Some(401 | 403) => format!(
                "check user and password; the user needs the tag monitoring: rabbitmqctl set_user_tags {user} monitoring"
            ),
            Some(404) => {
                "check that --management is the address of the management API, with its path if it has one".to_owned()
            }
            Some(_) => "look into the log of the node, and try again".to_owned(),
        };
        Unread {
            what: what.into(),
            why: self.why,
            next,
        }
    }
}

/// The API, and a connection to it while it lasts.
pub(super) struct Api<'a> {
    pub(super) target: &'a Target,
    pub(super) url: &'a str,
    patience: Duration,
    session: Option<Session>,
    /// Whether anything was answered until now.
    is_in: bool,
    pub(super) requests: u64,
    /// Whether a question was left without an answer for as long as one node may take.
    is_silent: bool,
}

impl<'a> Api<'a> {
    pub(super) fn new(target: &'a Target, url: &'a str, patience: Duration) -> Api<'a> {
        Api {
            target,
            url,
            patience,
            session: None,
            is_in: false,
            requests: 0,
            is_silent: false,
        }
    }

    /// What the API answers to one GET.
    pub(super) async fn get(&mut self, path: &str) -> Result<Value, Refused> {
        // Who hangs is not waited for again and again: there are a dozen questions.
        if self.is_silent {
            return Err(Refused::lost("it did not answer before".to_owned()));
        }
        self.requests += 1;
        let patience = self.patience;
        let (status, body) = match tokio::time::timeout(patience, self.ask(path)).await {
            Ok(answer) => answer?,
            Err(_) => {
                self.session = None;
                self.is_silent = true;
                return Err(Refused::lost(format!("no answer within {} s", patience.as_secs())));
            }
        };
        let parsed = super::answer::parse(&body);
        match (status, parsed) {
            (200, Ok(answer)) => {
                self.is_in = true;
                Ok(answer)
            }
            (200, Err(e)) => Err(Refused::lost(format!("the answer cannot be read: {e}"))),
            (status, answer) => Err(Refused {
                status: Some(status),
                why: refusal(status, &answer.unwrap_or(Value::Null)),
            }),
        }
    }

    async fn ask(&mut self, path: &str) -> Result<(u16, hyper::body::Bytes), Refused> {
        // The server ends a connection after some number of requests; then the question is asked on a new one.
        if let Some(session) = &mut self.session
            && let Ok(answer) = session.get(path, LARGEST_BYTES).await
        {
            return Ok(answer);
        }
        self.session = None;
        let lost = |e: crate::model::Unreached| Refused::lost(e.why);
        let mut session = Session::open(self.target, self.url).await.map_err(lost)?;
        let answer = session.get(path, LARGEST_BYTES).await.map_err(lost)?;
        self.session = Some(session);
        Ok(answer)
    }

    /// A list that comes in one piece.
    pub(super) async fn list(&mut self, path: &str) -> Result<Vec<Value>, Refused> {
        let Value::Array(list) = self.get(path).await? else {
            return Err(Refused::lost("the answer is no list"));
        };
        Ok(list)
    }

    /// A list that comes in pages, each entry once by `name`. `note` hears how much of it was read.
    ///
    /// What is deleted while pages are asked for moves the others to pages that were read before. So a list that changed is read again,
    /// and one of which less came than there is was not read.
    pub(super) async fn pages(
        &mut self,
        path: &str,
        columns: &str,
        name: impl Fn(&Value) -> String,
        mut note: impl FnMut(u64, u64),
    ) -> Result<Vec<Value>, Refused> {
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        for pass in 1..=PASSES {
            let (mut page, mut came, mut totals) = (1, 0, Vec::new());
            let total = loop {
                let mut answer = self
                    .get(&format!("{path}?page={page}&page_size={PAGE}&columns={columns}"))
                    .await?;
                let number = |key: &str| answer[key].as_u64();
                let (pages, total) = (number("page_count"), number("total_count"));
                let items = answer.get_mut("items").and_then(Value::as_array_mut);
                let (Some(items), Some(pages), Some(total)) = (items, pages, total) else {
                    return Err(Refused::lost("the answer is no page"));
                };
                // Nobody is asked for pages without an end that hold nothing.
                if items.is_empty() && page < pages {
                    return Err(Refused::lost(format!("page {page} of {pages} is empty")));
                }
                came += items.len() as u64;
                totals.push(total);
                all.extend(items.drain(..).filter(|item| seen.insert(name(item))));
                note(all.len() as u64, total);
                if page >= pages {
                    break total;
                }
                if page == MOST_PAGES {
                    return Err(Refused::lost(format!("there are {total} of them, which are too many")));
                }
                page += 1;
            };
            if came == total && totals.iter().all(|t| *t == total) {
                break;
            }
            if pass == PASSES && (all.len() as u64) < total {
                return Err(Refused::lost(format!("only {} of {total} came", all.len())));
            }
        }
        Ok(all)
    }
}
