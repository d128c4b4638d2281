//! Single kernels with their own data, for benchmarks: products, activation functions, the loops of a rule.
//!
//! Each type is created for a size and then [run](Product::run) repeatedly, as in `benches/kernels.rs`. These types
//! follow the inner loops, so any release of the crate may change them.
//!
//! | type | kernel |
//! | --- | --- |
//! | [`Product`] | C ← C + A·B, product of a step with the recurrent kernel |
//! | [`Gradient`] | C ← C + Aᵀ·D, gradient of weights over all steps |
//! | [`Function`] | sigmoid, tanh or exp of a row |
//! | [`Pointwise`] | rule, forward and backward, for all units of a batch |
//!
//! ```
//! let mut product = bptt::testing::measure::Product::<f32>::new(32, 8, 16);
//! product.run();
//! ```

use crate::kernels::gemm::{self, Factor, Packed, Room, Rows, RowsMut, Start};
use crate::numeric::Scalar;
use crate::numeric::{Kernel, Vector};
use crate::recurrent::gated::{Backward, Forward, StepBackward, StepForward};
use crate::recurrent::{Block, Gates};
use crate::tensor::{State, Widths};

fn wave<F: Scalar>(count: usize) -> Vec<F> {
    (0..count).map(|index| F::of((index as f64 * 0.37).sin())).collect()
}

/// Product C ← C + A·B with packed weights B, as of a step with the recurrent kernel.
#[derive(Debug)]
pub struct Product<F> {
    a: Vec<F>,
    b: Packed<F>,
    c: Vec<F>,
    depth: usize,
    columns: usize,
}

impl<F: Scalar> Product<F> {
    /// Returns the product (rows, depth)·(depth, columns).
    pub fn new(rows: usize, depth: usize, columns: usize) -> Self {
        let mut b = Packed::default();
        // The number of rows is set so high that B is packed.
        b.factor(Rows::new(&wave(depth * columns), columns), usize::MAX);
        Product { a: wave(rows * depth), b, c: wave(rows * columns), depth, columns }
    }

    /// Computes the product once.
    pub fn run(&mut self) {
        let (a, c) = (Rows::new(&self.a, self.depth), RowsMut::new(&mut self.c, self.columns));
        gemm::product(a, Factor::Packed(&self.b), Start::Sum, c);
    }
}

/// Product C ← C + Aᵀ·D, as for the gradient of weights over all steps.
#[derive(Debug)]
pub struct Gradient<F> {
    a: Vec<F>,
    d: Vec<F>,
    c: Vec<F>,
    depth: usize,
    columns: usize,
    room: Room<F>,
}

impl<F: Scalar> Gradient<F> {
    /// Returns the product (rows, depth)ᵀ·(rows, columns).
    pub fn new(rows: usize, depth: usize, columns: usize) -> Self {
        let (a, d) = (wave(rows * depth), wave(rows * columns));
        Gradient { a, d, c: vec![F::zero(); depth * columns], depth, columns, room: Room::default() }
    }

    /// Computes the product once.
    pub fn run(&mut self) {
        let (a, d) = (Rows::new(&self.a, self.depth), Rows::new(&self.d, self.columns));
        gemm::add_transposed_product(a, d, RowsMut::new(&mut self.c, self.columns), &mut self.room);
    }
}

/// Activation function, applied to each number.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Function {
    /// eˣ.
    Exp,
    /// tanh x.
    Tanh,
    /// 1 / (1 + e^−x).
    Sigmoid,
}

impl Function {
    /// Writes the function of each number in `from` to `to`.
    pub fn run<F: Scalar>(self, from: &[F], to: &mut [F]) {
        F::vectorize(from.len(), Apply { function: self, from, to });
    }
}

struct Apply<'a, F> {
    function: Function,
    from: &'a [F],
    to: &'a mut [F],
}

impl<F: Scalar> Kernel<F> for Apply<'_, F> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token) {
        match self.function {
            Function::Exp => {
                for (from, to) in self.from.chunks(V::WIDTH).zip(self.to.chunks_mut(V::WIDTH)) {
                    V::load(token, from).exp().store(to);
                }
            }
            Function::Tanh => {
                for (from, to) in self.from.chunks(V::WIDTH).zip(self.to.chunks_mut(V::WIDTH)) {
                    V::load(token, from).tanh().store(to);
                }
            }
            Function::Sigmoid => {
                for (from, to) in self.from.chunks(V::WIDTH).zip(self.to.chunks_mut(V::WIDTH)) {
                    V::load(token, from).sigmoid().store(to);
                }
            }
        }
    }
}

/// Rule over one time step of a batch.
#[derive(Debug)]
pub struct Pointwise<G> {
    gates: G,
    units: usize,
    z: Vec<f32>,
    previous: State<f32>,
    next: State<f32>,
    dprevious: State<f32>,
}

impl<G: Gates> Pointwise<G> {
    /// Returns a step of this many rows and units.
    pub fn new(gates: G, rows: usize, units: usize) -> Self {
        let states = <G::States<f32> as Block<f32>>::COUNT;
        let mut previous = State::zeros(rows, Widths::new(&vec![units; states]));
        let z = wave(rows * <G::Blocks<f32> as Block<f32>>::COUNT * units);
        previous.parts.iter_mut().flatten().zip(&z).for_each(|(state, &value)| *state = value);
        Pointwise { gates, units, z, next: previous.clone(), dprevious: previous.clone(), previous }
    }

    /// Applies the rule. Its results are the sums z of the next run.
    pub fn forward(&mut self) {
        let (previous, next) = (self.previous.views(), self.next.views_mut());
        let step = StepForward { units: self.units, z: &mut self.z, previous, next, counts: None };
        Forward { gates: &self.gates, step }.vectorize();
    }

    /// Applies the rule and its derivative.
    pub fn forward_and_backward(&mut self) {
        self.forward();
        let (previous, next) = (self.previous.views(), self.next.views());
        let (dnext, dprevious) = (self.previous.views(), self.dprevious.views_mut());
        let (gates, units, z) = (&self.gates, self.units, &mut self.z[..]);
        let step = StepBackward { units, z, previous, next, dnext, dprevious, counts: None, ahead: None };
        Backward { gates, step }.vectorize();
    }
}
