//! The queries of committed dashboards, as Grafana would send them.

use crate::Error;
use serde_json::Value;
use std::path::Path;

/// What Grafana puts in the place of `$__rate_interval` here: four scrapes of the local target.
const RATE_INTERVAL: &str = "20s";

/// One query of one panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Panel {
    /// Its dashboard and its title.
    pub(super) place: String,
    /// In Prometheus's language, without Grafana's variables.
    pub(super) query: String,
}

/// Every query of every dashboard in a folder, by the names of the files.
pub(super) fn of_dashboards(folder: &Path) -> Result<Vec<Panel>, Error> {
    let failed = |source| Error::File { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        files.push(entry.map_err(failed)?.path());
    }
    files.sort();
    let mut panels = Vec::new();
    for path in files {
        let text =
            std::fs::read_to_string(&path).map_err(|source| Error::File { path: path.clone(), source })?;
        let dashboard = serde_json::from_str(&text)
            .map_err(|source| Error::Unreadable { what: path.display().to_string(), source })?;
        panels.extend(of_dashboard(&dashboard));
    }
    Ok(panels)
}

fn of_dashboard(dashboard: &Value) -> Vec<Panel> {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let each =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let title = text(dashboard, "title");
    // The panels of a closed row stand within it.
    let panels = each(dashboard, "panels").into_iter().flat_map(|panel| {
        let within = each(&panel, "panels");
        std::iter::once(panel).chain(within)
    });
    let queries = panels.flat_map(|panel| {
        let place = format!("{title} / {}", text(&panel, "title"));
        let targets = each(&panel, "targets").into_iter();
        targets.map(move |target| Panel {
            place: place.clone(),
            query: text(&target, "expr").replace("$__rate_interval", RATE_INTERVAL),
        })
    });
    queries.collect()
}

#[cfg(test)]
mod tests {
    use super::{Panel, of_dashboard};
    use serde_json::json;

    #[test]
    fn queries_of_open_and_closed_rows_are_found_without_variables() {
        let dashboard = json!({ "title": "orders", "panels": [
            { "title": "A", "targets": [{ "expr": "rate(a[$__rate_interval])" }, { "expr": "b" }] },
            { "title": "row", "type": "row", "panels": [{ "title": "C", "targets": [{ "expr": "c" }] }] },
        ]});
        let panel = |place: &str, query: &str| Panel { place: place.to_owned(), query: query.to_owned() };
        assert_eq!(
            of_dashboard(&dashboard),
            [panel("orders / A", "rate(a[20s])"), panel("orders / A", "b"), panel("orders / C", "c")]
        );
    }
}
