//! From a series to samples: a week of hours to look at, and the day after it to forecast.

use std::ops::Range;

use ndarray::{Array1, Array2, Array3, ArrayD, ArrayView2, Axis, s};

use super::series::{CHANNELS, DAY, WEEK, calendar};

pub const WINDOW: usize = WEEK;
pub const HORIZON: usize = DAY;
pub const FEATURES: usize = CHANNELS.len() + 4;

/// What comes first is to train on, what follows to stop by, the end to test with.
pub fn parts(hours: usize) -> [Range<usize>; 3] {
    let (train, validation) = (hours * 7 / 10, hours * 85 / 100);
    [0..train, train..validation, validation..hours]
}

/// Means and standard deviations of the channels. Of the training part: those of the others are not known yet.
pub struct Scale {
    mean: Array1<f32>,
    pub deviation: Array1<f32>,
}

impl Scale {
    pub fn of(series: ArrayView2<'_, f32>) -> Self {
        let mean = series.mean_axis(Axis(0)).expect("the training part has hours");
        Scale { mean, deviation: series.std_axis(Axis(0), 0.0) }
    }
}

/// Samples from one part of a series, none of which looks out of it.
pub struct Windows {
    /// The hour at which each forecast begins.
    pub starts: Vec<usize>,
    /// Channels, scaled, and calendar (N, window, features).
    pub x: Array3<f32>,
    /// How far each channel is from its last day's mean, in deviations (N, horizon · channels). The trend is in that
    /// mean, so that the network need not put out what it has never seen.
    pub y: Array2<f32>,
    /// The last day's means (N, channels).
    level: Array2<f32>,
}

impl Windows {
    pub fn new(series: &Array2<f32>, part: Range<usize>, stride: usize, scale: &Scale) -> Self {
        let starts: Vec<usize> = (part.start + WINDOW..=part.end - HORIZON).step_by(stride).collect();
        let samples = starts.len();
        let mut x = Array3::zeros((samples, WINDOW, FEATURES));
        let mut y = Array3::zeros((samples, HORIZON, CHANNELS.len()));
        let mut level = Array2::zeros((samples, CHANNELS.len()));
        for (sample, &start) in starts.iter().enumerate() {
            let past = series.slice(s![start - WINDOW..start, ..]);
            let mean = series.slice(s![start - DAY..start, ..]).mean_axis(Axis(0)).expect("a day has hours");
            let future = &series.slice(s![start..start + HORIZON, ..]) - &mean;
            x.slice_mut(s![sample, .., ..CHANNELS.len()]).assign(&((&past - &scale.mean) / &scale.deviation));
            for (step, hour) in (start - WINDOW..start).enumerate() {
                x.slice_mut(s![sample, step, CHANNELS.len()..]).assign(&ndarray::aview1(&calendar(hour)));
            }
            y.index_axis_mut(Axis(0), sample).assign(&(future / &scale.deviation));
            level.row_mut(sample).assign(&mean);
        }
        let y = y.into_shape_with_order((samples, HORIZON * CHANNELS.len())).expect("as many numbers as before");
        Windows { starts, x, y, level }
    }

    /// What the outputs say about the channels (N, horizon, channels).
    pub fn forecasts(&self, outputs: ArrayD<f32>, scale: &Scale) -> Array3<f32> {
        let shape = (self.starts.len(), HORIZON, CHANNELS.len());
        let outputs = outputs.into_shape_with_order(shape).expect("an output for each hour and channel");
        outputs * &scale.deviation + self.level.view().insert_axis(Axis(1))
    }

    /// What was, a time ago: 0 for the truth, a season for the seasonal-naive forecast (N, horizon, channels).
    pub fn ago(&self, series: &Array2<f32>, hours: usize) -> Array3<f32> {
        let at = |(sample, step, channel)| series[[self.starts[sample] + step - hours, channel]];
        Array3::from_shape_fn((self.starts.len(), HORIZON, CHANNELS.len()), at)
    }
}
