//! Table of a model's layers, with Keras' columns and sums.

use std::fmt::Write;

use crate::network::Network;
use crate::numeric::Scalar;

/// Draws the table.
pub(crate) fn summarize<F: Scalar>(network: &Network<F>) -> String {
    let heads = ["Layer (type)".to_string(), "Output Shape".into(), "Param #".into()];
    let mut rows = vec![heads];
    for node in &network.nodes {
        let frozen = if node.trainable { "" } else { ", frozen" };
        let name = format!("{} ({}{frozen})", node.name, node.layer.kind());
        rows.push([name, node.output.to_string(), thousands(node.parameters)]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |left: char, middle: char, right: char, stroke: char| {
        let strokes = widths.map(|width| stroke.to_string().repeat(width + 2));
        format!("{left}{}{right}\n", strokes.join(&middle.to_string()))
    };
    let mut table = line('┏', '┳', '┓', '━');
    for (number, [name, shape, count]) in rows.iter().enumerate() {
        let [a, b, c] = widths;
        let bar = if number == 0 { '┃' } else { '│' };
        let _ = writeln!(table, "{bar} {name:<a$} {bar} {shape:<b$} {bar} {count:>c$} {bar}");
        if number == 0 {
            table += &line('┡', '╇', '┩', '━');
        }
    }
    table += &line('└', '┴', '┘', '─');
    let total: usize = network.nodes.iter().map(|node| node.parameters).sum();
    let trainable: usize = network.nodes.iter().filter(|node| node.trainable).map(|node| node.parameters).sum();
    for (what, count) in
        [("Total", total), ("Trainable", trainable), ("Non-trainable", total.saturating_sub(trainable))]
    {
        let _ = writeln!(table, " {what} params: {}", thousands(count));
    }
    table
}

/// Formats 8809 as 8,809.
fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(
            ["0", "12", "999", "1,000", "1,234,567"],
            [0, 12, 999, 1000, 1_234_567].map(thousands).each_ref().map(String::as_str)
        );
    }
}
