//! Pictures of results as SVG: panels of lines above each other on one axis, and bars.
//!
//! Plain text without scripts, fonts or links, so that every viewer shows it and a review can read it. Each axis says its
//! unit, each line its name, and each mark what it stands for.

mod bars;
mod scale;

pub use bars::{Bar, Bars};
pub use scale::{Scale, greatest, number};

use std::fmt::Write as _;

/// Colours that people with any colour vision can tell apart (Okabe and Ito).
const COLORS: [&str; 6] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];

/// The room around the panels, in pixels.
const LEFT: f64 = 78.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 68.0;
const BETWEEN: f64 = 30.0;
const MARK: f64 = 14.0;
const BELOW: f64 = 48.0;

/// The width of every picture, in pixels.
const WIDTH: f64 = 880.0;

/// A picture: panels above each other that share the horizontal axis.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// Under which circumstances.
    pub subtitle: String,
    /// What the horizontal axis is, with its unit.
    pub x_label: String,
    /// The horizontal axis.
    pub x: Scale,
    /// Moments or values worth a vertical line through all panels, with their names.
    pub marks: Vec<(f64, String)>,
    /// From above to below.
    pub panels: Vec<Panel>,
}

/// One field of lines.
#[derive(Debug, Clone)]
pub struct Panel {
    /// What the vertical axis is, with its unit.
    pub label: String,
    /// The vertical axis.
    pub y: Scale,
    /// Its height in pixels.
    pub height: f64,
    /// Limits that must be kept: horizontal lines with their names.
    pub limits: Vec<(f64, String)>,
    /// The lines, in the order of their colours.
    pub lines: Vec<Line>,
}

/// One line.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// A line of this name.
    pub fn new(name: &str, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.to_owned(), points }
    }
}

impl Chart {
    /// The picture as an SVG document.
    pub fn svg(&self) -> String {
        // Each mark has its name on a line of its own above the panels.
        let first = TOP + MARK * self.marks.iter().map(|_| 1.0).sum::<f64>();
        let below = self.panels.iter().fold(first, |y, panel| y + panel.height + BETWEEN) - BETWEEN;
        let mut out = opening(&self.title, &self.subtitle, below + BELOW);
        let mut top = first;
        for panel in &self.panels {
            self.panel(&mut out, panel, top);
            top += panel.height + BETWEEN;
        }
        let mut y = TOP - MARK - 1.0;
        for (at, name) in &self.marks {
            let x = self.x_of(*at);
            line(&mut out, (x, y - 9.0), (x, below), "stroke=\"#666\" stroke-dasharray=\"5 4\"");
            let (x, anchor) = if x > WIDTH / 2.0 { (x - 4.0, "end") } else { (x + 4.0, "start") };
            text(&mut out, (x, y), anchor, "fill=\"#444\" font-size=\"11\"", name);
            y += MARK;
        }
        for (value, label) in self.x.ticks() {
            text(
                &mut out,
                (self.x_of(value), below + 17.0),
                "middle",
                "fill=\"#444\" font-size=\"11\"",
                &label,
            );
        }
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        text(&mut out, (middle, below + 36.0), "middle", "fill=\"#222\" font-size=\"12\"", &self.x_label);
        out + "</svg>\n"
    }

    fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn panel(&self, out: &mut String, panel: &Panel, top: f64) {
        let y_of = |value: f64| top + panel.height * (1.0 - panel.y.place(value));
        let right = WIDTH - RIGHT;
        for (value, _) in self.x.ticks() {
            let x = self.x_of(value);
            line(out, (x, top), (x, top + panel.height), "stroke=\"#eee\"");
        }
        for (value, label) in panel.y.ticks() {
            line(out, (LEFT, y_of(value)), (right, y_of(value)), "stroke=\"#e4e4e4\"");
            text(out, (LEFT - 6.0, y_of(value) + 4.0), "end", "fill=\"#444\" font-size=\"11\"", &label);
        }
        let turned = format!(
            "fill=\"#222\" font-size=\"12\" transform=\"rotate(-90 18 {:.1})\"",
            top + panel.height / 2.0
        );
        text(out, (18.0, top + panel.height / 2.0), "middle", &turned, &panel.label);
        for (value, name) in &panel.limits {
            line(
                out,
                (LEFT, y_of(*value)),
                (right, y_of(*value)),
                "stroke=\"#b00\" stroke-dasharray=\"2 3\"",
            );
            text(out, (right - 4.0, y_of(*value) - 4.0), "end", "fill=\"#b00\" font-size=\"11\"", name);
        }
        for (one, color) in panel.lines.iter().zip(COLORS.iter().cycle()) {
            let points = one.points.iter().fold(String::new(), |mut points, (x, y)| {
                // Writing to a String cannot fail.
                write!(points, "{:.1},{:.1} ", self.x_of(*x), y_of(*y)).ok();
                points
            });
            let points = points.trim_end();
            writeln!(
                out,
                "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"1.8\" points=\"{points}\"/>"
            )
            .ok();
        }
        line(out, (LEFT, top + panel.height), (right, top + panel.height), "stroke=\"#888\"");
        legend(out, panel, top);
    }
}

/// The names of the lines in their colours, in a row above the panel.
fn legend(out: &mut String, panel: &Panel, top: f64) {
    let mut x = LEFT + 4.0;
    for (one, color) in panel.lines.iter().zip(COLORS.iter().cycle()) {
        line(out, (x, top - 8.0), (x + 18.0, top - 8.0), &format!("stroke=\"{color}\" stroke-width=\"3\""));
        text(out, (x + 23.0, top - 4.0), "start", "fill=\"#222\" font-size=\"11\"", &one.name);
        x += 38.0 + 6.2 * f64::from(u32::try_from(one.name.chars().count()).unwrap_or(0));
    }
}

fn opening(title: &str, subtitle: &str, height: f64) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" height=\"{height:.0}\" font-family=\"Helvetica, Arial, sans-serif\" role=\"img\">\n<title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        escaped(title)
    );
    text(&mut out, (LEFT, 20.0), "start", "fill=\"#111\" font-size=\"15\" font-weight=\"bold\"", title);
    text(&mut out, (LEFT, 37.0), "start", "fill=\"#555\" font-size=\"11\"", subtitle);
    out
}

fn line(out: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), style: &str) {
    writeln!(out, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {style}/>").ok();
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, style: &str, words: &str) {
    let words = escaped(words);
    writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{words}</text>").ok();
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{Chart, Line, Panel, Scale};

    fn chart() -> Chart {
        Chart {
            title: "Backlog & age".into(),
            subtitle: "2 cores".into(),
            x_label: "time, s".into(),
            x: Scale::Linear(0.0, 100.0),
            marks: vec![(50.0, "end of load".into())],
            panels: vec![Panel {
                label: "messages".into(),
                y: Scale::from_zero(10.0),
                height: 100.0,
                limits: vec![(5.0, "limit <5>".into())],
                lines: vec![Line::new("backlog", vec![(0.0, 0.0), (50.0, 5.0), (100.0, 10.0)])],
            }],
        }
    }

    #[test]
    fn a_line_goes_where_its_values_are() {
        let svg = chart().svg();
        // From the lower left corner over the middle to the upper right one.
        assert!(svg.contains("points=\"78.0,182.0 467.0,132.0 856.0,82.0\""), "{svg}");
    }

    #[test]
    fn everything_has_its_name() {
        let svg = chart().svg();
        for words in [
            "Backlog &amp; age",
            "2 cores",
            "time, s",
            "messages",
            "backlog",
            "end of load",
            "limit &lt;5&gt;",
        ] {
            assert!(svg.contains(words), "{words} is not in {svg}");
        }
    }

    #[test]
    fn limits_and_marks_are_drawn_at_their_values() {
        let svg = chart().svg();
        assert!(svg.contains("y1=\"132.0\" x2=\"856.0\" y2=\"132.0\" stroke=\"#b00\""), "{svg}");
        assert!(svg.contains("x1=\"467.0\" y1=\"44.0\" x2=\"467.0\" y2=\"182.0\" stroke=\"#666\""), "{svg}");
    }
}
