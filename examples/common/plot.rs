//! Training and validation loss by epoch, as an SVG.

use std::error::Error;
use std::path::Path;

use bptt::History;
use plotters::prelude::*;

/// Draws the two losses, and marks the epoch with the lowest validation loss.
pub fn losses(history: &History, path: &Path) -> bptt::Result<()> {
    draw(history, path).map_err(|error| bptt::Error::Io {
        action: "draw",
        path: path.into(),
        source: std::io::Error::other(error.to_string()),
    })
}

fn draw(history: &History, path: &Path) -> Result<(), Box<dyn Error>> {
    let curves = [("loss", history.get("loss"), BLUE), ("val_loss", history.get("val_loss"), RED)];
    let values = curves.iter().flat_map(|(_, values, _)| values).copied().filter(|value| value.is_finite());
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return Err("no loss is a finite number".into());
    }
    let margin = ((high - low) * 0.05).max(1e-3);

    let area = SVGBackend::new(path, (800, 500)).into_drawing_area();
    area.fill(&WHITE)?;
    let last = history.epochs().max(2) as f64;
    let mut chart = ChartBuilder::on(&area)
        .caption("Loss by epoch", ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(60)
        .build_cartesian_2d(1.0..last, low - margin..high + margin)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("epoch")
        .y_desc("loss")
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .draw()?;
    for (name, values, color) in &curves {
        let points = values.iter().enumerate().map(|(epoch, &value)| ((epoch + 1) as f64, value));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
    }
    if let Some((epoch, lowest)) = history.lowest("val_loss") {
        chart
            .draw_series([Circle::new((epoch as f64, lowest), 5, RED.filled())])?
            .label(format!("best: {lowest:.4} at epoch {epoch}"))
            .legend(|(x, y)| Circle::new((x + 10, y), 5, RED.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    area.present()?;
    Ok(())
}
