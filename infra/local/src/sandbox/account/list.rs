//! Lists of payments: newest first, by customer and time, a page at a time. Always up to date, unlike a search.

use super::{Account, intent::Intent};
use crate::sandbox::{form::Form, problem::Problem};

const KNOWN: [&str; 6] = ["created", "customer", "ending_before", "expand", "limit", "starting_after"];
const CREATED: [&str; 4] = ["gt", "gte", "lt", "lte"];
const LIMIT_DEFAULT: i64 = 10;
const LIMIT_MAX: i64 = 100;

/// A span of seconds, both ends included.
#[derive(Debug, Clone, Copy)]
struct Span {
    from_s: i64,
    to_s: i64,
}

impl Account {
    pub(super) fn list_payments(&self, form: &Form) -> Result<String, Problem> {
        form.only(&KNOWN)?;
        let limit = form.number("limit")?.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Problem::invalid("limit", "Limit must be between 1 and 100."));
        }
        let span = span(form)?;
        let cursor = |name| form.text(name).map(|id| self.cursor(name, id)).transpose();
        let (after, before) = (cursor("starting_after")?, cursor("ending_before")?);
        let wanted = |at: &usize| {
            let older = after.is_none_or(|after| *at < after);
            let newer = before.is_none_or(|before| *at > before);
            older && newer && self.intents.get(*at).is_some_and(|intent| span.holds(intent))
        };
        // Time rises with the position: what is outside of the span need not be looked at.
        let first = self.intents.partition_point(|intent| seconds(intent) < span.from_s);
        let end = self.intents.partition_point(|intent| seconds(intent) <= span.to_s);
        let limit = usize::try_from(limit).unwrap_or_default();
        let positions: Box<dyn DoubleEndedIterator<Item = usize>> = match form.text("customer") {
            Some(customer) => Box::new(
                self.by_customer.get(customer).map(Vec::as_slice).unwrap_or_default().iter().copied(),
            ),
            None => Box::new(first..end),
        };
        // One more than asked for tells whether there are more.
        let mut found: Vec<usize> = match before {
            Some(_) => positions.filter(wanted).take(limit + 1).collect(),
            None => positions.rev().filter(wanted).take(limit + 1).collect(),
        };
        let has_more = found.len() > limit;
        found.truncate(limit);
        if before.is_some() {
            found.reverse();
        }
        let shown = found.iter().filter_map(|at| self.intents.get(*at));
        let data: Vec<String> = shown.map(Intent::to_json).collect();
        Ok(format!(
            r#"{{"object":"list","data":[{}],"has_more":{has_more},"url":"/v1/payment_intents"}}"#,
            data.join(",")
        ))
    }

    fn cursor(&self, param: &str, id: &str) -> Result<usize, Problem> {
        self.by_id.get(id).copied().ok_or_else(|| Problem::no_such("payment_intent", id, param))
    }
}

impl Span {
    fn holds(self, intent: &Intent) -> bool {
        (self.from_s..=self.to_s).contains(&seconds(intent))
    }
}

fn seconds(intent: &Intent) -> i64 {
    i64::try_from(intent.created_ms / 1_000).unwrap_or(i64::MAX)
}

/// From `created[gte]` and its like, or `created` alone.
fn span(form: &Form) -> Result<Span, Problem> {
    if let Some(second) = form.number("created")? {
        return Ok(Span { from_s: second, to_s: second });
    }
    if form.map("created").keys().any(|key| !CREATED.contains(&key.as_str())) {
        return Err(Problem::invalid("created", "created can have gt, gte, lt and lte"));
    }
    let at = |key: &str| form.number(&format!("created[{key}]"));
    let above = at("gt")?.map(|second| second.saturating_add(1));
    let below = at("lt")?.map(|second| second.saturating_sub(1));
    Ok(Span {
        from_s: at("gte")?.max(above).unwrap_or(i64::MIN),
        to_s: at("lte")?.into_iter().chain(below).min().unwrap_or(i64::MAX),
    })
}
