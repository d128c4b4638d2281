//! Training and validation loss by epoch, as an SVG.

use std::path::Path;

use bptt::{History, Result};
use plotters::style::{BLUE, RED};

use super::chart::{Chart, Curve, save};

/// Draws the two losses, and marks the epoch with the lowest validation loss.
pub fn losses(history: &History, path: &Path) -> Result<()> {
    let mut curves: Vec<_> = [("loss", BLUE), ("val_loss", RED)]
        .into_iter()
        .map(|(name, color)| {
            let points = history.get(name).into_iter().enumerate().map(|(epoch, loss)| ((epoch + 1) as f64, loss));
            Curve { name: name.into(), points: points.collect(), color }
        })
        .collect();
    if let Some((epoch, lowest)) = history.lowest("val_loss") {
        let name = format!("best: {lowest:.4} at epoch {epoch}");
        curves.push(Curve { name, points: vec![(epoch as f64, lowest)], color: RED });
    }
    save(path, (800, 500), &[&[Chart { caption: "Loss by epoch".into(), x: "epoch", y: "loss", curves }]])
}
