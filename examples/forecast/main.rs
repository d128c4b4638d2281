//! Forecasts the next day of four channels that depend on one another, and is compared with the seasonal-naive
//! forecast.
//!
//! The series (`series.rs`) has a trend, a daily and a weekly season, and regimes; `windows.rs` cuts it. Nothing of the
//! future is used: the parts are chronological, scales come from the training part, a forecast sees the hours before
//! it. `cargo run --release --example forecast`; `-- --help` shows the options.

#[path = "../program/mod.rs"]
mod program;
mod series;
mod windows;

use bptt::Result;
use bptt::callbacks::ProgressBar;
use bptt::optimizers::{Clip, Optimizer};
use bptt::prelude::*;
use bptt::random::Key;
use ndarray::{Array1, Array3, Axis, s};
use plotters::style::{BLACK, BLUE, RED};
use program::chart::{self, Chart, Curve};
use program::{Outcome, Program, prepare};
use series::{CHANNELS, DAY, WEEK};
use windows::{FEATURES, HORIZON, Scale, WINDOW, Windows};

const PROGRAM: Program = Program {
    name: "forecast",
    about: "Forecasts the next 24 hours of a made-up series of four channels.",
    rounds: ("epochs", 40),
    files: &["forecast.svg"],
};
const HOURS: usize = 3 * 365 * DAY;

fn train(train: &Windows, validation: &Windows, epochs: usize, seed: u64, quiet: bool) -> Result<Model> {
    let mut model = Sequential::new()
        .add(Gru::new(48))
        .add(Dropout::new(0.1))
        .add(Dense::new(HORIZON * CHANNELS.len()))
        .build(Form::sequence(WINDOW, FEATURES), seed)?;
    model.compile(Optimizer::new(Adam::new(0.003)).clip(Clip::GlobalNorm(1.0)), MeanSquaredError);
    let mut early_stopping = EarlyStopping::new().patience(5).restore_best_weights(true);
    let mut progress = ProgressBar::new();
    let mut fit =
        Fit::new().epochs(epochs).batch_size(64).validation(&validation.x, &validation.y).callback(&mut early_stopping);
    if !quiet {
        fit = fit.callback(&mut progress);
    }
    model.fit(&train.x, &train.y, fit)?;
    Ok(model)
}

/// The mean absolute error of each channel.
fn errors(forecasts: &Array3<f32>, truth: &Array3<f32>) -> Array1<f32> {
    let off = (forecasts - truth).abs();
    off.mean_axis(Axis(0)).and_then(|off| off.mean_axis(Axis(0))).expect("there are samples")
}

fn main() -> Outcome {
    let options = PROGRAM.options();
    prepare(&options.out, PROGRAM.files)?;
    let series = series::generate(HOURS, Key::new(options.seed));
    let parts = windows::parts(HOURS);
    let scale = Scale::of(series.slice(s![parts[0].clone(), ..]));
    let [first, second, test] =
        [(0, 2), (1, 2), (2, 1)].map(|(part, stride)| Windows::new(&series, parts[part].clone(), stride, &scale));
    let model = train(&first, &second, options.rounds, options.seed, options.quiet)?;

    let truth = test.ago(&series, 0);
    let forecasts = test.forecasts(model.predict(&test.x)?, &scale);
    let (day, week) = (test.ago(&series, DAY), test.ago(&series, WEEK));
    let [ours, of_day, of_week] = [&forecasts, &day, &week].map(|forecasts| errors(forecasts, &truth));
    if !options.quiet {
        println!("mean absolute error | forecast | a day ago | a week ago");
        for (channel, name) in CHANNELS.iter().enumerate() {
            println!("{name:>19} | {:8.3} | {:9.3} | {:10.3}", ours[channel], of_day[channel], of_week[channel]);
        }
    }
    // Channels count alike: errors in deviations of the channel. The better of the two naive forecasts is the one to
    // beat.
    let [ours, of_day, of_week] =
        [ours, of_day, of_week].map(|errors| (errors / &scale.deviation).mean().unwrap_or(f32::NAN));
    let (naive, season) = if of_day < of_week { (of_day, &day) } else { (of_week, &week) };
    draw(&options.out.join("forecast.svg"), &truth, &forecasts, season)?;
    println!(
        "result: example={} seed={} mae={ours:.4} naive_day={of_day:.4} naive_week={of_week:.4} ratio={:.4}",
        PROGRAM.name,
        options.seed,
        ours / naive
    );
    Ok(())
}

/// A week of forecasts, one a day.
fn draw(path: &std::path::Path, truth: &Array3<f32>, forecasts: &Array3<f32>, naive: &Array3<f32>) -> Result<()> {
    let charts: Vec<Chart> = CHANNELS
        .iter()
        .enumerate()
        .map(|(channel, name)| {
            let curve = |name: &str, values: &Array3<f32>, color| {
                let days = values.slice(s![..WEEK; DAY, .., channel]);
                let points = days.iter().enumerate().map(|(hour, &value)| (hour as f64, f64::from(value)));
                Curve { name: name.into(), points: points.collect(), color }
            };
            let curves = vec![
                curve("seasonal naive", naive, RED),
                curve("forecast", forecasts, BLUE),
                curve("truth", truth, BLACK),
            ];
            Chart { caption: (*name).into(), x: "hour", y: "", curves }
        })
        .collect();
    chart::save(path, (700, 400), &[&charts[..2], &charts[2..]])
}
