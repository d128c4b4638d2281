//! Plot of the curves of a training.

use std::error::Error as StdError;
use std::path::Path;

use plotters::prelude::*;

use super::History;
use super::Mode;
use crate::error::{Error, Result};

/// Size of one chart, in pixels.
const SIZE: (u32, u32) = (800, 460);

/// Bound from which numbers are written with a common power of ten, so that labels fit.
const LARGE: f64 = 1e7;

impl History {
    /// Draws each figure over the epochs as an SVG: the loss, then each metric, each in one chart with its `val_`
    /// figure, whose best epoch is marked. Figures without a `val_` one, such as `learning_rate`, get their own chart.
    ///
    /// Requires the feature `plot`. The picture contains no script and no fonts, only the name of a generic one.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] if no figure is a finite number, [`Error::Io`] if the file cannot be written.
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

    /// Draws a figure and its `val_` figure, if there is one.
    fn draw_chart(
        &self,
        name: &str,
        area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    ) -> std::result::Result<(), Box<dyn StdError>> {
        let validation = format!("val_{name}");
        let curves = [(name, self.get(name), BLUE), (validation.as_str(), self.get(&validation), RED)];
        let values = || curves.iter().flat_map(|(_, values, _)| values).copied().filter(|value| value.is_finite());
        // Values are scaled so that no difference overflows and the labels fit.
        let exponent = match values().fold(0.0, |largest: f64, value| largest.max(value.abs())) {
            large if large >= LARGE => large.log10().floor() as i32,
            _ => 0,
        };
        let unit = 10_f64.powi(exponent);
        let values = values().map(|value| value / unit);
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let margin = (high - low).max(1e-3 * high.abs()).max(1e-9) * 0.05;
        let title = name.replace('_', " ");
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{title} by epoch"), ("sans-serif", 22))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(70)
            .build_cartesian_2d(1.0..self.epochs().max(2) as f64, low - margin..high + margin)?;
        let (epoch_label, factor_label) =
            (|epoch: &f64| format!("{epoch:.0}"), |value: &f64| format!("{value:.2}e{exponent}"));
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(TRANSPARENT)
            .x_labels(self.epochs().clamp(2, 12))
            .x_desc("epoch")
            .y_desc(&title)
            .x_label_formatter(&epoch_label);
        if exponent != 0 {
            mesh.y_label_formatter(&factor_label);
        }
        mesh.draw()?;
        for (name, values, color) in &curves {
            // A line for each stretch without gaps, and a dot for a single point.
            let points: Vec<(f64, f64)> = visible(values, SIZE.0 as usize)
                .into_iter()
                .map(|epoch| ((epoch + 1) as f64, values[epoch] / unit))
                .collect();
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
            let best_figure = if best.abs() < LARGE { format!("{best:.4}") } else { format!("{best:.4e}") };
            chart
                .draw_series([Circle::new((epoch as f64, best / unit), 5, RED.filled())])?
                .label(format!("best: {best_figure} at epoch {epoch}"))
                .legend(|(x, y)| Circle::new((x + 10, y), 5, RED.filled()));
        }
        // The corner that usually has no curves.
        let place = match Mode::Auto.resolve(name) {
            Ok(Mode::Max) => SeriesLabelPosition::LowerRight,
            _ => SeriesLabelPosition::UpperRight,
        };
        chart.configure_series_labels().position(place).background_style(WHITE).border_style(BLACK).draw()?;
        Ok(())
    }

    /// Returns the epoch, counted from 1, of the best value, if the direction can be inferred from the name.
    fn best(&self, name: &str) -> Option<(usize, f64)> {
        let mode = Mode::Auto.resolve(name).ok()?;
        self.best_by(name, |new, best| mode.improves(new, best, 0.0))
    }
}

/// Returns the indices of the values to plot at this width: all of them if they fit, otherwise for each pixel the
/// lowest and the highest finite value, in order, or one that is not finite if there is no other.
fn visible(values: &[f64], width: usize) -> Vec<usize> {
    if values.len() <= width {
        return (0..values.len()).collect();
    }
    let mut visible = Vec::with_capacity(2 * width);
    for column in 0..width {
        let first = column * values.len() / width;
        let finite = || (first..(column + 1) * values.len() / width).filter(|&epoch| values[epoch].is_finite());
        let by_value = |a: &usize, b: &usize| values[*a].total_cmp(&values[*b]);
        match (finite().min_by(by_value), finite().max_by(by_value)) {
            (Some(low), Some(high)) if low != high => visible.extend([low.min(high), low.max(high)]),
            (Some(only), _) => visible.push(only),
            _ => visible.push(first),
        }
    }
    visible
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::history::Logs;

    /// Returns the SVG of a loss with these values, and checks that drawing does not take long.
    fn svg_of(name: &str, losses: impl Iterator<Item = f64>) -> String {
        let mut history = History::default();
        for loss in losses {
            let mut logs = Logs::default();
            logs.set("loss", loss);
            logs.set("val_loss", loss);
            history.push(&logs, 1.0);
        }
        let path = std::env::temp_dir().join(format!("bptt-history-{name}-{}.svg", std::process::id()));
        let started = Instant::now();
        history.write_svg(&path).unwrap();
        assert!(started.elapsed() < Duration::from_secs(5), "{name}: {:?}", started.elapsed());
        let svg = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        svg
    }

    #[test]
    fn the_largest_numbers_are_drawn() {
        for (name, losses) in [
            ("both-ends", vec![f64::MAX, -f64::MAX, 0.0]),
            ("one-end", vec![f64::MAX, f64::MAX, 1.0]),
            ("the-same", vec![-f64::MAX; 2]),
            ("smallest", vec![f64::MIN_POSITIVE, 5e-324, 0.0]),
        ] {
            let svg = svg_of(name, losses.into_iter());
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
            assert!(svg.contains("e308") || name == "smallest", "{name}");
            assert!(svg.len() < 20_000, "{name}: {} bytes", svg.len());
        }
    }

    #[test]
    fn many_epochs_take_no_longer_than_what_is_seen_of_them() {
        let wave = |epoch: usize| 1.0 + (epoch as f64 * 0.1).sin();
        for (name, gaps) in [("without-gaps", usize::MAX), ("gaps", 2)] {
            let losses = (1..=200_000).map(|epoch| if epoch % gaps == 0 { f64::NAN } else { wave(epoch) });
            let svg = svg_of(name, losses);
            assert!(svg.len() < 200_000, "{name}: {} bytes", svg.len());
        }
    }

    #[test]
    fn what_shares_a_pixel_is_seen_by_its_ends() {
        assert_eq!(visible(&[3.0, f64::NAN, 1.0], 3), [0, 1, 2]);
        let values = [1.0, 5.0, 2.0, f64::NAN, f64::INFINITY, f64::NAN, 7.0, f64::NAN, 6.0, 4.0, f64::NAN, f64::NAN];
        assert_eq!(visible(&values, 4), [0, 1, 3, 6, 8, 9]);
        let spike: Vec<f64> = (0..20_000).map(|epoch| if epoch == 12_345 { 9.0 } else { 1.0 }).collect();
        let seen = visible(&spike, 800);
        assert!(seen.contains(&12_345) && seen.len() <= 1600 && seen.is_sorted());
    }

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
