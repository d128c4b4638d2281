//! The curves of a training as a picture.

use std::error::Error as StdError;
use std::path::Path;

use plotters::prelude::*;

use super::History;
use super::Mode;
use crate::error::{Error, Result};

/// Of one chart, in pixels.
const SIZE: (u32, u32) = (800, 460);

impl History {
    /// Draws each figure over the epochs as an SVG: the loss, then each metric, each with its `val_` one in one chart, and
    /// marks the best epoch of the latter. Figures that are alone, such as `learning_rate`, get a chart of their own.
    ///
    /// With the feature `plot`. The picture has no fonts in it, only the name of a generic one, and no script.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] if no figure is a finite number, [`Error::Io`] if the file cannot be written.
    #[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
    pub fn write_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        let names = self.names();
        let is_base = |name: &str| name.strip_prefix("val_").is_none_or(|base| !names.contains(&base));
        let finite = |name: &str| self.get(name).iter().any(|value| value.is_finite());
        let charts: Vec<&str> = names.iter().copied().filter(|name| is_base(name) && finite(name)).collect();
        if charts.is_empty() {
            return Err(Error::Empty { what: "the history", mend: "draw one with an epoch whose figures are finite" });
        }
        let mut svg = String::new();
        let drawn = self.draw(&charts, &mut svg).map_err(|error| std::io::Error::other(error.to_string()));
        drawn.and_then(|()| std::fs::write(&path, svg)).map_err(Error::io("write", path.as_ref()))
    }

    fn draw(&self, charts: &[&str], svg: &mut String) -> std::result::Result<(), Box<dyn StdError>> {
        let area = SVGBackend::with_string(svg, (SIZE.0, SIZE.1 * charts.len() as u32)).into_drawing_area();
        area.fill(&WHITE)?;
        for (area, name) in area.split_evenly((charts.len(), 1)).iter().zip(charts) {
            self.draw_chart(name, area)?;
        }
        area.present()?;
        Ok(())
    }

    /// A figure and its `val_` one, if there is one.
    fn draw_chart(
        &self,
        name: &str,
        area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    ) -> std::result::Result<(), Box<dyn StdError>> {
        let validation = format!("val_{name}");
        let curves = [(name, self.get(name), BLUE), (validation.as_str(), self.get(&validation), RED)];
        let values = curves.iter().flat_map(|(_, values, _)| values).copied().filter(|value| value.is_finite());
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let margin = (high - low).max(1e-3 * high.abs()).max(1e-9) * 0.05;
        let title = name.replace('_', " ");
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{title} by epoch"), ("sans-serif", 22))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(70)
            .build_cartesian_2d(1.0..self.epochs().max(2) as f64, low - margin..high + margin)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(self.epochs().clamp(2, 12))
            .x_desc("epoch")
            .y_desc(&title)
            .x_label_formatter(&|epoch| format!("{epoch:.0}"))
            .draw()?;
        for (name, values, color) in &curves {
            // A line for each stretch without gaps, and a point where one is alone.
            let epochs = values.iter().enumerate().map(|(epoch, &value)| ((epoch + 1) as f64, value));
            let points: Vec<(f64, f64)> = epochs.collect();
            let stretches = points.split(|(_, value)| !value.is_finite()).filter(|stretch| !stretch.is_empty());
            let mut label = Some(*name);
            for stretch in stretches {
                let dots = if stretch.len() == 1 { 3 } else { 0 };
                let line = LineSeries::new(stretch.iter().copied(), color.stroke_width(2)).point_size(dots);
                let series = chart.draw_series(line)?;
                if let Some(name) = label.take() {
                    series
                        .label(name)
                        .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
                }
            }
        }
        if let Some((epoch, best)) = self.best(&validation) {
            chart
                .draw_series([Circle::new((epoch as f64, best), 5, RED.filled())])?
                .label(format!("best: {best:.4} at epoch {epoch}"))
                .legend(|(x, y)| Circle::new((x + 10, y), 5, RED.filled()));
        }
        // Where the curves usually are not.
        let place = match Mode::Auto.resolve(name) {
            Ok(Mode::Max) => SeriesLabelPosition::LowerRight,
            _ => SeriesLabelPosition::UpperRight,
        };
        chart.configure_series_labels().position(place).background_style(WHITE).border_style(BLACK).draw()?;
        Ok(())
    }

    /// The epoch, counted from 1, with the best figure, if its name tells which way it gets better.
    fn best(&self, name: &str) -> Option<(usize, f64)> {
        let mode = Mode::Auto.resolve(name).ok()?;
        self.best_by(name, |new, best| mode.improves(new, best, 0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Logs;

    #[test]
    fn each_figure_has_a_chart_with_its_best_epoch() {
        let mut history = History::default();
        for (loss, val_loss, val_accuracy) in [(0.9, 0.8, 0.5), (0.6, 0.55, 0.75), (0.4, f64::NAN, 0.7)] {
            let mut logs = Logs::default();
            let figures = [("loss", loss), ("accuracy", 0.5), ("val_loss", val_loss), ("val_accuracy", val_accuracy)];
            figures.iter().for_each(|(name, value)| logs.set(name, *value));
            history.push(&logs, 1.0);
        }
        let path = std::env::temp_dir().join(format!("bptt-history-{}.svg", std::process::id()));
        history.write_svg(&path).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for text in ["loss by epoch", "accuracy by epoch", "val_accuracy", "epoch"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(svg.contains("best: 0.5500 at epoch 2") && svg.contains("best: 0.7500 at epoch 2"));
        let message = History::default().write_svg(&path).unwrap_err().to_string();
        assert_eq!(message, "the history is empty; draw one with an epoch whose figures are finite");
    }
}
