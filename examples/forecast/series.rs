//! A made-up series of four channels that depend on one another: weather, and a market for electricity.

use std::f32::consts::TAU;

use bptt::random::Key;
use ndarray::Array2;
use ndarray_rand::rand::Rng;
use ndarray_rand::rand_distr::StandardNormal;

pub const CHANNELS: [&str; 4] = ["temperature", "wind", "demand", "price"];
pub const DAY: usize = 24;
pub const WEEK: usize = 7 * DAY;

/// The place of an hour in its day and in its week, as sine and cosine of both.
pub fn calendar(hour: usize) -> [f32; 4] {
    let (day, week) = ((hour % DAY) as f32 / DAY as f32 * TAU, (hour % WEEK) as f32 / WEEK as f32 * TAU);
    [day.sin(), day.cos(), week.sin(), week.cos()]
}

/// So many hours of the series, (hours, channels).
///
/// Temperature and demand have a daily season, demand also a weekly one and a trend. Calm and stormy weather take
/// turns, for five days on average; storms are cold. Cold raises the demand; the price follows demand less what the
/// wind gives.
pub fn generate(hours: usize, key: Key) -> Array2<f32> {
    let mut generator = key.generator();
    let (mut stormy, mut warmth, mut gusts, mut price) = (false, 0.0, 0.0, 40.0);
    let mut series = Array2::zeros((hours, CHANNELS.len()));
    for (hour, mut row) in series.rows_mut().into_iter().enumerate() {
        let mut noise = |deviation: f32| deviation * generator.sample::<f32, _>(StandardNormal);
        let shocks = [noise(0.4), noise(0.3), noise(0.3), noise(0.2), noise(0.7), noise(0.5)];
        if generator.random_bool(1.0 / (5 * DAY) as f64) {
            stormy = !stormy;
        }
        let [sine, cosine, ..] = calendar(hour);
        let works = hour % WEEK < 5 * DAY && (8..18).contains(&(hour % DAY));

        warmth = 0.95 * warmth + shocks[0] - if stormy { 0.2 } else { 0.0 };
        gusts = 0.9 * gusts + shocks[1];
        let temperature = 12.0 - 4.0 * cosine - 2.0 * sine + warmth + shocks[2];
        let wind = if stormy { 9.0 } else { 4.0 } + 2.0 * gusts + shocks[3];
        let demand = 50.0 + 0.0005 * hour as f32 - 6.0 * cosine + if works { 15.0 } else { 0.0 }
            - 0.8 * (temperature - 12.0)
            + shocks[4];
        price = 0.7 * price + 0.3 * (demand - 2.0 * wind) + shocks[5];
        row.assign(&ndarray::aview1(&[temperature, wind, demand, price]));
    }
    series
}
