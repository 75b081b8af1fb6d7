//! The pictures of a result: latency against offered load, a run on one time axis, distributions, cache on and off.

use super::cache::{Cache, Half};
use super::knee::P99_LIMIT_MS;
use super::measured::Rung;
use super::result::{LoadResult, Look};
use crate::figures::Percentiles;
use crate::report::float;
use crate::svg::{Bar, Bars, Chart, Line, Panel, Scale, greatest, number};

/// All pictures that this result has the figures for, by file name.
pub(super) fn pictures(result: &LoadResult) -> Vec<(&'static str, String)> {
    let mut pictures =
        vec![("timeline.svg", timeline(result).svg()), ("distribution.svg", distribution(result).svg())];
    if !result.rungs.is_empty() {
        pictures.push(("ladder.svg", ladder(result).svg()));
    }
    pictures.extend(result.cache.iter().map(|cache| ("cache.svg", bars(result, cache).svg())));
    pictures
}

fn title(result: &LoadResult, what: &str) -> String {
    format!("{}: {what}", result.scenario)
}

/// Everything about a run on one time axis.
fn timeline(result: &LoadResult) -> Chart {
    let looks = result.looks.as_slice();
    let last_s = greatest(looks.iter().map(|look| look.at_s));
    let line = |name: &str, figure: &dyn Fn(&Look) -> f64| {
        Line::new(name, looks.iter().map(|look| (look.at_s, figure(look))).collect())
    };
    let panel = |label: &str, lines: Vec<Line>| {
        let max = greatest(lines.iter().flat_map(|line| line.points.iter().map(|(_, y)| *y)));
        let (label, y) = (label.to_owned(), Scale::from_zero(max));
        Panel { label, y, height: 120.0, limits: Vec::new(), lines }
    };
    let mut panels = vec![
        panel(
            "messages / s",
            vec![
                line("offered", &|look| look.offered_per_s),
                line("processed", &|look| look.processed_per_s),
            ],
        ),
        panel("backlog, messages", vec![line("messages in the orders queue", &|look| float(look.backlog))]),
        panel("age, ms", vec![line("oldest message", &|look| float(look.oldest_age_ms))]),
        panel("instances", vec![line("process-orders", &|look| float(look.instances))]),
        panel(
            "payments waiting",
            vec![line("payment requests in their queue; parked ones wait in their rows", &|look| {
                float(look.to_pay)
            })],
        ),
    ];
    panels.insert(1, latency(result, &panel));
    let mut marks: Vec<(f64, String)> =
        result.moments.iter().map(|(at_s, what)| (*at_s, (*what).to_owned())).collect();
    marks.push((result.load_s, "end of load".to_owned()));
    marks.extend(result.drained_s.map(|after_s| {
        (result.load_s + after_s, format!("queue empty, {} s later", number((after_s * 10.0).round() / 10.0)))
    }));
    Chart {
        title: title(result, "offered, accepted, waiting"),
        subtitle: result.circumstances(),
        x_label: "time since the load began, s".to_owned(),
        x: Scale::Linear(0.0, last_s.max(1.0)),
        marks,
        panels,
    }
}

/// How long orders took by ten seconds, each window as a step.
fn latency(result: &LoadResult, panel: &dyn Fn(&str, Vec<Line>) -> Panel) -> Panel {
    let steps = |figure: fn(&Percentiles) -> Option<f64>| {
        let windows = result.windows().iter().filter_map(|window| {
            let (from, ms) = (float(window.from_s), figure(&window.accepted_ms)?);
            Some([(from, ms), ((from + 10.0).min(result.load_s), ms)])
        });
        windows.flatten().collect::<Vec<_>>()
    };
    let lines = vec![
        Line::new("accepted within, p50 of 10 s", steps(|times| times.p50)),
        Line::new("p99 of 10 s", steps(|times| times.p99)),
    ];
    let panel = panel("latency, ms", lines);
    let max = greatest(panel.lines.iter().flat_map(|line| line.points.iter().map(|(_, y)| *y)));
    let limits = vec![(P99_LIMIT_MS, "p99 limit".to_owned())];
    Panel { y: Scale::from_zero(max.max(P99_LIMIT_MS * 1.2)), limits, ..panel }
}

/// How long orders took, from the median to the slowest, cold and warm.
fn distribution(result: &LoadResult) -> Chart {
    let [_, warm, cold] = &result.distributions;
    let named = [("warm instances", warm), ("first batch of a new instance", cold)];
    let lines: Vec<Line> = named
        .into_iter()
        .filter(|(_, of)| of.percentiles.len() > 1)
        .map(|(name, of)| {
            Line::new(&format!("{name} ({} orders)", number(float(of.orders))), of.percentiles.clone())
        })
        .collect();
    let max = greatest(lines.iter().flat_map(|line| line.points.iter().map(|(_, y)| *y)));
    let limits = vec![(P99_LIMIT_MS, "p99 limit".to_owned())];
    let (label, y) = ("latency, ms".to_owned(), Scale::from_zero(max.max(P99_LIMIT_MS * 1.2)));
    Chart {
        title: title(result, "from sent to accepted, cold and warm"),
        subtitle: result.circumstances(),
        x_label: "percentile of orders".to_owned(),
        x: Scale::Nines(1),
        marks: Vec::new(),
        panels: vec![Panel { label, y, height: 300.0, limits, lines }],
    }
}

/// Latency and what is accepted against offered load, with the knee and the generator's own limit.
fn ladder(result: &LoadResult) -> Chart {
    let line = |name: &str, figure: fn(&Percentiles) -> Option<f64>| {
        let point = |rung: &Rung| Some((rung.offered_per_s, figure(&rung.accepted_ms)?));
        Line::new(name, result.rungs.iter().filter_map(point).collect())
    };
    let lines =
        vec![line("p50", |times| times.p50), line("p95", |times| times.p95), line("p99", |times| times.p99)];
    let offered = greatest(result.rungs.iter().map(|rung| rung.offered_per_s));
    let ms = |of: fn(f64, f64) -> f64, first: f64| {
        lines.iter().flat_map(|line| line.points.iter().map(|(_, y)| *y)).fold(first, of)
    };
    let y = Scale::decades(ms(f64::min, f64::MAX), ms(f64::max, 1.0));
    let knee = result.knee.map(|knee| {
        let word = if knee.at_least { "knee above" } else { "knee" };
        (knee.per_s, format!("{word}: {}/s", number(knee.per_s)))
    });
    // The generator alone may be far beyond what is shown: the mark then stands at the edge, with its figure.
    let own = result.own_limit_per_s().map(|limit| (limit, format!("k6 alone: {}/s", number(limit))));
    let accepted: Vec<(f64, f64)> =
        result.rungs.iter().map(|rung| (rung.offered_per_s, rung.accepted_per_s)).collect();
    let most = greatest(accepted.iter().map(|(_, per_s)| *per_s));
    Chart {
        title: title(result, "how long orders take at which load"),
        subtitle: result.circumstances(),
        x_label: "offered, messages / s (what k6 really sent)".to_owned(),
        x: Scale::from_zero(offered),
        marks: knee.into_iter().chain(own).collect(),
        panels: vec![
            Panel {
                label: "from sent to accepted, ms".to_owned(),
                y,
                height: 340.0,
                limits: vec![(P99_LIMIT_MS, "p99 limit".to_owned())],
                lines,
            },
            Panel {
                label: "accepted, orders / s".to_owned(),
                y: Scale::from_zero(most),
                height: 140.0,
                limits: Vec::new(),
                lines: vec![Line::new("accepted", accepted)],
            },
        ],
    }
}

/// What the cache spares the database, and what that does for orders.
fn bars(result: &LoadResult, cache: &Cache) -> Bars {
    let pair =
        |without: f64, with: f64| vec![Bar::new("without Redis", without), Bar::new("with Redis", with)];
    let ms = |figure: fn(&Half) -> Option<f64>| {
        pair(figure(&cache.without).unwrap_or_default(), figure(&cache.with).unwrap_or_default())
    };
    Bars {
        title: title(
            result,
            &format!("{} % of catalog reads spared", number((cache.spared * 1_000.0).round() / 10.0)),
        ),
        subtitle: result.circumstances(),
        fields: vec![
            (
                "reads per 1,000 messages".to_owned(),
                pair(cache.without.reads_per_thousand, cache.with.reads_per_thousand),
            ),
            ("a look-up of products, p99, ms".to_owned(), ms(|half| half.look_up_ms.p99)),
            ("accepted within, p50, ms".to_owned(), ms(|half| half.accepted_ms.p50)),
            ("accepted within, p99, ms".to_owned(), ms(|half| half.accepted_ms.p99)),
        ],
    }
}
