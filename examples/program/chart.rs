//! Curves as an SVG.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

/// A named line through points, or a dot where there is one point alone.
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    pub color: RGBColor,
}

/// Curves over the same axes.
pub struct Chart {
    pub caption: String,
    /// What the axes show.
    pub x: &'static str,
    pub y: &'static str,
    pub curves: Vec<Curve>,
}

/// Draws charts of this size beside or below each other, as they are given by row.
pub fn save(path: &Path, (width, height): (u32, u32), rows: &[&[Chart]]) -> bptt::Result<()> {
    let draw = || -> Result<(), Box<dyn Error>> {
        let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let size = (width * columns as u32, height * rows.len() as u32);
        let area = SVGBackend::new(path, size).into_drawing_area();
        area.fill(&WHITE)?;
        for (row, area) in rows.iter().zip(area.split_evenly((rows.len(), 1))) {
            row.iter().zip(area.split_evenly((1, columns))).try_for_each(|(chart, area)| chart.draw(&area))?;
        }
        Ok(area.present()?)
    };
    draw().map_err(|error| std::io::Error::other(error.to_string())).map_err(bptt::Error::io("draw", path))
}

impl Chart {
    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn Error>> {
        let points = || self.curves.iter().flat_map(|curve| &curve.points).filter(|(_, y)| y.is_finite());
        let (left, right) = range(points().map(|point| point.0)).ok_or("there is nothing but infinity and NaN")?;
        let (low, high) = range(points().map(|point| point.1)).ok_or("there is nothing but infinity and NaN")?;
        let margin = ((high - low) * 0.05).max(1e-3);
        let mut chart = ChartBuilder::on(area)
            .caption(&self.caption, ("sans-serif", 22))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(60)
            .build_cartesian_2d(left..right.max(left + 1.0), low - margin..high + margin)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .draw()?;
        for Curve { name, points, color } in &self.curves {
            let color = *color;
            if let &[point] = &points[..] {
                chart
                    .draw_series([Circle::new(point, 5, color.filled())])?
                    .label(name)
                    .legend(move |(x, y)| Circle::new((x + 10, y), 5, color.filled()));
            } else {
                chart
                    .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?
                    .label(name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()?;
        Ok(())
    }
}

/// The lowest and the highest, if there is any.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.map(|value| (value, value)).reduce(|(low, high), (value, _)| (low.min(value), high.max(value)))
}
