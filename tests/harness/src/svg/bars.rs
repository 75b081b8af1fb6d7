//! Bars beside each other, each with its figure above it: for a few numbers that are compared.

use super::{COLORS, LEFT, RIGHT, Scale, TOP, WIDTH, greatest, line, number, opening, text};
use std::fmt::Write as _;

/// The height of each field of bars.
const HEIGHT: f64 = 210.0;

/// A picture of fields beside each other; each field has its own scale.
#[derive(Debug, Clone)]
pub struct Bars {
    /// What it shows.
    pub title: String,
    /// Under which circumstances.
    pub subtitle: String,
    /// From left to right: what is compared, with its unit, and the bars.
    pub fields: Vec<(String, Vec<Bar>)>,
}

/// One bar.
#[derive(Debug, Clone)]
pub struct Bar {
    /// Whose figure it is.
    pub name: String,
    /// The figure.
    pub value: f64,
}

impl Bar {
    /// A bar of this name.
    pub fn new(name: &str, value: f64) -> Self {
        Self { name: name.to_owned(), value }
    }
}

impl Bars {
    /// The picture as an SVG document.
    pub fn svg(&self) -> String {
        let mut out = opening(&self.title, &self.subtitle, TOP + HEIGHT + 50.0);
        let count = f64::from(u32::try_from(self.fields.len().max(1)).unwrap_or(1));
        let width = (WIDTH - LEFT - RIGHT) / count;
        let mut left = LEFT;
        for (label, bars) in &self.fields {
            field(&mut out, bars, (left, width - 30.0));
            text(
                &mut out,
                (left + (width - 30.0) / 2.0, TOP + HEIGHT + 38.0),
                "middle",
                "fill=\"#222\" font-size=\"12\"",
                label,
            );
            left += width;
        }
        out + "</svg>\n"
    }
}

fn field(out: &mut String, bars: &[Bar], (left, width): (f64, f64)) {
    let scale = Scale::from_zero(greatest(bars.iter().map(|bar| bar.value)) * 1.1);
    let bottom = TOP + HEIGHT;
    let each = width / f64::from(u32::try_from(bars.len().max(1)).unwrap_or(1));
    let mut x = left;
    for (bar, color) in bars.iter().zip(COLORS.iter().cycle()) {
        let height = HEIGHT * scale.place(bar.value);
        let (wide, middle) = (each * 0.7, x + each / 2.0);
        writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{wide:.1}\" height=\"{height:.1}\" fill=\"{color}\"/>",
            middle - wide / 2.0,
            bottom - height
        )
        .ok();
        let figure = number((bar.value * 10.0).round() / 10.0);
        text(out, (middle, bottom - height - 5.0), "middle", "fill=\"#111\" font-size=\"12\"", &figure);
        text(out, (middle, bottom + 17.0), "middle", "fill=\"#444\" font-size=\"11\"", &bar.name);
        x += each;
    }
    line(out, (left, bottom), (left + width, bottom), "stroke=\"#888\"");
}

#[cfg(test)]
mod tests {
    use super::{Bar, Bars};

    #[test]
    fn bars_are_as_high_as_their_figures() {
        let bars = vec![Bar::new("without", 100.0), Bar::new("with", 25.0)];
        let svg =
            Bars { title: "Reads".into(), subtitle: String::new(), fields: vec![("reads".into(), bars)] }
                .svg();
        let height = |nth: usize| {
            let rect = svg.lines().filter(|line| line.starts_with("<rect x=")).nth(nth).unwrap();
            let value = rect.split("height=\"").nth(1).unwrap().split('"').next().unwrap();
            value.parse::<f64>().unwrap()
        };
        assert!((height(0) / height(1) - 4.0).abs() < 0.01, "{svg}");
        for words in [">100<", ">25<", ">without<", ">with<", ">reads<"] {
            assert!(svg.contains(words), "{words} is not in {svg}");
        }
    }
}
