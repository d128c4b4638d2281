//! How near the inner loops come to what the machine can do: products to the best large one, the rest to the bandwidth.
//!
//! The roofline is measured first: the fastest of two 2048³ products, ours and `matrixmultiply`'s, and a copy between two
//! pieces of memory that no cache holds. Then products at the shapes that recurrence needs, functions and rules per
//! element, and layers on values that have decayed until they are denormal. One thread throughout, medians of rounds.
//!
//! `cargo bench --bench kernels`; `-- decay` prints the lines that hold `decay`. It takes about half a minute, and is no
//! criterion bench because its figures are parts of one another.

use std::hint::black_box;
use std::num::FpCategory;
use std::time::{Duration, Instant};

use bptt::initializers::{Init, Initializer};
use bptt::layer::{Backward, Forward, Layer, Pass};
use bptt::layers::{Gru, Lstm};
use bptt::random::Key;
use bptt::recurrent::{Gates, RnnCache};
use bptt::tensor::{Form, State, Tensor};
use bptt::testing::measure::{Function, Gradient, Pointwise, Product};
use ndarray::{Array2, Array3};

/// Seconds that a call takes: the median over rounds of some milliseconds.
fn seconds(mut work: impl FnMut()) -> f64 {
    let started = Instant::now();
    work();
    let calls = (0.004 / started.elapsed().as_secs_f64().max(1e-9)).clamp(1.0, 1e6) as u32;
    let mut rounds = Vec::new();
    let started = Instant::now();
    while rounds.len() < 5 || (started.elapsed() < Duration::from_millis(200) && rounds.len() < 101) {
        let round = Instant::now();
        (0..calls).for_each(|_| work());
        rounds.push(round.elapsed().as_secs_f64() / f64::from(calls));
    }
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// Prints the lines whose text holds the filter.
struct Report {
    filter: String,
    /// The best product, in GFLOP/s.
    peak: f64,
    /// Bytes read and written in a second, in thousand millions.
    bandwidth: f64,
}

impl Report {
    fn product(&self, name: &str, [rows, depth, columns]: [usize; 3], work: impl FnMut()) {
        let name = format!("{name} {rows}x{depth}x{columns}");
        if name.contains(&self.filter) {
            let speed = 2e-9 * (rows * depth * columns) as f64 / seconds(work);
            println!("{name:<36} {speed:>8.1} GFLOP/s  {:>4.0} % of the 2048³ product", 100.0 * speed / self.peak);
        }
    }

    /// `bytes` is what each element reads and writes. Here it lies in the caches: what takes less time than memory would need
    /// for it stands above 100 %, and would wait for memory if it had to.
    fn elements(&self, name: &str, count: usize, bytes: usize, work: impl FnMut()) {
        if name.contains(&self.filter) {
            let each = 1e9 * seconds(work) / count as f64;
            let memory = bytes as f64 / self.bandwidth;
            println!("{name:<36} {each:>8.3} ns       {:>4.0} % of what memory would allow", 100.0 * memory / each);
        }
    }

    fn rule<G: Gates>(&self, name: &str, gates: &G, units: usize, floats: [usize; 2]) {
        let rows = 32;
        let mut step = Pointwise::new(gates.clone(), rows, units);
        let elements = rows * units;
        self.elements(&format!("{name} rule forward H{units}"), elements, 4 * floats[0], || step.forward());
        self.elements(&format!("{name} rule both ways H{units}"), elements, 4 * floats[1], || {
            step.forward_and_backward();
        });
    }

    /// A layer whose states only decay, from ordinary values and from the smallest.
    fn decay(&self, units: usize) {
        let (steps, batch) = (100, 64);
        let name = format!("decay lstm H{units}");
        if !name.contains(&self.filter) {
            return;
        }
        let layer = Lstm::new(units).kernel_initializer(Initializer::Zeros);
        let mut weights = layer
            .build(Form::sequence(steps, units), &mut Init::new(Key::new(1)))
            .expect("the layer takes sequences of this width");
        // Nothing comes in (σ(−100) is 0 in single precision) and a thousandth is forgotten at each step.
        let bias = weights.bias.as_mut().expect("the layer has a bias");
        bias.iter_mut().enumerate().for_each(|(place, bias)| *bias = [-100.0, 7.0, 0.0, 0.0][place / units]);
        let x = Tensor::Sequence(Array3::zeros((steps, batch, units)));
        let both = [1.0_f32, 1e-40].map(|size| {
            let state = State { parts: vec![Array2::from_elem((batch, units), size); 2] };
            let dy = Tensor::Vector(Array2::from_elem((batch, units), size));
            let (mut y, mut dx, mut last) = (Tensor::default(), Tensor::default(), state.clone());
            let (mut cache, mut gradients, pass) = (RnnCache::default(), weights.clone(), Pass::training(Key::new(2)));
            let time = seconds(|| {
                last.clone_from(&state);
                layer.forward(&weights, Forward::new(&x, &mut y, &mut cache, pass).state(&mut last));
                let back = Backward::new((&x, &y), &dy, &mut cache, &mut gradients, pass);
                layer.backward(&weights, back.dx(&mut dx));
            });
            let denormal = last.parts[1].iter().filter(|c| c.classify() == FpCategory::Subnormal).count();
            (1e9 * time / (steps * batch) as f64, denormal * 100 / (batch * units))
        });
        println!(
            "{name:<36} {:>8.1} ns a step from 1, {:.1} from 1e-40 ({} % of the last states denormal): {:.2} times",
            both[0].0,
            both[1].0,
            both[1].1,
            both[1].0 / both[0].0
        );
    }
}

fn main() {
    // Cargo passes `--bench`.
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let size = 2048;
    let (a, b) = (Array2::<f32>::from_elem((size, size), 0.5), Array2::<f32>::from_elem((size, size), 0.25));
    let mut c = Array2::<f32>::zeros((size, size));
    let library = seconds(|| ndarray::linalg::general_mat_mul(1.0, &a, &b, 0.0, &mut c));
    let mut product = Product::<f32>::new(size, size, size);
    let ours = seconds(|| product.run());
    let speed = |seconds: f64| 2e-9 * (size * size * size) as f64 / seconds;
    let floats = 64 << 20;
    let (from, mut to) = (vec![1.0_f32; floats], vec![0.0_f32; floats]);
    let copy = seconds(|| black_box(&mut to).copy_from_slice(black_box(&from)));
    let report = Report { filter, peak: speed(library.min(ours)), bandwidth: 8e-9 * floats as f64 / copy };
    println!("instructions: {}", bptt::instructions());
    println!("2048³ product: {:.1} GFLOP/s ours, {:.1} matrixmultiply's", speed(ours), speed(library));
    println!("copy: {:.1} GB/s read and written", report.bandwidth);

    for units in [8, 32, 64, 128, 256, 512, 1024] {
        let shape = [32, units, 4 * units];
        let mut step = Product::<f32>::new(32, units, 4 * units);
        report.product("step h·U", shape, || step.run());
        let mut back = Product::<f32>::new(32, 4 * units, units);
        report.product("step back dz·Uᵀ", [32, 4 * units, units], || back.run());
        let mut all = Product::<f32>::new(3200, units, 4 * units);
        report.product("all steps x·W", [3200, units, 4 * units], || all.run());
        let mut gradient = Gradient::<f32>::new(3200, units, 4 * units);
        report.product("gradient hᵀ·dz", [units, 3200, 4 * units], || gradient.run());
    }

    let values: Vec<f32> = (0..4096).map(|index| (index as f32 * 0.37).sin() * 8.0).collect();
    let mut results = vec![0.0; values.len()];
    for (name, function) in [("exp", Function::Exp), ("tanh", Function::Tanh), ("sigmoid", Function::Sigmoid)] {
        report.elements(name, values.len(), 8, || function.run(black_box(&values), black_box(&mut results)));
    }
    for units in [8, 32, 128, 512] {
        // Forward reads and writes z, reads the states before, writes those after; backward as much, and their gradients.
        report.rule("lstm", Lstm::new(units).cell().gates(), units, [12, 28]);
        report.rule("gru", Gru::new(units).cell().gates(), units, [10, 21]);
    }
    for units in [8, 32, 128] {
        report.decay(units);
    }
}
