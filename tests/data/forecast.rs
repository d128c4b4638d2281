//! The data of the forecast example: the same from the same seed, and nothing of the future in what a forecast sees.

#[path = "../../examples/forecast/series.rs"]
mod series;
#[path = "../../examples/forecast/windows.rs"]
mod windows;

use bptt::random::Key;
use ndarray::{Array2, s};
use series::{CHANNELS, generate};
use windows::{FEATURES, HORIZON, Scale, WINDOW, Windows, parts};

const HOURS: usize = 3000;

fn scale(series: &Array2<f32>) -> Scale {
    Scale::of(series.slice(s![parts(HOURS)[0].clone(), ..]))
}

#[test]
fn a_series_follows_from_its_seed_and_goes_on_as_it_began() {
    let series = generate(HOURS, Key::new(1));
    assert_eq!(series, generate(HOURS, Key::new(1)));
    assert_ne!(series, generate(HOURS, Key::new(2)));
    assert_eq!(series, generate(HOURS + 500, Key::new(1)).slice(s![..HOURS, ..]));
}

#[test]
fn a_part_knows_nothing_of_the_next() {
    let series = generate(HOURS, Key::new(1));
    for part in parts(HOURS) {
        let mut other = series.clone();
        other.slice_mut(s![..part.start, ..]).fill(-1000.0);
        other.slice_mut(s![part.end.., ..]).fill(1000.0);
        let [windows, others] = [&series, &other].map(|values| Windows::new(values, part.clone(), 5, &scale(&series)));
        assert_eq!(windows.x.dim(), (windows.starts.len(), WINDOW, FEATURES));
        assert_eq!((windows.x, windows.y), (others.x, others.y));
    }
}

#[test]
fn a_forecast_sees_only_the_hours_before_it() {
    let series = generate(HOURS, Key::new(1));
    let scale = scale(&series);
    let part = parts(HOURS)[2].clone();
    let windows = Windows::new(&series, part.clone(), 1, &scale);
    for sample in [0, windows.starts.len() - 1] {
        let mut other = series.clone();
        other.slice_mut(s![windows.starts[sample].., ..]).fill(1000.0);
        let others = Windows::new(&other, part.clone(), 1, &scale);
        assert_eq!(windows.x.slice(s![sample, .., ..]), others.x.slice(s![sample, .., ..]));
        // Nor does what is added to the outputs, or the naive forecast, know more.
        let forecast = |windows: &Windows| windows.forecasts(Array2::zeros(windows.y.dim()).into_dyn(), &scale);
        assert_eq!(forecast(&windows).slice(s![sample, .., ..]), forecast(&others).slice(s![sample, .., ..]));
        let naive = |windows: &Windows, series| windows.ago(series, HORIZON);
        assert_eq!(
            naive(&windows, &series).slice(s![sample, .., ..]),
            naive(&others, &other).slice(s![sample, .., ..])
        );
    }
}

#[test]
fn outputs_equal_to_the_targets_are_the_truth() {
    let series = generate(HOURS, Key::new(1));
    let scale = scale(&series);
    let windows = Windows::new(&series, parts(HOURS)[1].clone(), 3, &scale);
    let forecasts = windows.forecasts(windows.y.clone().into_dyn(), &scale);
    assert_eq!(forecasts.dim(), (windows.starts.len(), HORIZON, CHANNELS.len()));
    assert!((forecasts - windows.ago(&series, 0)).iter().all(|difference| difference.abs() < 1e-4));
}
