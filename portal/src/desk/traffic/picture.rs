//! Lines over time as SVG: whole numbers in, text out, no script and no style of its own.
//!
//! Colours are classes of the style sheet. The text is made of numbers and of one title, which is
//! escaped.

use std::fmt::Write as _;

/// A picture of lines, each with the class that gives it its colour; `unit` says the largest value.
pub(super) fn line(title: &str, lines: &[(&str, &[u64])], unit: impl Fn(u64) -> String) -> String {
    let top = lines.iter().flat_map(|(_, values)| values.iter()).copied().max();
    let top = top.unwrap_or_default();
    let title = escaped(&format!("{title}: {}", unit(top)));
    let mut text = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{title}\"><line class=\"axis\" x1=\"0\" y1=\"{FLOOR}\" x2=\"{WIDTH}\" \
         y2=\"{FLOOR}\"/>"
    );
    for (class, values) in lines {
        let _ = write!(text, "<polyline class=\"{class}\" points=\"{}\"/>", points(values, top));
    }
    let label = escaped(&unit(top));
    let _ = write!(text, "<text class=\"label\" x=\"4\" y=\"14\">{label}</text></svg>");
    text
}

/// Points from left to right, the newest at the right end.
fn points(values: &[u64], top: u64) -> String {
    let mut text = String::new();
    let first = POINTS_MAX.saturating_sub(values.len());
    for (place, value) in values.iter().enumerate().take(POINTS_MAX) {
        let x = u64::try_from(first + place).unwrap_or_default() * STEP;
        let height = u128::from(*value) * u128::from(FLOOR - CEILING);
        let height = height.checked_div(u128::from(top)).unwrap_or_default();
        let y = FLOOR.saturating_sub(u64::try_from(height).unwrap_or(FLOOR - CEILING));
        let space = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{space}{x},{y}");
    }
    text
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, letter| {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
        out
    })
}

const WIDTH: u64 = 600;
const HEIGHT: u64 = 160;
const CEILING: u64 = 20;
const FLOOR: u64 = 155;
const POINTS_MAX: usize = 120;
const STEP: u64 = WIDTH / POINTS_MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_value_reaches_the_ceiling_and_nothing_the_floor() {
        assert_eq!(points(&[0, 50, 100], 100), "585,155 590,88 595,20");
        assert_eq!(points(&[], 0), "");
        assert_eq!(points(&[0, 0], 0), "590,155 595,155");
        let most = points(&[u64::MAX; 200], u64::MAX);
        assert_eq!(most.split(' ').count(), POINTS_MAX);
    }

    #[test]
    fn a_title_brings_no_elements() {
        let text = line("<b>\"&", &[("line-1", &[1, 2])], |value| format!("{value} <x>"));
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>"), "{text}");
        assert!(text.contains("&lt;b&gt;&quot;&amp;") && !text.contains("<b>"), "{text}");
        assert!(!text.contains("<x>") && !text.contains("style="), "{text}");
    }
}
